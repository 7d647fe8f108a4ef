"""Other people's files as they are: what the field reader takes, what it refuses and in which words, on both sides."""

import gzip
import json
import math

import numpy as np
import pytest
from report_cases import make

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Vote, read_items, write_items
from judgemerge.data.benchmarks import load_catalogue, load_items
from judgemerge.judge import failures
from judgemerge.judge.recorded import count_recorded, load_recorded, options_for, read_recorded

PAIR = {"prompt": "p", "responses": ["a", "b"]}
GRADE = {"prompt": "p", "responses": ["a"], "label": "y"}
TEXTS = {"p": "Name a river.", "a": "Rhine", "b": "Alps"}


def write(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def load(path, options, protocol="pairwise", **entry):
    spec = {"loader": "jsonl", "protocol": protocol, "sources": {"rows": "key"}, "options": options, **entry}
    return load_items("bench", spec, {"rows": str(path)})


def pairs(tmp_path, rows, fields, labels=None, **options):
    path = write(tmp_path / "rows.jsonl", [{**TEXTS, **row} for row in rows])
    return load(path, {"fields": {**PAIR, **fields}, "labels": labels or {}, **options})


def votes_of(item):
    return [(vote.annotator, vote.vote) for vote in item.votes]


# ---- what is no number ----


@pytest.mark.parametrize("written", ["NaN", "Infinity", "-Infinity", "1e400", "1" + "0" * 400, '"1e400"', "true"])
@pytest.mark.parametrize("votes", [False, True])
def test_what_is_no_finite_number_is_refused_with_file_row_and_field(tmp_path, written, votes):
    rows = ["1", "2", "3", written]
    lines = (f'{{"p": "q{n}", "a": "x", "y": {value}}}' for n, value in enumerate(rows))
    path = tmp_path / "grades.jsonl"
    path.write_text("\n".join(lines))
    fields = {**GRADE, "votes": ["y"]} if votes else GRADE
    fields = {name: value for name, value in fields.items() if not votes or name != "label"}
    with pytest.raises(JudgemergeError, match=r"grades.jsonl: row 3: field 'y' is "):
        load(path, {"fields": fields}, "pointwise")


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 10**400, True, "7", np.nan, np.float32("inf"), np.True_]
)
def test_an_item_refuses_a_truth_and_a_vote_that_are_no_number_whatever_the_loader(value):
    shape = {"benchmark": "b", "protocol": "pointwise", "turns": ("p",), "responses": (("a",),), "cluster": "c"}
    with pytest.raises(JudgemergeError, match="item g3: truth is .*, not a finite number; .* row 3 of 'grades'"):
        Item(id="g3", truth=value, origin={"source": "grades", "row": 3}, **shape)
    with pytest.raises(JudgemergeError, match="item g3: the vote of 'anna' is .*, not a finite number"):
        Item(id="g3", truth=1.0, origin={}, votes=(Vote("anna", value),), **shape)


def test_a_grade_whose_square_no_float_holds_is_no_grade(tmp_path):
    shape = {"benchmark": "b", "protocol": "pointwise", "turns": ("p",), "responses": (("a",),), "cluster": "c"}
    with pytest.raises(JudgemergeError, match=r"truth is 1e\+300, not a finite number up to 1e\+50"):
        Item(id="g3", truth=1e300, origin={}, **shape)
    path = tmp_path / "grades.jsonl"
    path.write_text('{"p": "q", "a": "x", "y": 1e300}')
    with pytest.raises(JudgemergeError, match=r"grades.jsonl: row 0: field 'y' is 1e\+300"):
        load(path, {"fields": GRADE}, "pointwise")


def test_numbers_of_numpy_become_numbers_that_json_can_write(tmp_path):
    shape = {"benchmark": "b", "protocol": "pointwise", "turns": ("p",), "responses": (("a",),), "cluster": "c"}
    item = Item(id="1", truth=np.int64(3), origin={}, votes=(Vote("anna", np.float32(0.5)),), **shape)
    write_items(tmp_path / "items.jsonl", [item])
    (read,) = read_items(tmp_path / "items.jsonl")
    assert (read.truth, read.votes[0].vote) == (3, 0.5)


def test_a_number_in_any_adapter_is_finite(tmp_path):
    row = {"id": 1, "question_body": "q", "answer_body": "a", "label": math.nan, "scenario": "s", "category": "c"}
    spec = {"loader": "meld", "protocol": "pointwise", "sources": {"rows": "k"}, "options": {"form": "pointwise"}}
    with pytest.raises(JudgemergeError, match="row 0: field 'label' is NaN, which is no finite number"):
        load_items("b", spec, {"rows": write(tmp_path / "rows.jsonl", [row])})


# ---- truths and votes wherever they are ----


