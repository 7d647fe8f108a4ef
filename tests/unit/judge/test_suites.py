"""What the jobs of one judge and suite are about: pairs, grades, recorded verdicts, single responses."""

import pytest

from judgemerge.judge.suites import Suites
from judgemerge.study.load import load_study

SETTINGS = {
    "study": "mixed",
    "models": {"near": {"path": "near"}},
    "suites": {
        "demo": {"benchmarks": ["demo_pairwise", "demo_pointwise"]},
        "pandalm": {"benchmarks": ["pandalm"], "limit": 10},
    },
    "judges": ["near", "pandalm_7b", "longer"],
    "pairs_from_grades": {"judges": ["near"], "prompt": "brief_pointwise", "tie_resamples": 2},
    "judging": {
        "prompts": {"pairwise": "brief_pairwise", "pointwise": "brief_pointwise"},
        "sampling": {"temperature": 1.0, "runs": 1},
    },
}


@pytest.fixture(scope="module")
def suites(repository):
    return Suites(load_study(SETTINGS, "mixed.yaml", repository / "config"))


def test_every_suite_also_stands_with_the_single_responses_of_its_pairs(suites):
    assert suites.names == ["demo", "pandalm", "demo_from_grades", "pandalm_from_grades"]
    assert [suites.split(name) for name in suites.names] == [None, None, "demo", "pandalm"]
    assert (suites.benchmarks("demo"), suites.pairs("demo")) == (["demo_pairwise", "demo_pointwise"], ["demo_pairwise"])


def test_single_responses_are_graded_and_sampled_again(suites):
    assert suites.prompts("near", "demo") == {"pairwise": "brief_pairwise", "pointwise": "brief_pointwise"}
    assert suites.prompts("near", "demo_from_grades") == {"pointwise": "brief_pointwise"}
    assert [suites.sampling(name)["runs"] for name in ("demo", "demo_from_grades")] == [1, 3]
    assert suites.grades("near_from_grades", "demo") == [("near", "demo_from_grades")]


def test_a_judge_answers_the_benchmarks_that_it_has_a_verdict_on(suites):
    assert suites.protocols("near", "demo") == {"demo_pairwise": "pairwise", "demo_pointwise": "pointwise"}
    assert suites.protocols("near_from_grades", "demo") == {"demo_pairwise": "pairwise"}
    assert suites.protocols("pandalm_7b", "demo") == {}


def test_what_decides_recorded_verdicts_is_said_by_benchmark(suites):
    (entry,) = suites.recorded("pandalm_7b", "pandalm").values()
    assert entry["drawn"] and entry["judge"]["format"] == "pandalm"
    assert suites.recorded_files("pandalm_7b", "pandalm") == {("pandalm", "verdicts"): "pandalm_pandalm7b"}
    assert suites.recorded_roles("pandalm_7b", "pandalm") == [("pandalm", "verdicts")]


def test_verdicts_of_pairs_of_judge_and_benchmark_lie_by_suite(suites):
    pairs = [("near", "demo_pointwise"), ("longer", "pandalm"), ("near", "demo_pairwise")]
    assert suites.study.in_suites(pairs) == [("near", "demo"), ("longer", "pandalm"), ("near", "demo")]
