"""What the rules of merges ask of a study: groups that are compared, where examples lie, what a card tells."""

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.merge.plan import MergePlan
from judgemerge.study.load import load_study

EQUAL = {"models": {"one": {"weight": 0.5}, "two": {"weight": 0.5}}}
SETTINGS = {
    "study": "small",
    "models": {"one": {"path": "one"}, "two": {"path": "two"}},
    "suites": {"pairs": {"benchmarks": ["demo_pairwise"]}},
    "judges": ["mean"],
    "judging": {"prompts": {"pairwise": "brief_pairwise"}},
}


@pytest.fixture(scope="module")
def plan(repository):
    def of(**merges):
        return MergePlan(load_study({**SETTINGS, "merges": merges}, "study.yaml", repository / "config"))

    return of


def test_merges_of_the_same_models_are_compared_once(plan):
    mean = {"method": "linear", **EQUAL}
    assert plan(mean=mean, again=mean).groups == [{"models": ["one", "two"], "allow": [], "mergekit": "linear"}]
    ours = plan(mean={**mean, "engine": "streamed"})
    assert ours.groups == [{"models": ["one", "two"], "allow": [], "mergekit": None}]
    assert ours.compared_models == ["one", "two"]


@pytest.mark.parametrize(
    ("examples", "sets", "paths"),
    [("demo_pairwise_train", ["demo_pairwise_train"], []), ("data/few.jsonl", [], ["data/few.jsonl"])],
)
def test_examples_are_an_item_set_or_a_file(plan, tmp_path, monkeypatch, repository, examples, sets, paths):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "few.jsonl").write_text('{"input": "a", "output": "b"}\n', encoding="utf-8")
    mix = plan(mean={"method": "cocktail", "models": {"one": {}, "two": {}}, "examples": examples})
    assert (mix.example_sets("mean"), mix.example_files("mean"), mix.weighed("mean")) == (sets, paths, ["mean"])


def test_given_weights_are_not_computed(plan):
    assert plan(mean={"method": "cocktail", **EQUAL}).weighed("mean") == []


def test_a_card_is_told_the_prompts_of_a_merge_that_judges(plan):
    mean = {"method": "linear", **EQUAL}
    both = plan(mean=mean, idle=mean)
    assert both.about("mean") == {
        "study": "small", "prompts": "brief_pairwise", "repos": {},
        "licence": None, "source": None, "confidence": 0.95,
    }  # fmt: skip
    assert both.about("idle")["prompts"] == ""


def test_what_layers_read_is_collected_for_merges_that_need_it(plan):
    regmean = {"method": "regmean", "models": {"one": {}, "two": {}}}
    regmean["grams"] = {"one": "demo_pairwise_train", "two": "demo_pairwise_development"}
    both = plan(mean={"method": "linear", **EQUAL}, regmean=regmean)
    assert (both.with_grams, both.weighed("regmean"), both.weighed("mean")) == (["regmean"], ["regmean"], [])
    assert both.gram_sets("regmean") == ["demo_pairwise_train", "demo_pairwise_development"]
    assert both.gram_prompts("regmean") == {"pairwise": "brief_pairwise"}
    assert both.study.training_sets["demo_pairwise_train"] == ["Gram matrices of merge regmean"]
    assert "grams" not in both.entry("mean"), "finished merges keep their parameters"


def test_a_search_for_a_merge_that_computes_something_from_examples_is_refused(repository):
    regmean = {"method": "regmean", "models": {"one": {}, "two": {}}}
    regmean["grams"] = dict.fromkeys(("one", "two"), "demo_pairwise_train")
    search = {"merge": "regmean", "space": {"parameters.off_diagonal": {"low": 0.1, "high": 1.0}}}
    search["development"] = "demo_pairwise_development"
    settings = {**SETTINGS, "judges": ["regmean"], "merges": {"regmean": regmean}, "searches": {"s": search}}
    with pytest.raises(JudgemergeError, match="computes something from examples; a search takes merges"):
        load_study(settings, "study.yaml", repository / "config")
