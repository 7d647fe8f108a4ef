"""Loaders: every quirk of every source and every broken row, hand-made; the real counts with a mirror."""

import json

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Vote, read_items, write_items
from judgemerge.data.benchmarks import LOADERS, load_catalogue, load_items
from judgemerge.data.sources import load_sources

PAIRWISE = {"protocol": "pairwise", "sources": {"rows": "some_rows"}}
POINTWISE = {**PAIRWISE, "protocol": "pointwise"}
QUESTIONS = {"prompt": "turns", "id": "question_id", "category": "category"}
MTBENCH_ROLES = ("votes", "questions", "references", "answers_alpha", "answers_zeta")


def load(path, name="bench", options=None, protocol="pairwise", **spec):
    spec = {"loader": name, "options": options or {}, **PAIRWISE, "protocol": protocol, **spec}
    return load_items("bench", spec, {"rows": path})


def load_mtbench(data, drop=(), votes=None, **options):
    paths = {role: data / f"mtbench_{role}.jsonl" for role in MTBENCH_ROLES if role not in drop}
    paths |= {"votes": votes} if votes else {}
    spec = {"loader": "mtbench", "protocol": "pairwise", "sources": dict.fromkeys(paths, "key"), "options": options}
    items, counts = load_items("bench", spec, paths)
    return {item.id: item for item in items}, counts


def change(data, tmp_path, file, row, **fields):
    """Copy a file of rows with some fields of one row set, or deleted where the value is `...`."""
    text = (data / file).read_text(encoding="utf-8")
    rows = json.loads(text) if file.endswith(".json") else [json.loads(line) for line in text.splitlines()]
    rows[row] = {name: value for name, value in {**rows[row], **fields}.items() if value is not ...}
    lines = json.dumps(rows) if file.endswith(".json") else "\n".join(map(json.dumps, rows))
    (tmp_path / file).write_text(lines, encoding="utf-8")
    return tmp_path / file


# ---- PandaLM ----


def test_pandalm_truth_is_the_majority_of_three(data):
    items, counts = load(data / "pandalm.json", "pandalm")
    assert [item.truth for item in items] == ["first", "first", "second", "tie"]
    assert items[1].votes == (Vote("annotator1", "second"), Vote("annotator2", "first"), Vote("annotator3", "first"))
    assert (counts["votes"], counts["unanimous"]) == (12, 1)


def test_pandalm_booleans_become_text_and_are_named(data):
    items, counts = load(data / "pandalm.json", "pandalm")
    assert items[1].responses == (("True",), ("",))
    assert items[2].responses == (("Yes.",), ("False",))
    assert [item.extra.get("converted") for item in items] == [None, ["response1"], ["response2"], None]
    assert (counts["booleans_converted"], counts["empty_responses"]) == (2, 1)


def test_pandalm_keeps_duplicates_in_one_cluster(data):
    items, counts = load(data / "pandalm.json", "pandalm")
    assert (counts["rows"], counts["items"], counts["duplicates"], counts["clusters"]) == (4, 4, 1, 2)
    assert items[0].cluster == items[3].cluster
    assert items[1].cluster == items[2].cluster, "case and white space are folded"
    assert items[0].id != items[3].id


def test_pandalm_prompt_and_models(data):
    items, _ = load(data / "pandalm.json", "pandalm")
    assert items[0].turns == ("Name a colour.",)
    assert items[1].turns == ("Is the claim true?\n\nSnow is white.",)
    assert items[2].models == ("bloom-7b", "cerebras-gpt-6.7B")
    assert items[2].origin == {"source": "some_rows", "row": 2}


# ---- LLMBar, Auto-J ----


def test_llmbar_labels(data):
    items, counts = load(data / "llmbar.json", "llmbar")
    assert [item.truth for item in items] == ["first", "second", "first", "first"]
    assert items[1].responses == (("Three.",), ("One, two, three.",))
    assert counts["truth"] == {"first": 3, "second": 1, "tie": 0}


def test_llmbar_result_file_gives_the_same_items(data):
    assert load(data / "llmbar_swap.json", "llmbar")[0] == load(data / "llmbar.json", "llmbar")[0]


