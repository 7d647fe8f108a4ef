"""Recorded verdicts: every format on hand-made rows, every mismatch, and the published numbers with a mirror."""

import itertools
import json
from pathlib import Path
from random import Random

import pytest
from mutations import changed

from judgemerge.core.errors import JudgemergeError
from judgemerge.data.benchmarks import load_catalogue, load_items
from judgemerge.data.sources import load_sources
from judgemerge.judge.recorded import count_recorded, load_recorded, read_recorded
from judgemerge.judge.recorded_formats import Recorded, names, recorded_format

MTBENCH_ROLES = ("votes", "questions", "references", "answers_alpha", "answers_zeta")


def items_of(adapter, path, **options):
    spec = {"loader": adapter, "protocol": "pairwise", "sources": {"rows": "key"}, "options": options}
    return load_items("bench", spec, {"rows": path})[0]


def mtbench_items(data, voters="all"):
    paths = {role: data / f"mtbench_{role}.jsonl" for role in MTBENCH_ROLES}
    spec = {"loader": "mtbench", "protocol": "pairwise", "sources": paths, "options": {"voters": voters}}
    return load_items("bench", spec, paths)[0]


def outcomes(recorded: list[Recorded]) -> dict:
    """Return outcome, or reason of an error, by item and order."""
    return {(one.verdict.item, one.verdict.order): one.verdict.reason or one.verdict.outcome for one in recorded}


def by_order(recorded: list[Recorded], order: str) -> list[str]:
    return [outcome for (_, at), outcome in outcomes(recorded).items() if at == order]


def rewrite(path: Path, target: Path, change) -> Path:
    """Copy JSON lines or a JSON list with `change` applied to the list of rows."""
    text = path.read_text(encoding="utf-8")
    rows = json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]
    changed = change(rows)
    target.write_text(json.dumps(changed if isinstance(changed, list) else rows), encoding="utf-8")
    return target


# ---- any file with named fields ----

FIELDS = {"item": "id", "verdict": "said", "reply": "text"}
LABELS = {"A": "first", "B": "second", 0: "tie"}


def jsonl(data, tmp_path, rows, swapped=None, protocol="pairwise", **options):
    """Read rows (item, verdict, reply) of one or both orders on the four LLMBar pairs, or on two grades."""
    paths = {}
    for role, given in (("original", rows), ("swapped", swapped)):
        if given is not None:
            paths[role] = tmp_path / f"{role}.jsonl"
            lines = (json.dumps(dict(zip(("id", "said", "text"), row, strict=False))) for row in given)
            paths[role].write_text("\n".join(lines), encoding="utf-8")
    items = items_of("llmbar", data / "llmbar.json")
    if protocol == "pointwise":
        fields = {"prompt": "question", "responses": ["answer"], "label": "grade"}
        spec = {"loader": "jsonl", "protocol": protocol, "sources": {"rows": "key"}}
        spec["options"] = {"fields": fields, "labels": {"good": 3, "poor": 1}}
        items = load_items("grades", spec, {"rows": data / "own_grades.jsonl"})[0]
    return list(read_recorded("jsonl", paths, items, {"fields": FIELDS, **options}))


def test_jsonl_labels_and_what_nobody_can_read(data, tmp_path):
    rows = [(0, "A", "It is A."), ("1", 0, None), (2, "C", ""), (3, None, "?")]
    recorded = jsonl(data, tmp_path, rows, labels=LABELS)
    assert by_order(recorded, "original") == ["first", "tie", "unparsed", "unparsed"]
    assert [one.reply for one in recorded] == ["It is A.", None, "", "?"]


def test_jsonl_without_labels_takes_our_words(data, tmp_path):
    rows = [(0, "first", ""), (1, "second", ""), (2, "tie", ""), (3, "A", "")]
    assert by_order(jsonl(data, tmp_path, rows), "original") == ["first", "second", "tie", "unparsed"]


