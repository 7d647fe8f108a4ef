"""Development sets of suites: judged like benchmarks, in no table but that of calibration."""

import pytest

from judgemerge.judge.suites import Suites
from judgemerge.report.contents import Contents
from judgemerge.study.load import load_study

CHOICE = {"judging": {"prompts": {"pairwise": "brief_pairwise_choice", "pointwise": "brief_pointwise"}}}


@pytest.fixture
def study(repository):
    def load(**changes):
        settings = {
            "study": "mine",
            "models": {"one": {"path": "one"}},
            "suites": {
                "demo": {
                    "benchmarks": ["demo_pairwise", "demo_pointwise"],
                    "development": ["demo_pairwise_development", "demo_pairwise_scored_base"],
                    "limit": 50,
                },
                "others": {"benchmarks": ["trust_or_escalate"]},
            },
            "judges": ["one", "gpt35_escalate", "random"],
            "judging": {"prompts": {"pairwise": "brief_pairwise", "pointwise": "brief_pointwise"}},
            **changes,
        }
        return load_study(settings, "mine.yaml", repository / "config")

    return load


def test_they_are_judged_and_no_benchmarks(study):
    loaded = study(**CHOICE)
    held = ["demo_pairwise_development", "demo_pairwise_scored_base"]
    assert loaded.benchmarks == ["demo_pairwise", "demo_pointwise", "trust_or_escalate"]
    assert loaded.benchmarks_of("one", "demo") == ["demo_pairwise", "demo_pointwise", *held]
    assert Suites(loaded).item_sets("one", "demo")[-2:] == held
    assert loaded.calibration_sets("demo_pairwise") == held
    assert loaded.calibration_sets("demo_pointwise") == loaded.calibration_sets("trust_or_escalate") == []
    assert loaded.limit("demo_pairwise_development") == 50
    assert {name: why for name, why in loaded.known_prompts.items() if name in held} == dict.fromkeys(
        held, "calibration of probabilities"
    )
    contents = Contents(loaded)
    inputs = contents.table_inputs("calibration")
    assert [f"results/mine/items/{name}.jsonl" in inputs for name in held] == [True, True]
    assert "results/mine/verdicts/one/demo.jsonl" in inputs
    assert not any("random" in path for path in inputs)
    assert {"reliability", "risk_coverage"} <= set(contents.figures)


def test_the_table_is_only_where_a_judge_gives_probabilities(study):
    written = study(judges=["one", "random"])
    assert written.probability_pairs == []
    assert "calibration" not in Contents(written).tables
    assert study().probability_pairs == [("gpt35_escalate", "trust_or_escalate")]
    both = study(**CHOICE).probability_pairs
    assert both == [("one", "demo_pairwise"), ("one", "trust_or_escalate"), ("gpt35_escalate", "trust_or_escalate")]


def test_grades_by_choice_give_probabilities_to_the_pairs_that_follow_from_them(study):
    prompts = {"prompts": {"pairwise": "brief_pairwise", "pointwise": "brief_pointwise_choice"}}
    loaded = study(judges=["one"], judging=prompts, pairs_from_grades={"judges": ["one"]})
    assert ("one_from_grades", "demo_pairwise") in loaded.probability_pairs
    assert ("one", "demo_pointwise") in loaded.probability_pairs
    assert ("one", "demo_pairwise") not in loaded.probability_pairs