def test_autoj_labels_groups_and_clusters(data):
    items, counts = load(data / "autoj.jsonl", "autoj")
    assert [item.truth for item in items] == ["first", "second", "tie", "second"]
    assert [item.category for item in items] == [
        "General Communication",
        "Exam Questions",
        "General Communication",
        "NLP Tasks",
    ]
    assert items[0].extra == {"scenario": "chitchat"}
    assert items[0].cluster == items[2].cluster
    assert (counts["clusters"], counts["identical_responses"]) == (3, 1)


def test_autoj_training_rows_are_cut_out_of_the_request(data):
    items, counts = load(data / "autoj_single.jsonl", "autoj", protocol="pointwise")
    assert [item.truth for item in items] == [6.0, 2.5]
    assert items[0].turns == ("Name a\n***\ncolour.",)
    assert items[1].responses == (("Seven.\n***\nOr eight.",),)
    assert items[1].extra == {"scenario": "default"}
    assert counts["truth_values"] == 2


def test_autoj_training_row_of_another_form_is_named(data, tmp_path):
    path = change(data, tmp_path, "autoj_single.jsonl", 1, usrmsg="Grade this.")
    with pytest.raises(JudgemergeError, match="row 1: field 'usrmsg' has no \\[Query\\]"):
        load(path, "autoj", protocol="pointwise")


# ---- MT-Bench ----


def test_mtbench_votes_in_both_orders_meet_in_one_item(data):
    items, counts = load_mtbench(data)
    item = items["81-1-alpha-zeta"]
    assert item.models == ("alpha", "zeta")
    assert item.responses == (("A line by alpha.",), ("Zeta wrote this.",))
    assert item.votes == (Vote("expert_1", "second"), Vote("expert_2", "second"))
    assert item.truth == "second"
    assert item.origin["row"] == [0, 1, 2]
    assert counts["pairs"] == 5


def test_mtbench_authors_are_kept_apart(data):
    items, counts = load_mtbench(data)
    assert items["81-1-alpha-zeta"].extra["author_votes"] == [{"annotator": "author_1", "vote": "first"}]
    assert (counts["rows"], counts["expert_votes"], counts["author_votes"]) == (9, 7, 2)
    assert counts["pairs_without_expert_votes"] == 1
    assert "101-1-alpha-zeta" not in items


def test_mtbench_authors_can_count(data):
    items, counts = load_mtbench(data, voters="all")
    assert counts["items"] == 5
    assert items["101-1-alpha-zeta"].truth == "first"
    assert len(items["81-1-alpha-zeta"].votes) == 3
    assert items["81-1-alpha-zeta"].extra["author_votes"] == []


def test_mtbench_even_split_is_a_tie(data):
    items, _ = load_mtbench(data)
    assert [vote.vote for vote in items["81-2-alpha-zeta"].votes] == ["first", "second"]
    assert items["81-2-alpha-zeta"].truth == "tie"


def test_mtbench_turns(data):
    items, _ = load_mtbench(data)
    assert items["81-1-alpha-zeta"].turns == ("Write a line.",)
    item = items["81-2-alpha-zeta"]
    assert item.turns == ("Write a line.", "Now in capitals.")
    assert item.responses == (("A line by alpha.", "A LINE BY ALPHA."), ("Zeta wrote this.", "ZETA WROTE THIS."))
    assert item.cluster == items["81-1-alpha-zeta"].cluster
    assert item.extra["turn"] == 2


def test_mtbench_items_without_public_texts_are_kept_and_counted(data):
    items, counts = load_mtbench(data)
    item = items["81-1-alpha-hidden"]
    assert (item.responses, item.judgeable, item.truth) == ((), False, "tie")
    assert (counts["items"], counts["judgeable"], counts["not_public"]) == (4, 3, 1)
    assert counts["votes_with_texts"] == 8


def test_mtbench_repeated_votes_are_counted(data):
    items, counts = load_mtbench(data)
    assert counts["repeated_votes"] == 1
    assert len(items["101-2-alpha-zeta"].votes) == 2