@pytest.mark.parametrize(("positions", "expected"), [("shown", "second"), ("benchmark", "first")])
def test_jsonl_positions_of_the_swapped_file(data, tmp_path, positions, expected):
    rows = [(0, "A", "")]
    recorded = jsonl(data, tmp_path, rows, rows, labels=LABELS, positions=positions)
    assert by_order(recorded, "original")[0] == "first"
    assert by_order(recorded, "swapped") == [expected, *["not_recorded"] * 3]


def test_jsonl_scores(data, tmp_path):
    fields = {"item": "id", "score": "said"}
    recorded = jsonl(data, tmp_path, [(0, 3), (1, "high")], protocol="pointwise", fields=fields)
    assert [(one.verdict.outcome, one.verdict.score) for one in recorded] == [("score", 3.0), ("error", None)]
    assert recorded[1].verdict.reason == "unparsed"


def test_jsonl_of_other_items_is_refused(data, tmp_path):
    with pytest.raises(JudgemergeError, match=r"original.jsonl: none of its ids \(q1, q2 …\) is an item; .* 0, 1, 2 …"):
        jsonl(data, tmp_path, [("q1", "A", ""), ("q2", "A", "")])
    with pytest.raises(JudgemergeError, match="options.fields names a verdict, but grades is pointwise; name .* score"):
        jsonl(data, tmp_path, [(0, 3, "")], protocol="pointwise")
    with pytest.raises(JudgemergeError, match="a second verdict on 0, after row 0"):
        jsonl(data, tmp_path, [(0, "A", ""), ("0", "B", "")])


def likely(data, tmp_path, rows, swapped=None, **options):
    return [one.verdict.probabilities for one in jsonl(data, tmp_path, rows, swapped, labels=LABELS, **options)]


def test_jsonl_probability_of_the_verdict_itself(data, tmp_path):
    rows = [(0, "A", 0.8), (1, "B", "0.75"), (2, "A", None), (3, "?", 0.9)]
    fields = {"item": "id", "verdict": "said", "probability": "text"}
    assert likely(data, tmp_path, rows, fields=fields) == [{"first": 0.8}, {"second": 0.75}, None, None]
    swapped = likely(data, tmp_path, rows, rows, fields=fields, positions="shown")[1::2]
    assert swapped == [{"second": 0.8}, {"first": 0.75}, None, None]


def test_jsonl_probabilities_of_all_verdicts(data, tmp_path):
    fields = {"item": "id", "verdict": "said", "probability": {"first": "said.0", "second": "said.1"}}
    rows = [(0, [0.8, 0.2]), (1, [0.25, 0.7]), (2, [0.5, 0.5]), (3, None)]
    both = likely(data, tmp_path, rows, rows, fields=fields, positions="shown")
    assert both[::2] == [
        {"first": 0.8, "second": 0.2},
        {"first": 0.25, "second": 0.7},
        dict.fromkeys(both[4], 0.5),
        None,
    ]
    assert both[1:4:2] == [{"second": 0.8, "first": 0.2}, {"second": 0.25, "first": 0.7}]


def test_jsonl_probabilities_of_grades(data, tmp_path):
    fields = {"item": "id", "score": "said", "probability": {1: "text.0", 2.5: "text.1", 3: "text.2"}}
    recorded = jsonl(data, tmp_path, [(0, 3, [0.1, 0.2, 0.7]), (1, 1, None)], protocol="pointwise", fields=fields)
    assert [one.verdict.probabilities for one in recorded] == [{"1": 0.1, "2.5": 0.2, "3": 0.7}, None]
    assert recorded[0].verdict.confidence == 0.7


@pytest.mark.parametrize("value", [80, "80 %", -0.2, True, [0.8], {"A": 0.8}])
def test_jsonl_refuses_what_is_no_probability(data, tmp_path, value):
    fields = {"item": "id", "verdict": "said", "probability": "text"}
    with pytest.raises(JudgemergeError, match=r"row 0.*field 'text' is .*, which is no probability; give shares of 1"):
        likely(data, tmp_path, [(0, "A", value)], fields=fields)