def test_paths_lead_into_objects_and_lists_and_a_name_with_dots_goes_first(tmp_path):
    row = {"out": ["x", {"text": "y"}], "scores": {"a.b": {"c": 4}}, "scores.flat": 2, "m": {"gpt-3.5": "A"}}
    path = write(tmp_path / "rows.jsonl", [{"p": "q", **row}])
    fields = {
        "prompt": "p",
        "responses": ["out.1.text"],
        "label": "scores.a.b.c",
        "extra": ["m.gpt-3.5", "scores.flat"],
    }
    (item,), _ = load(path, {"fields": fields}, "pointwise")
    assert (item.responses, item.truth) == ((("y",),), 4.0)
    assert item.extra == {"m.gpt-3.5": "A", "scores.flat": 2}
    with pytest.raises(JudgemergeError, match="row 0: has no field 'out.2.text'; .* is it the file"):
        load(path, {"fields": {**fields, "responses": ["out.2.text"]}}, "pointwise")


VOTES = {
    "columns, some empty": ({"votes": ["v1", "v2", "v3"]}, {"v1": "A", "v2": None}, [("v1", "first")]),
    "a list": ({"votes": "v"}, {"v": ["A", "B", None, "A"]}, [("1", "first"), ("2", "second"), ("4", "first")]),
    "an object": ({"votes": "v"}, {"v": {"anna": "A", "ben": None}}, [("anna", "first")]),
    "a list of objects": (
        {"votes": "v", "vote": "says", "annotator": "who"},
        {"v": [{"who": 7, "says": "A"}, {"who": "ben", "says": "B"}]},
        [("7", "first"), ("ben", "second")],
    ),
    "objects by annotator": ({"votes": "v", "vote": "says"}, {"v": {"anna": {"says": "A"}}}, [("anna", "first")]),
    "pairs of scores": ({"votes": [["s1", "s2"]]}, {"s1": 4, "s2": "3"}, [("s1/s2", "first")]),
    "a word that is no vote": ({"votes": "v"}, {"v": ["A", "skipped"]}, [("1", "first")]),
}


@pytest.mark.parametrize("name", VOTES)
def test_votes_are_read_however_they_are_kept(tmp_path, name):
    fields, row, expected = VOTES[name]
    full = {"v1": "A", "v2": "B", "v3": "B", "v": ["A"]} | ({"v": row["v"]} if isinstance(row.get("v"), dict) else {})
    full |= {"v": [{"who": "x", "says": "B"}]} if name == "a list of objects" else {}
    labels = {"A": "first", "B": "second", "skipped": None}
    items, counts = pairs(tmp_path, [row, {**row, **full}], fields, labels)
    assert votes_of(items[0]) == expected
    assert counts["votes"] == sum(len(item.votes) for item in items)


def test_an_item_without_a_vote_is_left_out_and_counted(tmp_path):
    items, counts = pairs(tmp_path, [{"v": [None]}, {"v": []}, {}, {"v": ["first"]}], {"votes": "v"})
    assert ([item.id for item in items], counts["without_truth"], counts["rows"]) == (["3"], 3, 4)


def test_one_row_per_vote_is_grouped_by_id(tmp_path):
    rows = [("x", "anna", "A"), ("y", "anna", "B"), ("x", "ben", "B"), ("x", "cleo", "A"), ("y", "ben", None)]
    rows = [{"key": key, "who": who, "said": vote} for key, who, vote in rows]
    fields = {"id": "key", "annotator": "who", "vote": "said"}
    items, counts = pairs(tmp_path, rows, fields, {"A": "first", "B": "second"})
    assert [(item.id, item.truth, len(item.votes)) for item in items] == [("x", "first", 3), ("y", "second", 1)]
    assert (counts["rows"], counts["items"], counts["votes"]) == (5, 2, 4)
    with pytest.raises(JudgemergeError, match="row 5: is a second vote of 'anna', after row 0"):
        pairs(tmp_path, [*rows, rows[0]], fields, {"A": "first", "B": "second"})
    with pytest.raises(JudgemergeError, match="row 5: has another 'a' than row 0 with the same id"):
        pairs(tmp_path, [*rows, {**rows[0], "who": "dan", "a": "Other"}], fields, {"A": "first", "B": "second"})


EITHER = {"id": ["q", "turn"], "pair": ["left", "right"], "prompt": ["q"], "vote": "won"}
WON = {"labels": {"left": "first", "right": "second", "even": "tie"}}


def either_order(path, rows):
    names = ("q", "turn", "left", "right", "won", "a", "b")
    return write(path, [dict(zip(names, row, strict=False)) for row in rows])


VOTES_IN_EITHER_ORDER = [
    (81, 1, "gpt/4", "llama", "left", "x", "y"),
    (81, 1, "llama", "gpt/4", "right", "y", "x"),
    (81, 2, "llama", "gpt/4", "left", "y", "x"),
    (81, 1, "gpt/4", "llama", "even", "x", "y"),
    (81, 1, "llama", "llama", "right", "y", "y"),
]