def test_mtbench_references(data):
    items, counts = load_mtbench(data)
    assert items["101-2-alpha-zeta"].reference == "It is 4."
    assert items["101-2-alpha-zeta"].extra["reference_turns"] == ["It is 2.", "It is 4."]
    assert items["81-1-alpha-zeta"].reference is None
    assert counts["with_reference"] == 1
    assert load_mtbench(data, drop=("references",))[1]["with_reference"] == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"judge": "crowd_1"}, "row 0: field 'judge' is 'crowd_1', neither expert_"),
        ({"winner": "alpha"}, "row 0: field 'winner' is 'alpha', not one of model_a, model_b, tie"),
        ({"model_b": "zeta"}, "row 0: model_a and model_b are both 'zeta'"),
        ({"turn": 3}, "row 0: field 'turn' is 3, not one of 1, 2"),
        ({"question_id": 7}, "row 0: question 7 is not in .*mtbench_questions.jsonl"),
    ],
)
def test_mtbench_broken_votes(data, tmp_path, fields, message):
    votes = change(data, tmp_path, "mtbench_votes.jsonl", 0, **fields)
    with pytest.raises(JudgemergeError, match=f"mtbench_votes.jsonl: {message}"):
        load_mtbench(data, votes=votes)


def test_mtbench_unknown_voters(data):
    with pytest.raises(JudgemergeError, match="option voters is 'crowd', not expert or all"):
        load_mtbench(data, voters="crowd")


# ---- MELD ----


def test_meld_pairwise(data):
    items, counts = load(data / "meld_pairwise.json", "meld", {"form": "pairwise"})
    assert [item.truth for item in items] == ["first", "second", "tie"]
    assert items[1].reference == "4"
    assert items[1].extra == {"scenario": "default", "complexity": "Low Complexity"}
    assert counts["with_reference"] == 3


def test_meld_pointwise(data):
    items, counts = load(data / "meld_pointwise.json", "meld", {"form": "pointwise"}, "pointwise")
    assert [item.truth for item in items] == [9.0, 0.5, 7.0]
    assert items[0].responses == (("Hello!",),)
    assert (counts["truth_values"], counts["clusters"], counts["empty_responses"]) == (3, 2, 1)


def test_meld_feedback(data):
    items, _ = load(data / "meld_feedback.json", "meld", {"form": "feedback"}, "pointwise")
    assert [(item.id, item.truth) for item in items] == [("0-1", 1.0), ("0-5", 5.0), ("1-3", 3.0)]
    assert items[0].cluster == items[1].cluster
    assert items[0].reference == "Good morning."


def test_meld_judgebench_is_pairwise(data):
    items, _ = load(data / "meld_judgebench.json", "meld", {"form": "judgebench"})
    assert [(item.id, item.truth) for item in items] == [("k1", "first"), ("k2", "second")]
    assert items[1].responses == (("print(2)",), ("print(1)",))
    assert items[1].models == ("some-model", "some-model")
    assert items[1].extra == {"source": "livecodebench"}


def test_meld_length_bias(data):
    items, _ = load(data / "meld_length_bias.json", "meld", {"form": "length_bias"})
    assert [(item.truth, item.category) for item in items][:3] == [
        ("first", "long"),
        ("second", "short"),
        ("first", "short"),
    ]


def test_meld_unknown_form(data):
    with pytest.raises(JudgemergeError, match="unknown option form 'pairwaise'; did you mean 'pairwise'?"):
        load(data / "meld_pairwise.json", "meld", {"form": "pairwaise"})


# ---- data of one's own ----

OWN_FIELDS = {"prompt": "question", "responses": ["answer_a", "answer_b"], "votes": ["anna", "ben"]}
OWN_LABELS = {1: "first", 2: "second"}


def test_jsonl_pairs_from_votes(data):
    fields = {
        **OWN_FIELDS,
        "id": "key",
        "category": "topic",
        "cluster": "text",
        "reference": "solution",
        "extra": ["hard"],
    }
    items, counts = load(data / "own_pairs.jsonl", "jsonl", {"fields": fields, "labels": OWN_LABELS})
    assert [(item.id, item.truth) for item in items] == [("q1", "first"), ("q2", "tie")]
    assert items[0].votes == (Vote("anna", "first"), Vote("ben", "first"))
    assert items[1].turns == ("Say a number.", "Double it.")
    assert items[1].responses == (("2", "4"), ("3", "7"))
    assert (items[0].category, items[1].category, items[1].reference) == ("food", None, None)
    assert items[0].cluster == items[1].cluster
    assert items[0].extra == {"hard": True}
    assert counts["votes"] == 4