def test_jsonl_refuses_probabilities_beyond_one_and_unknown_fields(data, tmp_path):
    fields = {"item": "id", "verdict": "said", "probability": {"first": "text.0", "second": "text.1"}}
    with pytest.raises(JudgemergeError, match=r"the probabilities in text.0, text.1 sum to 1.3, not 1"):
        likely(data, tmp_path, [(0, "A", [0.8, 0.5])], fields=fields)
    with pytest.raises(JudgemergeError, match="has no field 'sure', and neither has any other row"):
        likely(data, tmp_path, [(0, "A", 0.5)], fields={**fields, "probability": "sure"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "options has no fields"),
        ({"fields": {**FIELDS, "probability": 3}}, "options.fields: probability is 3, not str or dict"),
        (
            {"fields": {**FIELDS, "probability": {"A": "p"}}},
            "options.fields.probability has the key 'A', not first, second, tie",
        ),
        (
            {"fields": {"item": "id", "score": "s", "probability": {"good": "p"}}},
            "options.fields.probability has the key 'good', not a grade",
        ),
        (
            {"fields": {**FIELDS, "probability": {"first": 1}}},
            "options.fields.probability: the field of first is 1; give its name",
        ),
        ({"fields": {"item": "id"}}, "options.fields needs either verdict .* or score"),
        ({"fields": {"item": "id", "verdict": "v", "score": "s"}}, "options.fields needs either verdict .* or score"),
        ({"fields": {"verdict": "v"}, "rows": {"where": {"x": 1}}}, "options.fields has no item, and .* row number"),
        ({"fields": {**FIELDS, "verdict": ["a"]}}, "options.fields.verdict: two scores are two fields"),
        ({"fields": FIELDS, "minimum_share": 2}, "minimum_share is 2, not a number from 0 to 1"),
        ({"fields": FIELDS, "labels": {"A": "A"}}, "options.labels maps to 'A', not to first, second, tie"),
        ({"fields": FIELDS, "label": {}}, "options has the unknown key 'label'"),
        ({"fields": FIELDS}, "options.positions is 'None'; say `shown` when"),
        ({"fields": FIELDS, "positions": "swapped"}, "options.positions is 'swapped'; say `shown` when"),
    ],
)
def test_jsonl_options_that_cannot_be_right(tmp_path, options, message):
    roles = {"original": "a.jsonl", "swapped": "b.jsonl"}
    entry = {"label": "Mine", "format": "jsonl", "benchmarks": {"bench": roles}, "options": options}
    path = tmp_path / "recorded.yaml"
    path.write_text(json.dumps({"mine": entry}), encoding="utf-8")
    with pytest.raises(JudgemergeError, match=f"recorded judge 'mine': {message}"):
        load_recorded(path)


# ---- LLMBar ----


def llmbar(data, strategy, **options):
    items = items_of("llmbar", data / "llmbar.json")
    return list(read_recorded("llmbar", {"result": data / f"llmbar_{strategy}.json"}, items, options))


def test_llmbar_winners_are_already_in_our_order(data):
    recorded = llmbar(data, "cot")
    assert by_order(recorded, "original") == ["first", "second", "unparsed", "first"]
    assert by_order(recorded, "swapped") == ["first", "first", "second", "unparsed"]
    assert [one.verdict.item for one in recorded] == ["0", "0", "1", "1", "2", "2", "3", "3"]
    assert recorded[0].reply == "Output (a) is better."
    assert recorded[1].reply == "Output (b) is better."
    assert recorded[7].reply == ""


def test_llmbar_auxiliary_texts_are_skipped(data):
    recorded = llmbar(data, "metrics_reference")
    assert by_order(recorded, "original") == ["first"] * 4
    assert by_order(recorded, "swapped") == ["second"] * 4


def test_llmbar_swap_takes_the_last_round(data):
    recorded = llmbar(data, "swap")
    assert by_order(recorded, "original") == ["first", "second", "first", "first"]
    assert by_order(recorded, "swapped") == ["first", "second", "unparsed", "first"]
    assert recorded[2].reply == "Second round: (b)"


def test_llmbar_rating_scores_decide(data):
    recorded = llmbar(data, "rating")
    assert by_order(recorded, "original") == ["first", "second", "tie", "unparsed"]
    assert by_order(recorded, "swapped") == ["first", "second", "tie", "unparsed"]
    assert recorded[0].reply == "9\n2"


