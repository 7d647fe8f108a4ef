"""What the rules of trainings ask of a study: item sets, prompts, threads."""

import pytest

from judgemerge.core.catalogues import load_yaml
from judgemerge.study.load import load_study
from judgemerge.train.plan import TrainingPlan


@pytest.fixture(scope="module")
def plan(repository):
    return TrainingPlan(
        load_study(load_yaml(repository / "config" / "config.yaml"), "config.yaml", repository / "config")
    )


def test_every_stage_of_pretraining_has_its_item_sets_and_prompts(plan):
    sets, prompts = plan.stage_sets("tiny"), plan.stage_prompts("tiny")
    assert sets and len(set(sets)) == len(sets) and set(sets) <= set(plan.study.item_sets)
    assert set(prompts.values()) == {name for stage in plan.study.stage_prompts("tiny") for name in stage.values()}


def test_a_model_is_pretrained_with_its_own_threads_else_the_studys(plan):
    own = plan.study.models["tiny"].make.threads
    assert plan.threads("tiny") == (own or plan.study.settings.threads)


@pytest.mark.parametrize("expert", ["pointwise", "pairwise"])
def test_an_expert_is_trained_on_its_sets_with_what_all_share(plan, expert):
    assert plan.training_sets(expert) == [f"demo_{expert}_train"]
    assert plan.evaluation_sets(expert) == []
    assert plan.common(expert).items() >= plan.study.settings.training.items()


def test_a_training_is_told_the_categories_of_its_own_sets_alone(repository):
    settings = load_yaml(repository / "config" / "config.yaml")
    settings["judging"] |= {"categories": {"demo_pointwise_train": "writing", "demo_pointwise": "coding"}}
    plan = TrainingPlan(load_study(settings, "config.yaml", repository / "config"))
    assert plan.common("pointwise")["categories"] == {"demo_pointwise_train": "writing"}
    assert "categories" not in plan.common("pairwise")