def test_jsonl_label_wins_over_votes(data):
    fields = {**OWN_FIELDS, "label": "hard"}
    labels = {"True": "second", "False": "tie", 1: "first", 2: "second"}
    items, _ = load(data / "own_pairs.jsonl", "jsonl", {"fields": fields, "labels": labels})
    assert [(item.id, item.truth) for item in items] == [("0", "second"), ("1", "tie")]


def test_jsonl_grades(data):
    fields = {"prompt": "question", "responses": ["answer"], "votes": ["anna", "ben"]}
    options = {"fields": fields, "labels": {"good": 5, "poor": 1}}
    items, _ = load(data / "own_grades.jsonl", "jsonl", options, "pointwise")
    assert [item.truth for item in items] == [3.0, 1.0]
    options["fields"] = {**fields, "label": "grade"}
    items, _ = load(data / "own_grades.jsonl", "jsonl", options, "pointwise")
    assert [item.truth for item in items] == [5.0, 1.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "benchmark 'bench': options has no fields"),
        ({"fields": {"prompt": "question", "votes": ["anna"]}}, "options.fields has no responses"),
        ({"fields": {**OWN_FIELDS, "promt": "x"}}, "options.fields has the unknown key 'promt'"),
        ({"fields": {**OWN_FIELDS, "votes": 3}}, "options.fields: votes is 3, not str or list"),
        ({"fields": {"prompt": "question", "responses": []}}, "names neither label nor votes"),
        ({"fields": OWN_FIELDS, "labels": {1: "A"}}, "options.labels maps to 'A', not to first, second, tie"),
        ({"fields": OWN_FIELDS, "labels": {1: "first"}}, "row 1: field 'ben' is 2.*no pairwise label; .* knows 1"),
        (
            {"fields": {**OWN_FIELDS, "prompt": "q"}, "labels": OWN_LABELS},
            "row 0: has no field 'q'; it has key, question",
        ),
        (
            {"fields": {**OWN_FIELDS, "prompt": "anna"}, "labels": OWN_LABELS},
            "row 0: field 'anna' is 1, not text or a list",
        ),
        (
            {"fields": {**OWN_FIELDS, "responses": ["answer_a"]}, "labels": OWN_LABELS},
            "options.fields.responses names 1, but a pairwise item has 2",
        ),
    ],
)
def test_jsonl_mistakes_are_named(data, options, message):
    with pytest.raises(JudgemergeError, match=message):
        load(data / "own_pairs.jsonl", "jsonl", options)


def test_jsonl_prompts_alone(data):
    items, counts = load(data / "mtbench_questions.jsonl", "jsonl", {"fields": QUESTIONS}, protocol="prompts")
    assert [item.id for item in items] == ["81", "101"]
    assert items[0].turns == ("Write a line.", "Now in capitals.")
    assert (items[0].truth, items[0].responses, items[0].judgeable) == (None, (), False)
    assert (counts["items"], counts["judgeable"]) == (2, 0)
    assert "truth" not in counts and "truth_values" not in counts


def test_jsonl_prompts_have_no_label(data):
    options = {"fields": {**QUESTIONS, "label": "category"}}
    with pytest.raises(JudgemergeError, match="options.fields has the unknown key 'label'"):
        load(data / "mtbench_questions.jsonl", "jsonl", options, protocol="prompts")


# ---- broken rows, counts, catalogue ----