def test_pairs_that_rows_name_in_either_order_are_one_item_whose_votes_are_turned_round(tmp_path):
    path = either_order(tmp_path / "votes.jsonl", VOTES_IN_EITHER_ORDER)
    items, counts = load(path, {"fields": {**EITHER, "responses": ["a", "b"]}, **WON})
    assert [(item.id, item.models, item.responses, item.truth, len(item.votes)) for item in items] == [
        ("81/1/gpt/4/llama", ("gpt/4", "llama"), (("x",), ("y",)), "first", 3),
        ("81/2/gpt/4/llama", ("llama", "gpt/4"), (("y",), ("x",)), "first", 1),
        ("81/1/llama/llama", ("llama", "llama"), (("y",), ("y",)), "second", 1),
    ]
    assert counts["votes"] == 5
    judged = [(81, 1, "llama", "gpt/4", "right"), (81, 2, "llama", "gpt/4", "right"), (81, 1, "llama", "llama", "left")]
    judged = either_order(tmp_path / "judged.jsonl", judged)
    options = {"fields": {"item": ["q", "turn"], "pair": ["left", "right"], "verdict": "won"}, **WON}
    recorded = read_recorded("jsonl", {"original": judged}, items, options)
    assert [one.verdict.outcome for one in recorded] == ["first", "second", "first"]


def test_one_file_in_both_roles_has_the_order_in_which_a_row_names_the_pair(tmp_path):
    asked = [(81, 1, "gpt", "llama", "left", "x", "y"), (82, 1, "llama", "gpt", "left", "y", "x")]
    asked = either_order(tmp_path / "votes.jsonl", asked)
    items, _ = load(asked, {"fields": {**EITHER, "responses": ["a", "b"]}, **WON})
    rows = [
        (81, 1, "gpt", "llama", "left"),
        (82, 1, "gpt", "llama", "left"),
        (81, 1, "llama", "gpt", "left"),
        (83, 1, "llama", "gpt", "left"),
        (83, 1, "gpt", "llama", "left"),
    ]
    judged = str(either_order(tmp_path / "judged.jsonl", rows))
    entry = {"label": "J", "format": "jsonl", "benchmarks": {"bench": {"original": judged, "swapped": judged}}}
    entry["options"] = {"fields": {"item": ["q", "turn"], "pair": ["left", "right"], "verdict": "won"}, **WON}
    (tmp_path / "recorded.yaml").write_text(json.dumps({"j": entry}))
    options = load_recorded(tmp_path / "recorded.yaml")["j"].options
    paths = {"original": judged, "swapped": judged}
    recorded = read_recorded("jsonl", paths, items, options)
    assert [
        (one.verdict.item[:2], one.verdict.order, one.verdict.reason or one.verdict.outcome) for one in recorded
    ] == [
        ("81", "original", "first"),
        ("81", "swapped", "second"),
        ("82", "original", "not_recorded"),
        ("82", "swapped", "second"),
    ]
    counts = count_recorded("jsonl", paths, recorded, items, options)
    assert counts["not_joined"] == {"original": 2, "swapped": 2}
    with pytest.raises(JudgemergeError, match="row 5: a second verdict on 81/1/gpt/llama, after row 0"):
        either_order(tmp_path / "judged.jsonl", [*rows, rows[0]])
        read_recorded("jsonl", paths, items, options)


def test_a_number_is_a_prompt_where_no_texts_are_public(tmp_path):
    path = either_order(tmp_path / "votes.jsonl", VOTES_IN_EITHER_ORDER)
    items, _ = load(path, {"fields": {**EITHER, "prompt": "q", "responses": []}, **WON})
    assert {item.turns for item in items} == {("81",)}


def test_texts_of_a_row_that_is_turned_round_are_compared_crosswise(tmp_path):
    rows = [(81, 1, "gpt", "llama", "left", "x", "y"), (81, 1, "llama", "gpt", "left", "x", "y")]
    with pytest.raises(JudgemergeError, match="row 1: has another 'b' than row 0 with the same id"):
        load(either_order(tmp_path / "v.jsonl", rows), {"fields": {**EITHER, "responses": ["a", "b"]}, **WON})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pair": ["left"]}, "pair names two fields, one per response; name two"),
        ({"pair": ["left", "right"], "models": ["left", "right"], "id": "q"}, "has pair and models; delete one"),
        ({"pair": ["left", "right"], "label": "won"}, "has pair and no id; name the field with what was asked"),
        ({"responses": ["a", "b", "c"]}, "names 3, but a pairwise item has 2"),
        ({"label": ["a", "b", "c"]}, "two scores are two fields, one per response; name two"),
        ({"lable": "won"}, "has the unknown key 'lable'; did you mean 'label'"),
    ],
)
def test_an_entry_that_cannot_be_right_is_refused_with_the_catalogue(tmp_path, fields, message):
    entry = {"loader": "jsonl", "protocol": "pairwise", "description": "d", "truth": "t", "sources": {"rows": "r"}}
    entry["options"] = {"fields": {"prompt": "q", "responses": ["a", "b"], "label": "won", **fields}}
    (tmp_path / "benchmarks.yaml").write_text(json.dumps({"bench": entry}))
    with pytest.raises(JudgemergeError, match=rf"benchmarks.yaml: benchmark 'bench': .*{message}"):
        load_catalogue(tmp_path / "benchmarks.yaml")