def test_llmbar_winners_are_kept_beside_the_verdict_of_the_scores(data):
    verdicts = [entry.verdict for entry in llmbar(data, "rating")]
    assert [verdict.published for verdict in verdicts] == [None] * 4 + ["second", "first", "first", "second"]


def test_llmbar_rating_can_keep_the_winners(data):
    recorded = llmbar(data, "rating", rating="winners")
    assert by_order(recorded, "original") == ["first", "second", "second", "first"]
    assert by_order(recorded, "swapped") == ["first", "second", "first", "second"]
    with pytest.raises(JudgemergeError, match="option rating is 'score', not scores or winners"):
        llmbar(data, "rating", rating="score")


def test_llmbar_missing_row(data, tmp_path):
    items = items_of("llmbar", data / "llmbar.json")
    path = rewrite(data / "llmbar_cot.json", tmp_path / "result.json", lambda rows: rows[:3])
    recorded = list(read_recorded("llmbar", {"result": path}, items))
    assert [one.verdict.reason for one in recorded[6:]] == ["not_recorded", "not_recorded"]
    assert recorded[6].reply is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda rows: rows.reverse(),
            "row 0: field 'input' starts with 'Name a fish.', but item 0 of bench has 'Say hello",
        ),
        (lambda rows: rows[1].update(output_2="x"), "row 1: field 'output_2' starts with 'x', but item 1"),
        (lambda rows: rows[1].update(results=[]), "row 1: field 'results' does not end with an object"),
        (lambda rows: rows[1]["results"][0].pop("swap = True"), "row 1: has no field 'swap = True'"),
        (lambda rows: rows[1]["results"][0]["swap = True"].update(completion=[]), "row 1: has no field 'completion.0'"),
        (
            lambda rows: rows[1]["results"][0]["swap = True"].update(winner="3"),
            "row 1: field 'winner' is '3', not one of",
        ),
    ],
)
def test_llmbar_mismatch_is_named(data, tmp_path, change, message):
    items = items_of("llmbar", data / "llmbar.json")
    path = rewrite(data / "llmbar_cot.json", tmp_path / "result.json", change)
    with pytest.raises(JudgemergeError, match=f"result.json: {message}"):
        list(read_recorded("llmbar", {"result": path}, items))


# ---- Auto-J, PandaLM ----


def test_autoj_exchange_file_is_swapped_back(data):
    items = items_of("autoj", data / "autoj.jsonl")
    paths = {"original": data / "autoj_original.jsonl", "swapped": data / "autoj_exchange.jsonl"}
    recorded = list(read_recorded("autoj", paths, items))
    assert by_order(recorded, "original") == ["first", "second", "tie", "unparsed"]
    assert by_order(recorded, "swapped") == ["first", "first", "tie", "not_recorded"]
    assert all(one.reply is None for one in recorded)


def test_autoj_without_exchange_file_has_one_order(data):
    items = items_of("autoj", data / "autoj.jsonl")
    recorded = list(read_recorded("autoj", {"original": data / "autoj_original.jsonl"}, items))
    assert [one.verdict.order for one in recorded] == ["original"] * 4


def test_autoj_verdicts_cannot_be_matched_to_fewer_items(data):
    items = items_of("autoj", data / "autoj.jsonl")
    with pytest.raises(JudgemergeError, match="autoj_original.jsonl: 4 verdicts for 3 items"):
        list(read_recorded("autoj", {"original": data / "autoj_original.jsonl"}, items[1:]))


def test_pandalm_is_joined_by_idx(data):
    items = items_of("pandalm", data / "pandalm.json")
    recorded = list(read_recorded("pandalm", {"verdicts": data / "pandalm_7b.json"}, items))
    assert by_order(recorded, "original") == ["first", "second", "not_recorded", "tie"]
    assert recorded[0].reply == "Reason 0."
    assert recorded[0].extra == {"reference": "Answer 0."}


