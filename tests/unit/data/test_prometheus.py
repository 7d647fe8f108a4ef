"""Prometheus' data: requests taken apart without a loss, pairs turned and built, training rows split by instruction."""

import collections
import json

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Vote
from judgemerge.data.benchmarks import _rubric_prompt, load_catalogue, load_items
from judgemerge.data.benchmarks.prometheus import swap_positions
from judgemerge.data.sources import load_sources
from judgemerge.data.stand_ins.rows import feedback, preference, request, request_pair

FOLDER = "prometheus-eval/prometheus-eval/dcfb44272d5d0414832f5dbb8c2a05ebc2614234/eval/benchmark/data"
SCORES = "\n".join(f"Score {n}: It is {word}." for n, word in enumerate(("bad", "weak", "fair", "good", "great"), 1))


def load(tmp_path, rows, form, protocol="pointwise", **options):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    spec = {"protocol": protocol, "sources": {"rows": "key"}, "options": {"form": form, **options}}
    return load_items("bench", {"loader": "prometheus", **spec}, {"rows": str(path)})  # as Snakemake gives it


# ---- requests ----


@pytest.mark.parametrize(
    ("file", "fields"),
    [
        ("vicuna_eval.json", ["instruction"]),
        ("mt_bench_eval.json", ["instruction"]),
        ("hhh_alignment_eval.json", ["chosen_instruction", "rejected_instruction"]),
    ],
)
def test_every_real_request_comes_back_as_it_was(mirror, file, fields):
    text = (mirror / FOLDER / file).read_text(encoding="utf-8")
    rows = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
    texts = [row[field] for row in rows for field in fields]
    parts = [_rubric_prompt.split(one) for one in texts]
    assert [_rubric_prompt.join(part) for part in parts] == texts
    assert all(part.instruction and part.criterion and all(part.scores) for part in parts)
    assert {part.reference is not None for part in parts} == {file != "hhh_alignment_eval.json"}


def test_a_request_in_its_parts():
    part = _rubric_prompt.split(request())
    assert (part.instruction, part.response, part.reference) == ("Name a fruit.", "Pear.", "Apple.")
    assert part.criterion == "Is it a fruit?"
    assert part.scores[1] == "It is weak."
    assert part.rubric == f"[Is it a fruit?]\n{SCORES}"
    assert _rubric_prompt.split(request(reference=None)).reference is None