def test_a_field_may_hold_both_responses(tmp_path):
    options = {"fields": {"prompt": "q", "responses": "both"}, "label": "first"}
    (item,), _ = load(write(tmp_path / "r.jsonl", [{"q": "q", "both": ["x", ["y"]]}]), options)
    assert item.responses == (("x",), ("y",))
    with pytest.raises(JudgemergeError, match="row 0: field 'both' is a list of 3, not of two responses"):
        load(write(tmp_path / "r.jsonl", [{"q": "q", "both": ["x", "y", "z"]}]), options)


def test_cells_with_json_and_a_column_per_winner(tmp_path):
    (tmp_path / "r.csv").write_text('q,a,b,a_won,b_won,tied\n"[""Hi"", ""Why?""]","[""x"", ""y""]","[""v"", ",0,0,1\n')
    fields = {"prompt": "q", "responses": ["a", "a"], "label": ["a_won", "b_won"]}
    (item,), _ = load(tmp_path / "r.csv", {"fields": fields, "rows": {"json": ["q", "a"]}})
    assert (item.turns, item.responses[0], item.truth) == (("Hi", "Why?"), ("x", "y"), "tie")
    with pytest.raises(JudgemergeError, match="r.csv: row 0: field 'b' is .*, which is no JSON; correct options.rows"):
        load(tmp_path / "r.csv", {"fields": fields, "rows": {"json": ["q", "a", "b"]}})


@pytest.mark.parametrize("label", ["s", ["sa", "sb"]])
def test_a_pair_of_scores_is_a_truth(tmp_path, label):
    rows = [{"s": [one, two], "sa": one, "sb": two} for one, two in [(1, 0.5), ("2", 3), (4, 4.0)]]
    items, _ = pairs(tmp_path, rows, {"label": label})
    assert [item.truth for item in items] == ["first", "second", "tie"]
    with pytest.raises(JudgemergeError, match="row 0: field 's.* is .*NaN.*no pair of finite scores"):
        pairs(tmp_path, [{"s": [math.nan, 1], "sa": math.nan, "sb": 1}], {"label": label})


def test_chosen_and_rejected_have_one_label(tmp_path):
    path = write(tmp_path / "rows.jsonl", [{"prompt": "q", "chosen": "good", "rejected": "bad"}])
    fields = {"prompt": "prompt", "responses": ["chosen", "rejected"]}
    (item,), _ = load(path, {"fields": fields, "label": "first"})
    assert (item.truth, item.responses) == ("first", (("good",), ("bad",)))
    with pytest.raises(JudgemergeError, match="options.label and options.fields.label both say"):
        load(path, {"fields": {**fields, "label": "x"}, "label": "first"})
    with pytest.raises(JudgemergeError, match="'options.label' is 'chosen', which is no pairwise label"):
        load(path, {"fields": fields, "label": "chosen"})


@pytest.mark.parametrize("written", ["7", " 7 ", 7, 7.0, "7.0", "good"])
def test_a_grade_is_a_number_however_it_is_written(tmp_path, written):
    path = write(tmp_path / "rows.jsonl", [{"p": "q", "a": "x", "y": written}])
    assert load(path, {"fields": GRADE, "labels": {"good": 7}}, "pointwise")[0][0].truth == 7.0


@pytest.mark.parametrize("written", [1, 1.0, "1", " 1 ", "1.0"])
def test_a_label_is_known_however_it_is_written(tmp_path, written):
    assert pairs(tmp_path, [{"y": written}], {"label": "y"}, {1: "second"})[0][0].truth == "second"


def test_two_keys_that_are_one_word_are_refused(tmp_path):
    with pytest.raises(JudgemergeError, match="options.labels has 'A' twice, with two meanings"):
        pairs(tmp_path, [{"y": "A"}], {"label": "y"}, {"A": "first", "A ": "second"})


YES_NO = "{yes: first, no: second, on: tie, off: tie, true: first}"


def test_yes_and_no_in_a_catalogue_are_the_words_of_the_file(tmp_path):
    rows = [{**TEXTS, "id": n, "y": word} for n, word in enumerate(["yes", "no", "on", "off", "True", True])]
    path = write(tmp_path / "rows.jsonl", rows)
    catalogue = tmp_path / "benchmarks.yaml"
    catalogue.write_text(
        "bench: {adapter: jsonl, protocol: pairwise, description: d, truth: t, sources: {rows: k}, options: {labels: "
        f"{YES_NO}, fields: {{prompt: p, responses: [a, b], label: y}}}}}}"
    )
    items, _ = load_items("bench", load_catalogue(catalogue)["bench"], {"rows": path})
    assert [item.truth for item in items] == ["first", "second", "tie", "tie", "first", "first"]
    catalogue.write_text(
        f"j: {{label: J, format: jsonl, benchmarks: {{bench: {{original: {path}}}}}, options: {{labels: {YES_NO}, "
        "fields: {item: id, verdict: y}}}"
    )
    judge = load_recorded(catalogue)["j"]
    assert [one.verdict.outcome for one in read_recorded("jsonl", {"original": path}, items, judge.options)] == [
        item.truth for item in items
    ]