@pytest.mark.parametrize(
    ("file", "name", "form", "fields", "message"),
    [
        ("pandalm.json", "pandalm", None, {"annotator2": 3}, "field 'annotator2' is 3, not one of 0, 1, 2"),
        ("pandalm.json", "pandalm", None, {"annotator2": True}, "field 'annotator2' is true, not a whole number"),
        ("pandalm.json", "pandalm", None, {"response1": None}, "field 'response1' is null, not text or bool"),
        ("pandalm.json", "pandalm", None, {"cmp_key": "opt-7b"}, "field 'cmp_key' is 'opt-7b', not two model names"),
        ("pandalm.json", "pandalm", None, {"input": ...}, "has no field 'input'; it has idx, motivation_app"),
        ("llmbar.json", "llmbar", None, {"label": 0}, "field 'label' is 0, not one of 1, 2"),
        ("llmbar.json", "llmbar", None, {"label": "1"}, "field 'label' is \"1\", not a whole number"),
        ("autoj.jsonl", "autoj", None, {"label": 3}, "field 'label' is 3, not one of 0, 1, 2"),
        ("autoj.jsonl", "autoj", None, {"scenario": "knitting"}, "field 'scenario' is 'knitting', not one of"),
        ("autoj.jsonl", "autoj", None, {"response 2": ...}, "has no field 'response 2'"),
        ("meld_pairwise.json", "meld", "pairwise", {"label": "C"}, "field 'label' is 'C', not one of A, B, Tie"),
        ("meld_length_bias.json", "meld", "length_bias", {"label": "Tie"}, "field 'label' is 'Tie', not one of A, B"),
        ("meld_judgebench.json", "meld", "judgebench", {"label": "A=B"}, "field 'label' is 'A=B', not one of A>B, B>A"),
        ("meld_judgebench.json", "meld", "judgebench", {"question": 1}, "field 'question' is 1, not text"),
    ],
)
def test_a_broken_row_is_named(data, tmp_path, file, name, form, fields, message):
    path = change(data, tmp_path, file, 1, **fields)
    with pytest.raises(JudgemergeError, match=f"{path}: row 1: {message}"):
        load(path, name, {"form": form})


def test_a_broken_score_is_named(data, tmp_path):
    path = change(data, tmp_path, "meld_pointwise.json", 2, label="7")
    with pytest.raises(JudgemergeError, match="row 2: field 'label' is \"7\", not a number"):
        load(path, "meld", {"form": "pointwise"}, "pointwise")
    path = change(data, tmp_path, "meld_feedback.json", 2, gpt4_score=6)
    with pytest.raises(JudgemergeError, match="row 2: field 'gpt4_score' is 6, not one of 1, 2, 3, 4, 5"):
        load(path, "meld", {"form": "feedback"}, "pointwise")


def test_a_file_of_another_kind_is_named(data, tmp_path):
    path = tmp_path / "rows"
    path.write_text('["text"]')
    with pytest.raises(JudgemergeError, match="rows: row 0 is str, not an object"):
        load(path, "llmbar")
    path.write_text('{"input": 1}\n{"input"\n')
    with pytest.raises(JudgemergeError, match="rows: (line 2|row 0)"):
        load(path, "llmbar")


def test_items_of_another_protocol_are_refused(data):
    message = "loader 'llmbar' gives pairwise items of 'bench', but the entry is pointwise; correct one of them"
    with pytest.raises(JudgemergeError, match=message):
        load(data / "llmbar.json", "llmbar", protocol="pointwise")


def test_an_item_of_a_benchmark_that_nobody_judged_is_refused(data, monkeypatch):
    unjudged = Item("7", "bench", "pairwise", ("q",), (), None, "c", {"source": "s", "row": 3})
    monkeypatch.setattr("judgemerge.data.benchmarks.llmbar.load", lambda paths, spec, counts: [unjudged])
    with pytest.raises(JudgemergeError, match="item 7: truth is None, .*; correct or leave out row 3 of 's'"):
        load(data / "llmbar.json", "llmbar")


def test_a_loader_without_load_is_named(monkeypatch):
    monkeypatch.delattr("judgemerge.data.benchmarks.llmbar.load")
    with pytest.raises(JudgemergeError, match=r"llmbar.py: there is no function load\(paths, spec, counts\)"):
        LOADERS.load("llmbar")


