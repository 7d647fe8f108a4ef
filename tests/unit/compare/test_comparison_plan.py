"""Which models, questions and metrics the jobs of a comparison read, asked of the study that comes with the package."""

from pathlib import Path

import pytest
import yaml

from judgemerge.study.load import load_study


@pytest.fixture(scope="module")
def comparisons():
    settings = yaml.safe_load(Path("config/studies/orpo.yaml").read_text(encoding="utf-8"))
    return load_study(settings | {"downloads": True}, "orpo.yaml", "config").comparisons


def test_both_models_and_every_judge_of_every_comparison_are_needed(comparisons):
    assert comparisons.models_and_judges() == ["llama", "orpo_final", "flow_judge", "phi"]
    assert comparisons.question_sets() == ["capybara_preferences_test"] * 2


def test_answers_and_judgments_are_in_the_order_of_the_study(comparisons):
    assert comparisons.answers("tuned") == [("tuned", "llama"), ("tuned", "orpo_final")]
    assert comparisons.judgments("tuned") == [("tuned", "flow_judge"), ("tuned", "phi")]
    assert comparisons.judgments("as_published") == [("as_published", "flow_judge")]


def test_prompts_are_those_of_pairs_and_of_each_metric(comparisons):
    prompts = comparisons.prompts("tuned")
    assert prompts["pairs"] == "plain_pairwise"
    assert set(prompts) == {"pairs", *(metric.name for metric in comparisons.metrics("tuned"))}
    assert "pairs" not in comparisons.prompts("as_published")


def test_metrics_are_read_from_files_whose_texts_may_be_raw_files(comparisons):
    assert [Path(path).stem for path in comparisons.metric_paths("tuned")] == [
        "flow_judge_correctness_5_point", "relevance_5_point",
    ]  # fmt: skip
    assert list(comparisons.metric_contents("tuned")) == comparisons.metric_paths("tuned")
    assert comparisons.metric_sources("as_published") == ["flow_judge_metrics"]


def test_a_model_is_asked_with_the_limit_of_the_comparison_and_a_judge_with_its_backend(comparisons):
    assert comparisons.answering("llama", "tuned")["max_prompt_tokens"] == 8192
    assert comparisons.grading("phi", "tuned")["backend"] == comparisons.study.backend("phi")
    assert comparisons.endpoint("phi") is None


def test_published_figures_are_a_file_or_nothing(comparisons):
    assert comparisons.published("tuned") == ["config/published/orpo_flow_judge.tsv"]