# ---- texts ----


def test_messages_are_prompts_and_responses(tmp_path):
    ask, tell = {"role": "user", "content": "And?"}, {"role": "assistant", "content": "Hm."}
    system = {"role": "system", "content": "Be kind."}
    parts = {"role": "assistant", "content": [{"type": "text", "text": "Yes"}, {"type": "text", "text": "."}]}
    chosen, rejected = [system, ask, tell, ask, parts], [system, ask, tell, ask, tell]
    row = {"p": chosen, "a": chosen, "b": rejected, "alone": [tell], "one": tell, "y": "first"}
    path = write(tmp_path / "rows.jsonl", [row])
    for second in ("b", "alone", "one"):
        (item,), _ = load(path, {"fields": {**PAIR, "responses": ["a", second], "label": "y"}})
        assert item.turns == ("And?", "And?")
        assert item.responses == (("Hm.", "Yes."), ("Hm.", "Hm."))
        assert item.extra == {"system": "Be kind."}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"p": ["one", "two"], "a": ["x", "y", "z"]}, "field 'a' has 3 answers to 2 turns of the user"),
        ({"p": ["one", "two"], "a": "x"}, "field 'a' has 1 answers to 2 turns of the user"),
        ({"p": [{"role": "assistant", "content": "x"}], "a": "x"}, "field 'p' does not alternate"),
        ({"p": [{"role": "robot", "content": "x"}], "a": "x"}, "field 'p' has a message without a known role"),
        ({"p": "one", "a": None}, "field 'a' is null, not text or a list or an object"),
        ({"p": "one", "a": [{"role": "user", "content": "other"}]}, "field 'a' begins with other turns of the user"),
    ],
)
def test_texts_that_do_not_fit_are_named_and_the_catalogue_is_not_blamed(tmp_path, row, message):
    with pytest.raises(JudgemergeError, match=f"rows.jsonl: row 0: {message}") as raised:
        pairs(tmp_path, [{**row, "y": "first"}], {"label": "y"})
    assert "the file that the catalogue names" not in str(raised.value)


def test_several_references_models_without_a_name_and_optional_fields_that_are_missing(tmp_path):
    rows = [
        {"y": "tie", "refs": ["One.", "Two."], "m": None, "n": 3, "topic": None, "note": "x"},
        {"y": "tie", "n": "gpt", "refs": math.nan},
    ]
    fields = {"label": "y", "reference": "refs", "models": ["m", "n"], "category": "topic", "extra": ["note"]}
    (one, two), _ = pairs(tmp_path, rows, fields)
    assert (one.reference, one.models, one.category, one.extra) == ("One.\n\nTwo.", ("", "3"), None, {"note": "x"})
    assert (two.reference, two.models, two.category, two.extra) == (None, ("", "gpt"), None, {"note": None})
    with pytest.raises(
        JudgemergeError, match="has no field 'topics', and neither has any other row; .* did you mean 'topic'"
    ):
        pairs(tmp_path, rows, {**fields, "category": "topics"})


def test_sets_whose_texts_are_not_public_have_items(tmp_path):
    items, counts = pairs(tmp_path, [{"y": "first"}], {"responses": [], "label": "y"})
    assert (items[0].judgeable, counts["not_public"]) == (False, 1)


def test_categories_are_mapped_for_every_adapter(tmp_path):
    rows = [{"y": "tie", "c": name} for name in ("mmlu-pro-law", "mmlu-pro-math", "code", None)]
    path = write(tmp_path / "rows.jsonl", [{**TEXTS, **row} for row in rows])
    options = {"fields": {**PAIR, "label": "y", "category": "c"}}
    items, _ = load(path, options, categories={"mmlu-pro-*": "mmlu-pro"})
    assert [item.category for item in items] == ["mmlu-pro", "mmlu-pro", "code", None]
    with pytest.raises(JudgemergeError, match="categories maps 'coed', but no item .* did you mean 'code'"):
        load(path, options, categories={"coed": "x"})


# ---- files ----

TABLE = [["p", "a", "y", "note"], ["Hi, you?\nThere.", 'A "x"', "4.0", ""], ["q", "", "3", "n"]]


def delimited(delimiter, end="\r\n"):
    quoted = (delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in TABLE)
    return ("\ufeff" + end.join(quoted) + end).encode()