def test_pandalm_garbage_is_an_error_and_no_tie(data):
    items = items_of("pandalm", data / "pandalm.json")
    recorded = list(read_recorded("pandalm", {"verdicts": data / "pandalm_gpt35.json"}, items))
    assert by_order(recorded, "original") == ["first", "second", "tie", "unparsed"]
    assert recorded[3].verdict.outcome == "error"
    assert recorded[3].reply is None


def test_a_second_verdict_is_refused(data, tmp_path):
    items = items_of("pandalm", data / "pandalm.json")
    path = rewrite(data / "pandalm_7b.json", tmp_path / "rows.json", lambda rows: [*rows, rows[0]])
    with pytest.raises(JudgemergeError, match="rows.json: row 3: a second verdict on 3, after row 0"):
        list(read_recorded("pandalm", {"verdicts": path}, items))


# ---- MT-Bench ----


def test_mtbench_snapshot(data):
    recorded = list(
        read_recorded("mtbench_snapshot", {"verdicts": data / "mtbench_gpt4_pair.jsonl"}, mtbench_items(data))
    )
    assert outcomes(recorded) == {
        ("81-1-alpha-hidden", "original"): "tie",
        ("81-1-alpha-zeta", "original"): "second",
        ("81-2-alpha-zeta", "original"): "tie",
        ("101-1-alpha-zeta", "original"): "not_recorded",
        ("101-2-alpha-zeta", "original"): "not_recorded",
    }
    assert {one.verdict.item: one.extra["inconsistent"] for one in recorded if one.extra} == {
        "81-1-alpha-hidden": False,
        "81-1-alpha-zeta": False,
        "81-2-alpha-zeta": True,
    }


def test_fastchat_pairs_follow_the_models(data):
    recorded = list(
        read_recorded("fastchat_pairs", {"verdicts": data / "fastchat_gpt4_pair.jsonl"}, mtbench_items(data))
    )
    found = outcomes(recorded)
    # Row 0 has zeta as model_1, so its game 2 shows alpha first, which is our original order.
    assert found[("81-1-alpha-zeta", "original")] == "first"
    assert found[("81-1-alpha-zeta", "swapped")] == "second"
    assert found[("81-2-alpha-zeta", "original")] == "tie"
    assert found[("81-2-alpha-zeta", "swapped")] == "unparsed"
    assert found[("101-2-alpha-zeta", "swapped")] == "not_recorded"
    assert found[("81-1-alpha-hidden", "original")] == "not_recorded"
    replies = {(one.verdict.item, one.verdict.order): one.reply for one in recorded}
    assert replies[("81-1-alpha-zeta", "original")] == "Alpha. [[A]]"
    assert replies[("81-2-alpha-zeta", "swapped")] == "$ERROR$"


def test_fastchat_prompts_must_show_the_answers_in_that_order(data, tmp_path):
    def exchange(rows):
        rows[0]["g1_user_prompt"], rows[0]["g2_user_prompt"] = rows[0]["g2_user_prompt"], rows[0]["g1_user_prompt"]

    path = rewrite(data / "fastchat_gpt4_pair.jsonl", tmp_path / "rows.jsonl", exchange)
    with pytest.raises(
        JudgemergeError, match="row 0: field 'g2_user_prompt' lacks .* 81-1-alpha-zeta .* original order"
    ):
        list(read_recorded("fastchat_pairs", {"verdicts": path}, mtbench_items(data)))


# ---- MELD ----


def test_meld_autoj_takes_the_last_decision(data):
    items = items_of("meld", data / "meld_length_bias.json", form="length_bias")
    recorded = list(read_recorded("meld_autoj", {"verdicts": data / "meld_length_bias.json"}, items))
    assert by_order(recorded, "original") == ["first", "tie", "second", "unparsed"]
    assert recorded[3].reply.endswith("and then it stops")


def test_meld_autoj_texts_must_agree(data, tmp_path):
    items = items_of("meld", data / "meld_length_bias.json", form="length_bias")
    path = rewrite(data / "meld_length_bias.json", tmp_path / "rows.json", lambda rows: rows[2].update(question="Who?"))
    with pytest.raises(JudgemergeError, match="row 2: field 'question' starts with 'Who.', but item 2"):
        list(read_recorded("meld_autoj", {"verdicts": path}, items))


