"""Merges of the same parents, and who was trained on the data of all of these."""

import pytest

from judgemerge.merge import families
from judgemerge.study.load import load_study

AVERAGE = {"method": "linear", "models": {"grader": {"weight": 0.5}, "comparer": {"weight": 0.5}}}
SETTINGS = {
    "study": "merging",
    "models": {"start": {"path": "start"}, "other": {"path": "other"}},
    "base": "start",
    "experts": {
        "comparer": {"train_on": ["demo_pairwise_train"]},
        "grader": {"train_on": ["demo_pointwise_train"]},
        "joint": {"train_on": ["demo_pointwise_train", "demo_pairwise_train"]},
    },
    "merges": {
        "average": AVERAGE,
        "turned": {"method": "linear", "models": dict(reversed(AVERAGE["models"].items()))},
        "found": {"method": "linear", "models": {"grader": {"weight": 0.5}, "other": {"weight": 0.5}}},
        "of_all": {"method": "linear", "models": {"grader": {"weight": 0.5}, "joint": {"weight": 0.5}}},
        "twice": {"method": "linear", "models": {"average": {"weight": 0.5}, "comparer": {"weight": 0.5}}},
    },
    "suites": {"made": {"benchmarks": ["demo_pairwise", "demo_pointwise"]}},
    "judges": ["grader", "comparer", "joint", "average", "turned", "longer"],
    "judging": {"prompts": {"pairwise": "brief_pairwise", "pointwise": "brief_pointwise"}},
}


@pytest.fixture(scope="module")
def study(repository):
    def load(**changes):
        return load_study({**SETTINGS, **changes}, "study.yaml", repository / "config")

    return load


def test_the_same_parents_in_another_order_are_one_family(study):
    assert families.families(study()) == {("grader", "comparer"): ["average", "turned"]}


def test_joint_training_is_the_expert_with_the_data_of_all_parents(study):
    assert families.joint_experts(study(), ("grader", "comparer")) == (["joint"], "")


@pytest.mark.parametrize(
    ("parents", "changes", "reason"),
    [
        (("grader", "other"), {}, "what the parents were trained on is not known here"),
        (("grader", "joint"), {}, "a parent was trained on the data of all"),
        (
            ("grader", "comparer"),
            {"judges": ["grader", "comparer", "average"]},
            "joint is trained on all of it, and not among the judges",
        ),
        (
            ("grader", "comparer"),
            {
                "experts": {name: SETTINGS["experts"][name] for name in ("grader", "comparer")},
                "merges": {"average": AVERAGE},
                "judges": ["grader", "comparer", "average"],
            },
            "no expert is trained on demo_pairwise_train, demo_pointwise_train together",
        ),
    ],
)
def test_why_there_is_no_joint_training(study, parents, changes, reason):
    assert families.joint_experts(study(**changes), parents) == ([], reason)


def test_parents_that_never_saw_the_protocol_are_named(study):
    assert families.untaught(study(), ("grader", "comparer"), "pairwise") == ["grader"]
    assert families.untaught(study(), ("grader", "comparer"), "pointwise") == ["comparer"]
    assert families.untaught(study(), ("joint", "other"), "pairwise") == []  # of a downloaded model nothing is known
    assert families.learnt_sets(study(), "twice") == {"demo_pairwise_train", "demo_pointwise_train"}


def test_a_study_has_the_table_where_a_merge_judges(study):
    (entry,) = families.parameters(study(), "demo_pairwise")
    assert entry["merges"] == ["average", "turned"] and entry["untaught"] == ["grader"] and entry["joint"] == ["joint"]
    assert families.parameters(study(judges=["grader", "longer"]), "demo_pairwise") == []