JSON_ROWS = [dict(zip(TABLE[0], row, strict=True)) for row in TABLE[1:]]
FILES = {
    "rows.csv": delimited(","),
    "rows.tsv": delimited("\t", "\n"),
    "excel.csv": delimited(";"),
    "rows.csv.gz": gzip.compress(delimited(",")),
    "fetched_without_suffix": gzip.compress("\n".join(map(json.dumps, JSON_ROWS)).encode()),
    "bom.jsonl": b"\xef\xbb\xbf" + "\r\n".join(map(json.dumps, JSON_ROWS)).encode(),
    "list.json": b"\xef\xbb\xbf" + json.dumps(JSON_ROWS, indent=1).encode(),
    "wrapped.json": json.dumps({"data": JSON_ROWS}, indent=1).encode(),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_as_it_is(tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name])
    layout = {"rows": {"list": "data"}} if name == "wrapped.json" else {}
    items, _ = load(tmp_path / name, {"fields": {**GRADE, "extra": ["note"]}, **layout}, "pointwise")
    assert [(item.turns, item.responses, item.truth) for item in items] == [
        (("Hi, you?\nThere.",), (('A "x"',),), 4.0),
        (("q",), (("",),), 3.0),
    ]


def test_a_table_that_a_fetched_file_holds_needs_no_suffix(tmp_path):
    (tmp_path / "key").write_text("p,a,y\nq,x,3\n")
    assert load(tmp_path / "key", {"fields": GRADE}, "pointwise")[0][0].truth == 3.0


def test_parquet_with_dates_and_holes(tmp_path):
    import datetime

    import pyarrow
    import pyarrow.parquet

    day = datetime.date(2026, 1, 2)
    table = {"p": ["q", "r"], "a": ["x", "y"], "y": [1.0, 2.0], "on": [day, None], "v": [[1, None], [2]]}
    pyarrow.parquet.write_table(pyarrow.table(table), tmp_path / "rows.parquet")
    items, _ = load(tmp_path / "rows.parquet", {"fields": {**GRADE, "votes": "v", "extra": ["on"]}}, "pointwise")
    assert [item.extra["on"] for item in items] == ["2026-01-02", None]
    assert [len(item.votes) for item in items] == [1, 1]
    write_items(tmp_path / "items.jsonl", items)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.csv", b"p,a,y\nq,x\n", "row 0: 2 cells, but the header has 3 names"),
        ("r.csv", b"p,p,y\nq,x,1\n", "the header has a column twice"),
        ("r.csv", b'p,a,y\n"q,x,1\n', "is no table of cells"),
        ("r.csv", b"p,a,y\n\xff,x,1\n", "is not text in UTF-8"),
        ("r.gz", gzip.compress(b"{}" * 50, mtime=0)[:-9], "is not a whole gzip file"),
        ("r.jsonl", b'{"p": 1' + b"0" * 5000 + b"}", "line 1: is not JSON in UTF-8"),
    ],
)
def test_broken_files_are_a_sentence(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(JudgemergeError, match=f"{name}: {message}"):
        load(tmp_path / name, {"fields": GRADE}, "pointwise")


def test_half_a_surrogate_pair_is_replaced_and_counted(tmp_path):
    rows = [{"y": "tie", "key": "half \ud83d", "a": "half \ud83d of it, and \udc00"}, {"y": "tie", "key": "b"}]
    items, counts = pairs(tmp_path, rows, {"label": "y", "id": "key"})
    assert items[0].responses[0] == ("half \ufffd of it, and \ufffd",)
    assert (items[0].id, counts["lone_surrogates"]) == ("half \ufffd", 3)
    write_items(tmp_path / "items.jsonl", items)
    verdicts = write(
        tmp_path / "said.jsonl", [{"id": "half \ud83d", "v": "tie", "r": "\ud83d"}, {"id": "b", "v": "tie"}]
    )
    fields = {"item": "id", "verdict": "v", "reply": "r"}
    recorded = read_recorded("jsonl", {"original": verdicts}, items, {"fields": fields})
    assert [one.verdict.outcome for one in recorded] == ["tie", "tie"]


def test_a_line_that_utf8_cannot_hold_is_kept_as_an_escape(tmp_path):
    files.write_jsonl(tmp_path / "rows.jsonl", [{"reply": "\ud83d ä"}])
    files.write_json(tmp_path / "value.json", {"reply": "\ud83d ä"})
    assert list(files.read_jsonl(tmp_path / "rows.jsonl")) == [{"reply": "\ud83d ä"}]
    assert files.read_json(tmp_path / "value.json") == {"reply": "\ud83d ä"}
    assert len(files.sha256_text("\ud83d")) == 64


def test_rows_lie_below_keys_in_lists_and_among_others(tmp_path):
    nested = {"anna": {"q1": 3, "q2": 5}, "ben": {"q1": 4}}
    (tmp_path / "nested.json").write_text(json.dumps(nested))
    fields = {"prompt": "item", "id": "item", "responses": [], "vote": "value", "annotator": "who"}
    items, _ = load(tmp_path / "nested.json", {"fields": fields, "rows": {"keys": ["who", "item"]}}, "pointwise")
    assert [(item.id, item.truth) for item in items] == [("q1", 3.5), ("q2", 5.0)]
    rows = {"keys": ["who", "item"], "where": {"who": "a*", "item": ["q1", "q9"]}}
    items, _ = load(tmp_path / "nested.json", {"fields": fields, "rows": rows}, "pointwise")
    assert [votes_of(item) for item in items] == [[("anna", 3.0)]]
    with pytest.raises(JudgemergeError, match="options.rows has the unknown key 'key'"):
        load(tmp_path / "nested.json", {"fields": fields, "rows": {"key": []}}, "pointwise")


# ---- recorded verdicts ----


def bench(tmp_path, n=8, protocol="pairwise"):
    rows = [
        {**TEXTS, "key": f"i{k}", "y": ("first", "second")[k % 2] if protocol == "pairwise" else k} for k in range(n)
    ]
    fields = {"id": "key", "label": "y", **(PAIR if protocol == "pairwise" else {"prompt": "p", "responses": ["a"]})}
    return load(write(tmp_path / "items.jsonl", rows), {"fields": fields}, protocol)[0]


def read(tmp_path, rows, items, **options):
    path = write(tmp_path / "said.jsonl", rows)
    recorded = read_recorded("jsonl", {"original": path}, items, options)
    return recorded, count_recorded("jsonl", {"original": path}, recorded, items, options)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"A": "first", "B": "second"}, ("1", "2")),
        ({True: "first", False: "second"}, ("yes", "no")),
        ({"1": "first", "2": "second"}, ("Response 1", "Response 2")),
    ],
)
def test_a_label_map_that_does_not_fit_is_refused_and_no_error_of_the_judge(tmp_path, labels, words):
    items = bench(tmp_path)
    rows = [{"id": item.id, "v": words[item.truth == "second"]} for item in items]
    message = rf"said.jsonl: 0 of 8 verdicts are understood, not '{words[0]}' \(4 times\), .*correct options.labels \("
    with pytest.raises(JudgemergeError, match=message) as raised:
        read(tmp_path, rows, items, fields={"item": "id", "verdict": "v"}, labels=labels)
    assert ("YAML made booleans" in str(raised.value)) == (True in labels and not isinstance(words[0], int))
    fields = {"item": "id", "verdict": "v"}
    recorded, counts = read(tmp_path, rows, items, fields=fields, labels=labels, minimum_share=0)
    assert {one.verdict.reason for one in recorded} == {"unparsed"}
    assert counts["unmapped"] == {"original": {words[0]: 4, words[1]: 4}}