# ---- what the files hold ----


def test_counts_hold_outcomes_rows_and_raw_verdicts(data):
    paths = {"verdicts": data / "mtbench_gpt4_pair.jsonl"}
    counts = count_recorded("mtbench_snapshot", paths, read_recorded("mtbench_snapshot", paths, mtbench_items(data)))
    assert counts["outcomes"] == {"tie": 2, "second": 1, "not_recorded": 2}
    assert counts["rows"]["verdicts"] == sum(counts["values"]["verdicts"].values())
    assert counts["values"]["verdicts"]["tie (inconsistent)"] == 1
    paths = {"verdicts": data / "pandalm_gpt35.json"}
    counts = count_recorded("pandalm", paths, [])
    assert counts["values"]["verdicts"]["garbage"] == 1


def test_formats_without_a_verdict_field_have_no_values(data):
    counts = count_recorded("llmbar", {"result": data / "llmbar_cot.json"}, llmbar(data, "cot"))
    assert counts == {"outcomes": {"first": 4, "second": 2, "unparsed": 2}, "rows": {"result": 4}, "values": {}}


# ---- the catalogue ----


def test_every_format_says_its_roles():
    assert {"llmbar", "autoj", "pandalm", "mtbench_snapshot", "fastchat_pairs", "meld_autoj", "jsonl"} <= set(names())
    for name in names():
        required, optional = recorded_format(name).ROLES
        assert required or optional


def test_unknown_format():
    with pytest.raises(JudgemergeError, match="unknown format of recorded verdicts 'llmbars'; did you mean 'llmbar'?"):
        read_recorded("llmbars", {}, [])


def test_catalogue_names_known_benchmarks_and_sources(repository):
    config = repository / "config"
    benchmarks, sources = load_catalogue(config / "benchmarks.yaml"), load_sources(config / "sources.yaml")
    judges = load_recorded(config / "recorded.yaml")
    assert len({judge.label for judge in judges.values()}) == len(judges)
    for judge in judges.values():
        assert judge.format in names()
        assert judge.benchmarks.keys() <= benchmarks.keys()
        assert all(set(roles.values()) <= sources.keys() for roles in judge.benchmarks.values())


def test_catalogue_mistakes_are_named(tmp_path):
    path = tmp_path / "recorded.yaml"
    path.write_text("judge: {label: x, format: llmbarr, benchmarks: {}}\n")
    with pytest.raises(
        JudgemergeError, match="recorded judge 'judge': unknown format 'llmbarr'; did you mean 'llmbar'?"
    ):
        load_recorded(path)
    path.write_text("judge: {label: x, format: llmbar, benchmarks: {bench: result}}\n")
    with pytest.raises(JudgemergeError, match="recorded judge 'judge': benchmarks: bench is 'result', not dict"):
        load_recorded(path)
    path.write_text("judge: {label: x, format: llmbar, benchmarks: {bench: {results: a.json}}}\n")
    with pytest.raises(
        JudgemergeError, match="recorded judge 'judge': bench has the unknown key 'results'; did you mean 'result'"
    ):
        load_recorded(path)


# ---- the published numbers ----


@pytest.fixture(scope="module")
def real(repository, mirror):
    """Return a function: judge and benchmark → items by id, and outcomes by item and order."""
    config = repository / "config"
    sources, benchmarks = load_sources(config / "sources.yaml"), load_catalogue(config / "benchmarks.yaml")
    judges = load_recorded(config / "recorded.yaml")

    def files(keys):
        return {role: mirror / sources[key].mirror_path for role, key in keys.items()}

    def read(judge, benchmark):
        items, _ = load_items(benchmark, benchmarks[benchmark], files(benchmarks[benchmark]["sources"]))
        judge = judges[judge]
        recorded = read_recorded(judge.format, files(judge.benchmarks[benchmark]), items, judge.options)
        return {item.id: item for item in items}, outcomes(list(recorded))

    return read


def right(items, found, order):
    return {name for (name, at), outcome in found.items() if at == order and outcome == items[name].truth}


