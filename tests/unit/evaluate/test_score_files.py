"""Which files of scores there are, and what each is made from."""

from types import SimpleNamespace

import pytest

from judgemerge.evaluate.units import Scores
from judgemerge.settings.report import BenchmarkAverage, CategoryAverage, Replaceability

JUDGES = {"pairs": ["tuned", "longer", "reward"], "grades": ["tuned"]}
KINDS = {"tuned": "model", "longer": "baseline", "reward": "recorded"}


def scores(averages=None, protocols=None):
    """The scores of a study of two benchmarks, one suite each."""
    return Scores(
        SimpleNamespace(
            benchmarks=["pairs", "grades"],
            averages=averages or {},
            published_protocol=(protocols or {}).get,
            judges_of=JUDGES.get,
            kind=KINDS.get,
            own_models={"tuned": ["base"], "longer": [], "reward": []}.get,
            in_suites=lambda pairs: [(judge, f"suite of {benchmark}") for judge, benchmark in pairs],
        )
    )


@pytest.mark.parametrize(
    ("table", "averages", "protocols", "parts"),
    [
        ("agreement", {}, {}, ["pairs", "grades"]),
        ("agreement", {"mean": {"benchmarks": ["pairs"]}}, {}, ["pairs", "grades", "averages"]),
        ("agreement", {}, {"pairs": "llmbar"}, ["pairs", "grades", "published"]),
        ("humans", {"mean": {"benchmarks": ["pairs"]}}, {"pairs": "llmbar"}, ["pairs.humans", "grades.humans"]),
    ],
)
def test_the_parts_of_a_table(table, averages, protocols, parts):
    assert scores(averages, protocols).parts(table) == parts


def test_averages_are_taken_over_benchmarks_and_over_the_categories_of_one():
    study = scores(
        {
            "one": BenchmarkAverage.of({"benchmarks": ["grades"]}),
            "two": CategoryAverage.of({"categories_of": "pairs"}),
            "again": CategoryAverage.of({"categories_of": "pairs"}),
        }
    )
    assert study.grouped_benchmarks() == ["pairs"]
    assert study.averaged_benchmarks() == ["grades", "pairs"]


def test_papers_count_the_judges_of_the_benchmarks_that_have_a_protocol():
    study = scores(protocols={"pairs": "llmbar"})
    assert study.published_protocols() == {"pairs": "llmbar"}
    assert study.published_pairs() == [("tuned", "pairs"), ("longer", "pairs"), ("reward", "pairs")]
    assert study.published_pairs(["recorded"]) == [("reward", "pairs")]


def test_a_benchmark_is_scored_from_the_suites_of_its_judges():
    assert scores().judges_in_suites("grades") == [("tuned", "suite of grades")]
    assert scores().models_behind("pairs") == {"tuned": ["base"]}


def test_epsilon_is_the_studys_own_else_that_of_those_who_labelled():
    """Of the catalogue, of the panel, of the study; the hardest where nobody says."""
    settings = Replaceability.of(
        {
            "epsilon": {"own": 0.05},
            "panels": {"files": {"people": "p", "judges": "j", "labels": "classes", "annotators": "skilled"}},
        }
    )
    catalogue = {"experts": {"annotators": "experts"}, "own": {"annotators": "experts"}, "silent": {}}
    study = SimpleNamespace(
        benchmarks=list(catalogue),
        settings=SimpleNamespace(replaceability=settings),
        catalogues=SimpleNamespace(benchmarks=catalogue),
    )
    assert Scores(study).epsilons() == {"experts": 0.2, "own": 0.05, "silent": 0.1, "files": 0.15}