def test_blanks_around_a_word_and_numbers_as_text_are_read(tmp_path):
    items = bench(tmp_path, 3)
    rows = [{"id": item.id, "v": value} for item, value in zip(items, ["A ", "B", 1.0], strict=True)]
    fields = {"item": "id", "verdict": "v"}
    recorded, _ = read(tmp_path, rows, items, fields=fields, labels={"A": "first", "B": "second", 1: "tie"})
    assert [one.verdict.outcome for one in recorded] == ["first", "second", "tie"]


def test_scores_are_read_as_text_and_as_words_and_what_is_no_number_is_an_error(tmp_path):
    items = bench(tmp_path, 8, "pointwise")
    values = ["7", "good", 1, 2.5, math.nan, None, math.inf, "n/a"]
    rows = [{"id": item.id, "s": value} for item, value in zip(items, values, strict=True)]
    recorded, counts = read(tmp_path, rows, items, fields={"item": "id", "score": "s"}, labels={"good": 3})
    assert [one.verdict.score for one in recorded] == [7.0, 3.0, 1.0, 2.5, None, None, None, None]
    assert {one.verdict.reason for one in recorded[4:]} == {"unparsed"}
    assert counts["unmapped"]["original"] == {"NaN": 1, "inf": 1, "n/a": 1}


def test_a_word_that_the_labels_call_unreadable_is_an_error_and_no_slip(tmp_path):
    items = bench(tmp_path)
    rows = [{"id": item.id, "v": "garbage" if n else "A"} for n, item in enumerate(items)]
    fields, labels = {"item": "id", "verdict": "v"}, {"A": "first", "garbage": None}
    recorded, counts = read(tmp_path, rows, items, fields=fields, labels=labels)
    assert sum(one.verdict.outcome == "error" for one in recorded) == 7
    assert "unmapped" not in counts


