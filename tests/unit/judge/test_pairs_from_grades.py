"""Pairs judged by two grades, and rubrics as data."""

import pytest
import yaml

from judgemerge.core import files
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Verdict, read_items, write_items
from judgemerge.data.rubrics import load_rubric, rubric_file, with_rubric
from judgemerge.judge.pairs_from_grades import compare_grades, compare_runs, split_pairs
from judgemerge.prompting.prompts import load_template, render, target
from judgemerge.study.load import load_study

PAIR = Item(
    "p1", "bench", "pairwise", ("Why?",), (("Because.",), ("No.",)), "first", "why", {"source": "made", "row": 0},
    models=("alpha", "beta"), reference="So.", extra={"published_prompt": ["one", "two"], "criterion": "Is it right?"},
)  # fmt: skip


def grade(side, score=None, reason=None):
    return Verdict(f"p1/{side}", "original", "error" if reason else "score", score=score, reason=reason)


def test_both_sides_are_graded_on_their_own():
    first, second = split_pairs([PAIR])
    assert (first.id, second.id) == ("p1/first", "p1/second")
    assert (first.responses, second.responses) == ((("Because.",),), (("No.",),))
    assert (first.models, second.models) == (("alpha",), ("beta",))
    assert [side.extra["published_prompt"] for side in (first, second)] == ["one", "two"]
    assert (first.protocol, first.reference, first.benchmark) == ("pointwise", "So.", "bench")


def test_nobody_has_graded_the_sides_and_their_file_says_null(tmp_path):
    write_items(tmp_path / "sides.jsonl", split_pairs([PAIR]))
    assert [row["truth"] for row in files.read_jsonl(tmp_path / "sides.jsonl")] == [None, None]
    assert read_items(tmp_path / "sides.jsonl") == list(split_pairs([PAIR]))


@pytest.mark.parametrize(
    ("first", "second", "outcome"), [(4, 2, "first"), (1, 2, "second"), (3, 3, "tie"), (2.5, 2.25, "first")]
)
def test_the_higher_grade_wins_in_both_orders(first, second, outcome):
    verdicts = list(compare_grades([grade("first", first), grade("second", second)]))
    assert verdicts == [Verdict("p1", "original", outcome), Verdict("p1", "swapped", outcome)]


@pytest.mark.parametrize(
    ("grades", "decided", "outcome"),
    [
        ([(3, 3), (4, 2), (1, 5)], ["p1"], "first"),  # the first draw that differs
        ([(3, 3), (4, 2), (1, 5)], [], "tie"),  # people call it a tie: nothing is drawn again
        ([(3, 3), (2, 2), (5, 5)], ["p1"], "tie"),
        ([(1, 5), (4, 2), (4, 2)], ["p1"], "second"),
    ],
)
def test_equal_grades_are_drawn_again_where_people_decided(grades, decided, outcome):
    runs = {n: [grade("first", one), grade("second", other)] for n, (one, other) in enumerate(grades, 1)}
    assert list(compare_runs(runs, decided)) == [Verdict("p1", "original", outcome), Verdict("p1", "swapped", outcome)]


def test_an_error_is_not_drawn_again():
    runs = {
        1: [grade("first", 5), grade("second", reason="no_score")],
        2: [grade("first", 5), grade("second", 1)],
    }
    assert [one.outcome for one in compare_runs(runs, ["p1"])] == ["error", "error"]


def test_resamples_of_greedy_grades_are_refused(repository):
    study = load_yaml(repository / "config/studies/prometheus.yaml") | {"downloads": True}
    study["pairs_from_grades"]["tie_resamples"] = 2
    load_study(study, "prometheus.yaml", repository / "config")
    study["judging"]["sampling"] = {}
    with pytest.raises(
        JudgemergeError, match="pairs_from_grades.tie_resamples asks for several samples of greedy replies"
    ):
        load_study(study, "prometheus.yaml", repository / "config")