def test_a_wrong_truth_names_benchmark_and_item(data):
    with pytest.raises(JudgemergeError, match="benchmark 'b', item 7: truth is None, not one of first, second, tie"):
        Item("7", "b", "pairwise", ("q",), (), None, "c", {}).require_truth()
    with pytest.raises(JudgemergeError, match="benchmark 'b', item 7: truth is 'left', not one of first, second, tie"):
        Item("7", "b", "pairwise", ("q",), (), "left", "c", {})
    with pytest.raises(JudgemergeError, match="benchmark 'b', item 7: truth is 'first', but a prompt alone has none"):
        Item("7", "b", "prompts", ("q",), (), "first", "c", {})


def test_a_repeated_id_is_named(data, tmp_path):
    path = change(data, tmp_path, "pandalm.json", 3, idx=0)
    with pytest.raises(JudgemergeError, match="benchmark 'bench': id '0' occurs twice"):
        load(path, "pandalm")


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"rows": 5}, "has rows 4, but the catalogue expects 5; fetch the file again"),
        ({"items": 4, "truth": {"first": 1, "second": 1, "tie": 2}}, "has truth {'first': 3, .* expects {'first': 1"),
        ({"pairs": 7}, "has pairs 0, but the catalogue expects 7"),
    ],
)
def test_a_differing_count_stops(data, expected, message):
    with pytest.raises(JudgemergeError, match=f"llmbar.json: benchmark 'bench' {message}"):
        load(data / "llmbar.json", "llmbar", expected=expected)


def test_a_missing_role_is_named():
    with pytest.raises(JudgemergeError, match="benchmark 'bench': no file given for rows"):
        load_items("bench", {"loader": "llmbar", **PAIRWISE}, {})


def test_items_survive_the_file(data, tmp_path):
    items = [
        *load_mtbench(data)[0].values(),
        *load(data / "meld_pointwise.json", "meld", {"form": "pointwise"}, "pointwise")[0],
    ]
    write_items(tmp_path / "items.jsonl", items)
    assert read_items(tmp_path / "items.jsonl") == items


def test_every_loader_states_its_truth_rule():
    assert {"pandalm", "llmbar", "autoj", "mtbench", "meld", "jsonl"} <= set(LOADERS.names)
    for name in LOADERS.names:
        assert callable(LOADERS.load(name).load)
        assert LOADERS.load(name).__doc__


def test_unknown_loader():
    with pytest.raises(JudgemergeError, match="unknown loader 'pandalmm'; did you mean 'pandalm'?"):
        LOADERS.load("pandalmm")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("protocol: pairwise", "protocol: listwise"),
        ("loader: llmbar", "loader: llbar"),
        ("truth: x", "trut: x"),
    ],
)
def test_catalogue_mistakes_are_named(tmp_path, change, message):
    text = "bench: {loader: llmbar, protocol: pairwise, description: x, truth: x, sources: {rows: key}}\n"
    path = tmp_path / "benchmarks.yaml"
    path.write_text(text)
    assert load_catalogue(path)["bench"]["sources"] == {"rows": "key"}
    path.write_text(text.replace(change, message))
    sentences = {
        "protocol: listwise": "protocol is 'listwise', not pairwise, pointwise or prompts",
        "loader: llbar": "unknown loader 'llbar'; did you mean 'llmbar'?",
        "trut: x": "has the unknown key 'trut'",
    }
    with pytest.raises(JudgemergeError, match=f"benchmarks.yaml: benchmark 'bench'.*{sentences[message]}"):
        load_catalogue(path)


def test_the_old_name_of_the_key_loader_is_taken_and_said(tmp_path, capsys):
    path = tmp_path / "benchmarks.yaml"
    text = "bench: {adapter: llmbar, protocol: pairwise, description: x, truth: x, sources: {rows: key}}\n"
    path.write_text(text)
    spec = load_catalogue(path)["bench"]
    assert (spec["loader"], "adapter" in spec) == ("llmbar", False)
    sentence = f"{path}: benchmark 'bench': the key 'adapter' is called 'loader' now; rename it\n"
    assert capsys.readouterr().err == sentence
    path.write_text(text.replace("adapter: llmbar", "adapter: llmbar, loader: llmbar"))
    with pytest.raises(JudgemergeError, match="benchmark 'bench' has the unknown key 'adapter'"):
        load_catalogue(path)