def test_ids_that_are_hardly_ever_an_item_are_refused_and_others_counted(tmp_path):
    items = bench(tmp_path, 51)
    rows = [{"id": f"x{n}", "v": "first"} for n in range(50)] + [{"id": "i0", "v": "first"}]
    message = (
        r"said.jsonl: 1 of 51 rows belong to an item, not x0, x1, x2 …; items are called i0, i1, i2 …; .*minimum_share"
    )
    with pytest.raises(JudgemergeError, match=message):
        read(tmp_path, rows, items, fields={"item": "id", "verdict": "v"})
    recorded, counts = read(tmp_path, rows, items, fields={"item": "id", "verdict": "v"}, minimum_share=0)
    assert counts["not_joined"] == {"original": 50}
    assert counts["unknown_ids"]["original"][:2] == ["x0", "x1"]
    assert counts["outcomes"] == {"first": 1, "not_recorded": 50}


def test_a_format_of_its_own_that_hardly_fits_is_refused_too(tmp_path, data):
    spec = {"loader": "pandalm", "protocol": "pairwise", "sources": {"rows": "key"}}
    items, _ = load_items("bench", spec, {"rows": data / "pandalm.json"})
    rows = [dict(row, idx=row["idx"] + 100) for row in json.loads((data / "pandalm_7b.json").read_text())]
    (tmp_path / "said.json").write_text(json.dumps(rows))
    with pytest.raises(JudgemergeError, match="said.json: 0 of 3 rows belong to an item; correct"):
        read_recorded("pandalm", {"verdicts": tmp_path / "said.json"}, items)


def test_rows_without_ids_belong_to_the_rows_of_the_benchmark(tmp_path):
    items = bench(tmp_path, 3)
    rows = [{"v": value} for value in ("first", "tie", "second")]
    recorded, _ = read(tmp_path, rows, items, fields={"verdict": "v"})
    assert [one.verdict.outcome for one in recorded] == ["first", "tie", "second"]
    with pytest.raises(JudgemergeError, match="4 verdicts for 3 items; without ids"):
        read(tmp_path, [*rows, rows[0]], items, fields={"verdict": "v"})


def test_both_orders_in_one_file_and_fields_of_a_benchmark(tmp_path):
    items = bench(tmp_path, 2)
    path = write(
        tmp_path / "said.jsonl",
        [{"id": "i0", "g": ["A", "C"], "s": [0.2, 0.1]}, {"id": "i1", "g": ["B", "A"], "s": [1, 1]}],
    )
    judge = {
        "label": "J",
        "format": "jsonl",
        "benchmarks": {
            "bench": {
                "original": {"file": str(path), "fields": {"verdict": "g.0"}},
                "swapped": {"file": str(path), "fields": {"verdict": "g.1"}, "labels": {"A": "second", "C": "tie"}},
            },
            "rewards": {"original": {"file": str(path), "fields": {"verdict": "s"}, "labels": {}}},
        },
        "options": {"fields": {"item": "id"}, "labels": {"A": "first", "B": "second"}, "positions": "benchmark"},
    }
    catalogue = tmp_path / "recorded.yaml"
    catalogue.write_text(json.dumps({"j": judge}))
    load_recorded(catalogue)
    paths = {"original": path, "swapped": path}
    recorded = read_recorded("jsonl", paths, items, options_for(judge, "bench", False))
    assert [one.verdict.outcome for one in recorded] == ["first", "tie", "second", "second"]
    recorded = read_recorded("jsonl", {"original": path}, items, options_for(judge, "rewards", False))
    assert [one.verdict.outcome for one in recorded] == ["first", "tie"]


def test_a_misspelt_field_of_a_verdict_is_named(tmp_path):
    items = bench(tmp_path, 2)
    rows = [{"id": item.id, "choice": "first"} for item in items]
    with pytest.raises(JudgemergeError, match="row 0: has no field 'choise', .* did you mean 'choice'"):
        read(tmp_path, rows, items, fields={"item": "id", "verdict": "choise"})


def test_what_nobody_understood_is_in_a_table_and_on_a_page(tmp_path, monkeypatch):
    counts = {
        "outcomes": {"first": 3, "unparsed": 1},
        "rows": {"original": 6},
        "values": {},
        "not_joined": {"original": 2},
        "unknown_ids": {"original": ["x<b>"]},
        "unmapped": {"original": {"A>>B": 1}},
    }
    monkeypatch.chdir(tmp_path)
    paths = [tmp_path / "results" / "mine" / "verdicts" / judge / "s.counts.jsonl" for judge in ("judge", "other")]
    for path in paths:
        path.parent.mkdir(parents=True)
    files.write_jsonl(paths[0], [{"benchmark": "bench", **counts}])
    failures.mark(paths[1:], "its file is of other items")
    pages = make("recorded", tmp_path, {"bench": "s"}, {"pairs": [("judge", "bench"), ("other", "bench")]})
    table = pages[0].read_text().splitlines()
    assert "judge,bench,original,unmapped,A>>B,1" in table
    assert "judge,bench,original,not_joined,,2" in table
    page = pages[1].read_text()
    assert "A&gt;&gt;B" in page and "other on bench (its file is of other items)" in page
    assert "x<b>" not in page