def test_autoj_13b(real):
    items, found = real("autoj_13b", "autoj_pairwise")
    original, swapped = right(items, found, "original"), right(items, found, "swapped")
    assert (len(original), len(swapped), len(original & swapped), len(items)) == (835, 844, 765, 1392)
    assert sum(found[(name, "original")] == found[(name, "swapped")] for name in items) == 1161


def test_pandalm_7b_and_gpt35(real):
    items, found = real("pandalm_7b", "pandalm")
    assert round(len(right(items, found, "original")) / len(items), 4) == 0.6677
    items, found = real("gpt35_pandalm", "pandalm")
    assert list(found.values()).count("unparsed") == 25
    assert round(len(right(items, found, "original")) / len(items), 4) == 0.6977


LLMBAR = {  # right in the original order, in the swapped order, in both; unparsed replies
    ("gpt4", "natural"): (94, 95, 90, 0),
    ("gpt4", "neighbor"): (101, 100, 94, 0),
    ("gpt4", "gptinst"): (75, 78, 72, 0),
    ("gpt4", "gptout"): (37, 33, 32, 0),
    ("gpt4", "manual"): (33, 35, 30, 0),
    ("chatgpt", "natural"): (70, 78, 56, 1),
    ("chatgpt", "neighbor"): (31, 30, 6, 1),
    ("chatgpt", "gptinst"): (28, 26, 8, 1),
    ("chatgpt", "gptout"): (21, 21, 7, 1),
    ("chatgpt", "manual"): (18, 15, 5, 1),
}


@pytest.mark.parametrize(("judge", "subset"), LLMBAR)
def test_llmbar_cot(real, judge, subset):
    items, found = real(f"{judge}_llmbar_cot", f"llmbar_{subset}")
    original, swapped = right(items, found, "original"), right(items, found, "swapped")
    unparsed = list(found.values()).count("unparsed")
    assert (len(original), len(swapped), len(original & swapped), unparsed) == LLMBAR[(judge, subset)]


MTBENCH = {  # agreements of comparisons: GPT-4 with people, with and without ties; people among themselves, the same
    1: ((886, 1343), (727, 859), (454, 721), (388, 479)),
    2: ((871, 1325), (731, 864), (471, 707), (388, 474)),
}


@pytest.mark.parametrize("turn", MTBENCH)
def test_gpt4_on_single_expert_votes(real, turn):
    items, found = real("gpt4_mtbench", "mtbench_human")
    chosen = [item for item in items.values() if item.extra["turn"] == turn]
    votes = [[vote.vote for vote in item.votes] for item in chosen]
    judge = [(vote, found[(item.id, "original")]) for item, cast in zip(chosen, votes, strict=True) for vote in cast]
    people = [pair for cast in votes for pair in itertools.combinations(cast, 2)]
    counted = []
    for pairs in (judge, people):
        for kept in (pairs, [pair for pair in pairs if "tie" not in pair]):
            counted.append((sum(a == b for a, b in kept), len(kept)))
    assert tuple(counted) == MTBENCH[turn]


def test_gpt4_on_the_majority_of_all_votes(real):
    items, found = real("gpt4_mtbench", "mtbench_all_votes")
    assert (len(items), round(len(right(items, found, "original")) / len(items), 4)) == (1814, 0.6720)


def test_autoj_on_length_bias(real):
    items, found = real("autoj_meld", "meld_length_bias")
    names = right(items, found, "original")
    assert "unparsed" not in found.values()
    assert [sum(items[name].category == tag for name in names) for tag in ("long", "short")] == [92, 18]