BROKEN = {
    "no response": (lambda text: text.replace("###Response to", "###Answer to"), "Response to evaluate:' nowhere"),
    "twice": (lambda text: text.replace("Pear.", "Pear.\n\n###Score Rubrics:\n"), "Score Rubrics:' twice"),
    "no score 3": (lambda text: text.replace("Score 3:", "Three:"), "no criterion in brackets"),
    "no gap": (lambda text: text.replace("\n\n###Score", "\n###Score"), "no empty line before"),
    "other order": (
        lambda text: text.replace("###Response to evaluate:\nPear.\n\n", "")
        .replace("###Feedback: ", "###Response to evaluate:\nPear.\n\n###Feedback: "),
        "another order",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_broken_request_is_named(tmp_path, change, problem):
    row = {"instruction": change(request()), "gpt4_score": [3, 3, 3]}
    with pytest.raises(JudgemergeError, match=f"row 0: field 'instruction' has .*{problem}"):
        load(tmp_path, [row], "absolute")


# ---- grades ----


def test_the_truth_is_the_mean_of_the_runs(tmp_path):
    row = {"idx": 7, "response_source": "alpha", "category": "math", "instruction": request(), "gpt4_score": [3, 2, 3]}
    (item,), counts = load(tmp_path, [row], "absolute")
    assert item.id == "7-alpha"
    assert item.truth == pytest.approx(8 / 3)
    assert item.extra["gpt4_scores"] == [3.0, 2.0, 3.0]
    assert item.votes == (), "GPT-4 is nobody's annotator"
    assert item.extra["published_prompt"] == row["instruction"]
    assert (counts["scores"], counts["same_score_every_time"]) == (3, 0)


def test_people_have_votes_and_decide_when_asked_to(tmp_path):
    row = {"instruction": request(), "gpt4_score": [3, 3, 4], "human_score": [5, 4]}
    (item,), _ = load(tmp_path, [row], "absolute", truth="human_score")
    assert item.truth == 4.5
    assert item.votes == (Vote("person_1", 5.0), Vote("person_2", 4.0))
    (other,), _ = load(tmp_path, [row], "absolute")
    assert (other.truth, other.votes) == (pytest.approx(10 / 3), ())


def test_a_single_score_will_do_and_a_wrong_one_will_not(tmp_path):
    (item,), _ = load(tmp_path, [{"instruction": request(), "gpt4_score": 4}], "absolute")
    assert (item.truth, item.id) == (4.0, "0")
    with pytest.raises(JudgemergeError, match="'gpt4_score' is \\[3, 6\\], not one or several scores from 1 to 5"):
        load(tmp_path, [{"instruction": request(), "gpt4_score": [3, 6]}], "absolute")


# ---- pairs ----


def test_half_of_the_pairs_are_turned_with_their_prompts(tmp_path):
    items, counts = load(tmp_path, [request_pair(n, source="helpful") for n in range(200)], "pairs", "pairwise")
    assert 70 < counts["truth"]["second"] < 130
    for item in items:
        better = {"first": 0, "second": 1}[item.truth]
        assert item.responses[better][0].startswith("Pear")
        assert "Pear" in item.extra["published_prompt"][better]
    again, _ = load(tmp_path, [request_pair(n, source="helpful") for n in range(100, 200)], "pairs", "pairwise")
    assert [item.truth for item in again] == [item.truth for item in items[100:]], "the rows before do not matter"


def test_ties_and_requests_that_differ(tmp_path):
    (item,), _ = load(tmp_path, [request_pair(1, tie=1)], "pairs", "pairwise")
    assert item.truth == "tie"
    other = request_pair(1) | {"rejected_instruction": request("Stone.", None, instruction="Name a stone.")}
    with pytest.raises(JudgemergeError, match="differ in their instruction"):
        load(tmp_path, [other], "pairs", "pairwise")


def test_real_benchmarks_have_their_counts(mirror, repository):
    catalogue = load_catalogue(repository / "config" / "benchmarks.yaml")
    sources = load_sources(repository / "config" / "sources.yaml")
    for name in ("vicuna_absolute", "mtbench_absolute", "hhh"):  # `expected` stops a wrong count
        items, _ = load_items(
            name, catalogue[name], {"rows": mirror / sources[catalogue[name]["sources"]["rows"]].mirror_path}
        )
        assert all("rubric" in item.extra and "criterion" in item.extra for item in items)
    assert collections.Counter(item.category for item in items) == {
        "helpful": 59,
        "harmless": 58,
        "honest": 61,
        "other": 43,
    }


# ---- training rows ----


def test_feedback_rows(tmp_path):
    (item,), _ = load(tmp_path, [feedback("Why?", 4)], "feedback")
    assert (item.truth, item.reference, item.extra["explanation"]) == (4.0, "Best.", "Worth 4.")
    assert item.extra["rubric"].startswith("[Is it right?]\nScore 1: It is 1.\nScore 2:")


def test_a_row_of_another_schema_is_named(tmp_path):
    row = feedback("Why?", 4)
    del row["orig_criteria"]
    with pytest.raises(JudgemergeError, match="row 0: has no field 'orig_criteria'; it has orig_instruction"):
        load(tmp_path, [row], "feedback")
    with pytest.raises(JudgemergeError, match="'orig_score' is '2.5', not a whole score from 1 to 5"):
        load(tmp_path, [feedback("Why?", 2.5)], "feedback")


def test_one_percent_of_the_instructions_is_held_out(tmp_path):
    rows = [feedback(f"Question {n}", score) for n in range(300) for score in range(1, 6)]
    parts = {split: load(tmp_path, rows, "feedback", split=split)[0] for split in ("train", "test")}
    asked = {split: {item.turns for item in items} for split, items in parts.items()}
    assert (len(asked["test"]), len(parts["test"])) == (3, 15)
    assert len(parts["train"]) + len(parts["test"]) == 1500
    assert not asked["train"] & asked["test"]
    other = {item.turns for item in load(tmp_path, rows, "feedback", split="test", seed=43)[0]}
    assert other != asked["test"]


def test_rows_are_split_as_the_original_splits_them(tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = [feedback(f"Question {n}", score) for n in range(50) for score in range(1, 6)]
    parts = {split: load(tmp_path, rows, "feedback", split=split, split_by="row")[0] for split in ("train", "test")}
    theirs = datasets.Dataset.from_list(rows).train_test_split(test_size=0.01, seed=42)
    for split, items in parts.items():
        expected = {(row["orig_instruction"], int(row["orig_score"])) for row in theirs[split]}
        assert {(item.turns[0], int(item.truth)) for item in items} == expected
        assert len(items) == len(expected) == {"train": 247, "test": 3}[split]
    with pytest.raises(JudgemergeError, match="option split_by is 'rows', not instruction or row"):
        load(tmp_path, rows, "feedback", split="test", split_by="rows")


def test_ten_pairs_of_five_scored_answers(tmp_path):
    rows = [feedback(f"Question {n}", score) for n in range(40) for score in range(1, 6)]
    items, counts = load(tmp_path, rows, "preference_pairs", "pairwise")
    assert (len(items), counts["instructions"], counts["equal_scores_left_out"]) == (400, 40, 0)
    assert counts["truth"] == {"first": 200, "second": 200, "tie": 0}, "balanced"
    for item in items:
        first, second = item.extra["scores"]
        assert item.truth == ("first" if first > second else "second")
        assert item.responses[0][0].endswith(f"at {first}")
    for_one = [frozenset(item.extra["scores"]) for item in items[:10]]
    assert len(set(for_one)) == 10
    assert load(tmp_path, rows, "preference_pairs", "pairwise")[0] == items, "seeded"
    assert load(tmp_path, rows, "preference_pairs", "pairwise", seed=1)[0] != items


def test_equal_scores_make_no_pair(tmp_path):
    rows = [feedback("Why?", 3, "one"), feedback("Why?", 3, "two"), feedback("Why?", 5, "three")]
    items, counts = load(tmp_path, rows, "preference_pairs", "pairwise")
    assert (len(items), counts["equal_scores_left_out"], counts["instructions_without_five_scores"]) == (2, 1, 1)


def test_preference_rows(tmp_path):
    (first, second), _ = load(tmp_path, [preference(), preference("B")], "preference", "pairwise")
    assert (first.truth, second.truth) == ("first", "second")
    assert first.extra["explanation_swapped"] == "Response B is right, Response A is not."
    with pytest.raises(JudgemergeError, match="'orig_preference' is 'C', not one of A, B"):
        load(tmp_path, [preference("C")], "preference", "pairwise")


@pytest.mark.parametrize("text", ["Response A beats Response B.", "Answers A and B", "Vitamin A", "responses A", ""])
def test_swapping_positions_twice_gives_the_text_back(text):
    assert swap_positions(swap_positions(text)) == text


def test_parquet_files_and_several_of_them(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for name, rows in (("one", [preference(), preference("B")]), ("two", [preference("B")])):
        parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / name)
    spec = {"loader": "prometheus", "protocol": "pairwise", "options": {"form": "preference"}}
    spec["sources"] = {"rows": "key_0", "rows_1": "key_1"}
    items, counts = load_items("bench", spec, {"rows": tmp_path / "one", "rows_1": tmp_path / "two"})
    assert [item.id for item in items] == ["0.0", "0.1", "1.0"]
    assert [item.origin for item in items][2] == {"source": "key_1", "row": 0}
    assert counts["rows"] == 3


def test_an_unknown_form_is_named(tmp_path):
    with pytest.raises(JudgemergeError, match="unknown option form 'absolut'; did you mean 'absolute'"):
        load(tmp_path, [], "absolut")