def test_a_study_with_the_former_names_is_read_and_warned_about(repository, caplog):
    study = load_yaml(repository / "config/studies/prometheus.yaml") | {"downloads": True}
    study["singly"] = {**study.pop("pairs_from_grades"), "redraws": 2}
    section = load_study(study, "mine.yaml", repository / "config").settings.pairs_from_grades
    assert section.tie_resamples == 2 and "direct" in section.judges
    assert "mine.yaml: key 'singly' is now called 'pairs_from_grades'; rename it" in caplog.text


def test_an_unread_grade_makes_the_pair_an_error():
    verdicts = list(compare_grades([grade("first", 5), grade("second", reason="no_score")]))
    assert [(verdict.outcome, verdict.reason) for verdict in verdicts] == [("error", "no_score")] * 2


def test_a_missing_side_is_refused():
    with pytest.raises(JudgemergeError, match="pair p1 has a grade for first alone"):
        list(compare_grades([grade("first", 5)]))


# ---- rubrics and the prompts that show them ----


def test_built_in_rubrics_are_complete(repository):
    found = {path.stem: load_rubric(path) for path in (repository / "config" / "rubrics").glob("*.yaml")}
    assert set(found) == {"helpfulness", "harmlessness", "honesty", "factual_validity", "reasoning"}
    for rubric in found.values():
        lines = rubric["rubric"].split("\n")
        assert lines[0] == f"[{rubric['criterion']}]"
        assert [line[:8] for line in lines[1:]] == [f"Score {score}:" for score in range(1, 6)]


def test_an_own_rubric_by_file_and_a_misspelt_name(tmp_path, repository):
    own = tmp_path / "mine.yaml"
    own.write_text(yaml.safe_dump({"criterion": "Is it short?", "scores": {n: f"It is {n}." for n in range(1, 6)}}))
    assert load_rubric(rubric_file(str(own), "here"))["rubric"].startswith("[Is it short?]\nScore 1: It is 1.\n")
    with pytest.raises(JudgemergeError, match="here names 'helpfullness'.* did you mean 'helpfulness'"):
        rubric_file("helpfullness", "here", repository / "config" / "rubrics")
    own.write_text(yaml.safe_dump({"criterion": "Is it short?", "scores": {1: "no", 2: "yes"}}))
    with pytest.raises(JudgemergeError, match="scores are 1, 2; describe 1, 2, 3, 4 and 5"):
        load_rubric(own)


def test_an_item_keeps_its_own_rubric():
    rubric = {"rubric": "[Other]", "criterion": "Other"}
    plain = Item(**{**vars(PAIR), "id": "p2", "extra": {}})
    assert [item.extra["criterion"] for item in with_rubric([PAIR, plain], rubric)] == ["Is it right?", "Other"]


@pytest.mark.parametrize("reference", ["", "_reference"])
def test_the_prompts_show_rubric_and_reference_and_are_learnt_feedback_first(repository, reference):
    prompts = repository / "config" / "prompts"
    absolute = load_template(prompts / f"prometheus_absolute{reference}.yaml")
    relative = load_template(prompts / f"prometheus_relative{reference}.yaml")
    extra = {"rubric": "[Right?]\nScore 1: no.", "criterion": "Right?", "explanation": "It is {so}."}
    pair = Item(**{**vars(PAIR), "extra": extra})
    (side, _) = split_pairs([pair])
    shown = render(absolute, side, "original")[-1]["content"]
    assert "###Score Rubrics:\n[Right?]\nScore 1: no." in shown
    assert ("So." in shown) == bool(reference)
    assert shown.endswith("###Feedback:")
    swapped = render(relative, pair, "swapped")[-1]["content"]
    assert swapped.index("No.") < swapped.index("Because.")
    assert "[Right?]\n" in swapped and "Score 1: no." not in swapped, "a comparison is shown the criterion alone"
    assert target(relative, pair, "original") == "It is {so}. [RESULT] A"
    graded = Item(**{**vars(side), "truth": 4.0})
    assert target(absolute, graded, "original") == "It is {so}. [RESULT] 4"