@pytest.mark.parametrize(
    ("judge", "accuracy", "expected_error", "brier"),
    [
        ("mistral_7b_escalate", 0.75, 0.097, 0.169),
        ("gpt35_escalate", 0.756, 0.049, 0.164),
        ("gpt4_turbo_escalate", 0.784, 0.130, 0.163),
    ],
)
def test_judges_with_probabilities(repository, mirror, judge, accuracy, expected_error, brier):
    """Recompute by hand what docs/calibration.md defines: 10 bins of equal width, and squared distances."""
    recorded = load_recorded(repository / "config" / "recorded.yaml")[judge]
    sources = load_sources(repository / "config" / "sources.yaml")
    spec = load_catalogue(repository / "config" / "benchmarks.yaml")["trust_or_escalate"]
    items, _ = load_items("trust_or_escalate", spec, {"rows": mirror / sources[spec["sources"]["rows"]].mirror_path})
    path = mirror / sources[recorded.benchmarks["trust_or_escalate"]["original"]].mirror_path
    verdicts = [one.verdict for one in read_recorded("jsonl", {"original": path}, items, recorded.options)]
    truth = {item.id: item.truth for item in items}
    hits = [one.outcome == truth[one.item] for one in verdicts]
    assert sum(hits) / 500 == pytest.approx(accuracy)
    assert sum((one.confidence - hit) ** 2 for one, hit in zip(verdicts, hits, strict=True)) / 500 == pytest.approx(
        brier, abs=0.0005
    )
    gaps = [0.0] * 10
    for one, hit in zip(verdicts, hits, strict=True):
        gaps[min(int(one.confidence * 10), 9)] += one.confidence - hit
    assert sum(map(abs, gaps)) / 500 == pytest.approx(expected_error, abs=0.0005)


def test_real_fastchat_pairs(repository, mirror, tmp_path):
    """Read a real 75-row file: 40 / 23 / 11 / 1 error in game 1 and 20 / 39 / 14 / 2 errors in game 2."""
    sources = load_sources(repository / "config" / "sources.yaml")
    path = {name: mirror / source.mirror_path for name, source in sources.items()}
    votes = [
        {"judge": "expert_0", "model_a": "phi-3", "model_b": "phi-3-dpo", "question_id": n, "turn": 1, "winner": "tie"}
        for n in range(81, 161)
    ]
    (tmp_path / "votes.jsonl").write_text("\n".join(map(json.dumps, votes)))
    paths = {
        "votes": tmp_path / "votes.jsonl",
        "questions": path["mtbench_questions"],
        "answers_1": path["phi3_answers"],
        "answers_2": path["phi3_answers_dpo"],
    }
    items, _ = load_items("bench", {"loader": "mtbench", "protocol": "pairwise", "sources": paths}, paths)
    recorded = list(read_recorded("fastchat_pairs", {"verdicts": path["phi3_gpt4_pair"]}, items))
    classes = ("first", "second", "tie", "unparsed", "not_recorded")
    assert [by_order(recorded, "original").count(name) for name in classes] == [40, 23, 11, 1, 5]
    assert [by_order(recorded, "swapped").count(name) for name in classes] == [20, 39, 14, 2, 5]


# ---- broken files ----

FUZZED = {
    "llmbar": ("result", "llmbar_rating.json", lambda data: items_of("llmbar", data / "llmbar.json")),
    "autoj": ("original", "autoj_original.jsonl", lambda data: items_of("autoj", data / "autoj.jsonl")),
    "pandalm": ("verdicts", "pandalm_gpt35.json", lambda data: items_of("pandalm", data / "pandalm.json")),
    "mtbench_snapshot": ("verdicts", "mtbench_gpt4_pair.jsonl", mtbench_items),
    "fastchat_pairs": ("verdicts", "fastchat_gpt4_pair.jsonl", mtbench_items),
    "meld_autoj": (
        "verdicts",
        "meld_length_bias.json",
        lambda data: items_of("meld", data / "meld_length_bias.json", form="length_bias"),
    ),
}


@pytest.mark.parametrize("form", FUZZED)
def test_broken_rows_are_verdicts_or_a_sentence(data, tmp_path, form):
    role, name, items = FUZZED[form]
    items = items(data)
    for seed in range(120):
        path = rewrite(data / name, tmp_path / "rows.json", lambda rows, seed=seed: changed(rows, Random(seed))[0])
        try:
            recorded = read_recorded(form, {role: path}, items)
            counts = count_recorded(form, {role: path}, recorded, items)
        except JudgemergeError as error:
            assert "\n" not in str(error)
        else:
            assert sum(counts["outcomes"].values()) == len(recorded)
