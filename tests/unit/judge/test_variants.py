"""Judges under other prompts: whose model they are, what they answer, what is refused."""

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.judge.suites import Suites
from judgemerge.report.contents import kinds_of
from judgemerge.report.tables import variants
from judgemerge.study.load import load_study

OTHER = {"judges": ["near"], "pointwise": "brief_pointwise_answer_first"}
SETTINGS = {
    "study": "twice",
    "models": {"near": {"path": "near"}, "far": {"path": "far"}},
    "quantizations": {"small": {"model": "near", "type": "Q8_0"}},
    "suites": {
        "demo": {"benchmarks": ["demo_pairwise", "demo_pointwise"]},
        "more": {"benchmarks": ["vicuna_absolute"]},
    },
    "judges": ["near", "small", "far", "longer"],
    "judging": {
        "prompts": {"pairwise": "brief_pairwise", "pointwise": "brief_pointwise"},
        "variants": {"turned": OTHER | {"judges": ["near", "small"], "suites": ["demo"]}},
        "judges": {"near": {"backend": "vllm", "chat_template": "none", "gpus": 2}},
    },
}


def study_of(repository, **judging):
    return load_study(SETTINGS | {"judging": SETTINGS["judging"] | judging}, "twice.yaml", repository / "config")


@pytest.fixture(scope="module")
def study(repository):
    return study_of(repository)


def test_a_variant_is_a_judge_of_its_own_with_the_weights_of_another(study):
    assert study.judges == ["near", "small", "far", "longer", "near_turned", "small_turned"]
    assert (study.kind("near_turned"), study.model_of("near_turned"), study.model_of("near")) == (
        "model",
        "near",
        "near",
    )
    assert study.model_names == {"near", "far", "small"}, "nothing is made, merged or downloaded twice"
    assert study.made_from("near_turned") == ["near"] and study.own_models("near_turned") == ["near_turned", "near"]
    assert sorted(Suites(study).quantized) == ["small", "small_turned"]


def test_it_is_asked_as_its_model_is_but_for_the_prompt(study):
    assert study.prompt("near_turned", "pointwise") == "brief_pointwise_answer_first"
    assert study.prompt("near", "pointwise") == "brief_pointwise"
    assert study.backend_of("near_turned") == "vllm" and study.backend_of("small_turned") == "llama_cpp"
    assert study.chat("near_turned") == study.chat("near") != {}
    assert kinds_of(study)["small_turned"] == "quantization"


def test_it_judges_the_protocols_and_suites_that_it_has_a_prompt_for(study):
    assert study.benchmarks_of("near_turned", "demo") == ["demo_pointwise"]
    assert study.benchmarks_of("near_turned", "more") == []
    assert variants.variant_pairs(study) == [("near_turned", "demo_pointwise"), ("small_turned", "demo_pointwise")]
    compared = variants.parameters(study)["compared"]
    assert compared["demo_pointwise"][0] == (
        "turned", "near", "near_turned", "brief_pointwise", "brief_pointwise_answer_first",
    )  # fmt: skip


ENDPOINT = {
    "models": {"near": {"endpoint": {"url": "https://host/v1", "model": "m"}}},
    "quantizations": {},
    "judges": ["near"],
}


@pytest.mark.parametrize(
    ("variant", "changes", "problem"),
    [
        (OTHER | {"judges": ["longer"]}, {}, "turned.judges names what is no model among the judges: 'longer'"),
        (OTHER | {"pointwise": "brief_pointwise"}, {}, "which 'near' is asked with anyway"),
        (OTHER | {"suites": ["demos"]}, {}, "unknown suite 'demos'"),
        (OTHER | {"pointwise": "brief_pairwise"}, {}, "brief_pairwise"),
        ({"judges": ["near"]}, {}, "pairwise|pointwise"),
        (OTHER, {"models": {"near": {"path": "n"}, "near_turned": {"path": "o"}}, "judges": ["near", "near_turned"],
                 "quantizations": {}}, "another one of that name"),
        (OTHER, ENDPOINT, "an endpoint; give it a second entry in models"),
    ],
)  # fmt: skip
def test_what_asks_nothing_else_is_refused(repository, variant, changes, problem):
    judging = {"prompts": SETTINGS["judging"]["prompts"], "variants": {"turned": variant}}
    with pytest.raises(JudgemergeError, match=problem):
        load_study(SETTINGS | {"judging": judging} | changes, "twice.yaml", repository / "config")