def test_catalogue_sources_exist(repository):
    sources = load_sources(repository / "config" / "sources.yaml")
    for name, spec in load_catalogue(repository / "config" / "benchmarks.yaml").items():
        assert set(spec["sources"].values()) <= sources.keys(), name


# ---- the real files ----

REAL = {
    "pandalm": {
        "items": 999,
        "truth": {"first": 422, "second": 472, "tie": 105},
        "empty_responses": 54,
        "unanimous": 879,
    },
    "llmbar_natural": {"items": 100, "truth": {"first": 42, "second": 58, "tie": 0}},
    "llmbar_neighbor": {"items": 134, "truth": {"first": 75, "second": 59, "tie": 0}},
    "llmbar_gptinst": {"items": 92, "truth": {"first": 45, "second": 47, "tie": 0}},
    "llmbar_gptout": {"items": 47, "truth": {"first": 22, "second": 25, "tie": 0}},
    "llmbar_manual": {"items": 46, "truth": {"first": 22, "second": 24, "tie": 0}},
    "autoj_pairwise": {"items": 1392, "truth": {"first": 520, "second": 499, "tie": 373}, "empty_responses": 1},
    "mtbench_human": {"rows": 3355, "expert_votes": 2668, "votes_with_texts": 2249, "items": 1633, "judgeable": 1084},
    "mtbench_all_votes": {"votes_on_items": 3355, "items": 1814, "judgeable": 1229},
    "autoj_single_train": {"items": 960, "clusters": 821, "truth_values": 11},
    "mtbench_questions": {"items": 80, "clusters": 80},
    "vicuna_questions": {"items": 80, "clusters": 80},
    "meld_length_bias": {"items": 206},
    "trust_or_escalate": {"items": 500, "clusters": 494, "truth": {"first": 241, "second": 259, "tie": 0}},
    "meld_pairwise": {"items": 960, "truth": {"first": 478, "second": 428, "tie": 54}},
    "meld_pointwise": {"items": 960, "truth_values": 13},
    "feedback_bench": {"items": 1000, "clusters": 200},
    "judgebench_gpt4o": {"items": 350, "truth": {"first": 193, "second": 157, "tie": 0}},
}


@pytest.mark.parametrize("name", REAL)
def test_real_counts(repository, mirror, name):
    sources = load_sources(repository / "config" / "sources.yaml")
    spec = load_catalogue(repository / "config" / "benchmarks.yaml")[name]
    paths = {role: mirror / sources[key].mirror_path for role, key in spec["sources"].items()}
    items, counts = load_items(name, spec, paths)
    assert {key: counts[key] for key in REAL[name]} == REAL[name]
    assert all(item.benchmark == name and item.protocol == spec["protocol"] for item in items)


def test_real_pandalm_booleans(repository, mirror):
    sources = load_sources(repository / "config" / "sources.yaml")
    spec = load_catalogue(repository / "config" / "benchmarks.yaml")["pandalm"]
    items, _ = load_items("pandalm", spec, {"rows": mirror / sources["pandalm_testset"].mirror_path})
    converted = {int(item.id): item.extra["converted"] for item in items if "converted" in item.extra}
    assert converted == {
        **dict.fromkeys((157, 158, 159, 164), ["response1"]),
        **dict.fromkeys((161, 162), ["response2"]),
    }


def test_real_autoj_groups(repository, mirror):
    sources = load_sources(repository / "config" / "sources.yaml")
    spec = load_catalogue(repository / "config" / "benchmarks.yaml")["autoj_pairwise"]
    items, _ = load_items("autoj_pairwise", spec, {"rows": mirror / sources["autoj_testset"].mirror_path})
    sizes = {group: sum(item.category == group for item in items) for group in {item.category for item in items}}
    assert sizes == {
        "Summarization": 72,
        "Exam Questions": 72,
        "Code": 120,
        "Rewriting": 120,
        "Creative Writing": 216,
        "Functional Writing": 240,
        "General Communication": 288,
        "NLP Tasks": 264,
    }
