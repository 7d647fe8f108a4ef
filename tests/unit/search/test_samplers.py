"""CMA-ES and NSGA-II: rounds that go on from earlier ones, trials that no other one beats; numbers by layers."""

import json

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.search import searching, spreading
from judgemerge.search.searching import Result
from judgemerge.settings.searches import ExpertSearch, MergeSearch

SPACE = {"models.a.weight": {"low": 0.0, "high": 1.0}, "models.b.weight": {"low": 0.0, "high": 1.0}}
DEFAULT = dict.fromkeys(SPACE, 0.5)
TWO_SETS = {"pairs": "accuracy", "grades": "mae"}


def search_with(**changes):
    keys = {"merge": "m", "space": SPACE, "rounds": 6, "width": 6, "development": "d", "seed": 3}
    return MergeSearch.of(keys | changes)


def run(search, worth, rounds, default=DEFAULT):
    results = []
    for number in range(rounds):
        for entry in searching.proposals(search, number, results, default):
            values = worth({**default, **entry["params"]})
            mean = sum(values.values()) / len(values)
            each = values if len(values) > 1 else None
            results.append(Result(entry["trial"], number, entry["params"], "complete", mean, 10, 0, [], values=each))
            results[-1] = Result(**json.loads(json.dumps(results[-1].row())))
    return results


def hill(params):
    """Best at .9 and .2."""
    return {"d": 1 - (params["models.a.weight"] - 0.9) ** 2 - (params["models.b.weight"] - 0.2) ** 2}


def two_hills(params):
    """More of `a` is better for pairs and worse for grades, whose error is counted; `b` is best at .2 for both."""
    b = (params["models.b.weight"] - 0.2) ** 2
    return {"pairs": params["models.a.weight"] - b, "grades": params["models.a.weight"] + b}


def test_cmaes_climbs_and_is_decided_by_its_seed_and_its_results():
    pytest.importorskip("cmaes")
    search = search_with(sampler="cmaes", rounds=10)
    results = run(search, hill, 10)
    assert results == run(search, hill, 10) and len({json.dumps(one.params) for one in results}) == 60
    last = [one.value for one in results[-6:]]
    assert min(last) > results[0].value and searching.best(search, results).value > 0.99
    assert run(search_with(sampler="cmaes", seed=4), hill, 2) != results[:12]


@pytest.mark.parametrize("sampler", ["cmaes", "nsgaii"])
def test_rounds_of_another_version_are_not_gone_on_from(sampler):
    if sampler == "cmaes":
        pytest.importorskip("cmaes")
    worth, more = (hill, {}) if sampler == "cmaes" else (two_hills, {"development": TWO_SETS})
    search = search_with(sampler=sampler, **more)
    results = run(search, worth, 2)
    changed = [one._replace(params={name: 0.123 for name in one.params}) if one.trial == 3 else one for one in results]
    with pytest.raises(JudgemergeError, match="trial 3 was proposed by another version of Optuna or cmaes"):
        searching.propose(search, 2, changed, DEFAULT)


def test_a_trial_without_a_value_does_not_end_an_evolving_search():
    search = search_with(sampler="nsgaii", development=TWO_SETS)
    results = run(search, two_hills, 2)
    results[4] = results[4]._replace(value=float("nan"), values=dict.fromkeys(TWO_SETS, float("nan")))
    assert len(searching.propose(search, 2, results, DEFAULT)) == 6


def test_an_evolving_search_gives_up_trials_below_the_median():
    pytest.importorskip("cmaes")
    search = search_with(sampler="cmaes", pruning="median")
    results = [one._replace(reports=[[10, one.value]]) for one in run(search, hill, 2)]
    assert searching.Pruner(search, 2, results, DEFAULT).report(10, min(one.value for one in results) - 1)
    assert not searching.Pruner(search, 2, results, DEFAULT).report(10, max(one.value for one in results))


def test_nsgaii_finds_trials_that_no_other_one_beats():
    search = search_with(sampler="nsgaii", development=TWO_SETS, width=8)
    results = run(search, two_hills, 6)
    front = searching.non_dominated(search, results)
    assert len(front) >= 5
    weights = [{**DEFAULT, **one.params}["models.a.weight"] for one in results if one.trial in front]
    assert max(weights) - min(weights) > 0.5
    for one in results:
        beaten = any(
            two.values["pairs"] >= one.values["pairs"] and two.values["grades"] <= one.values["grades"]
            and two.values != one.values
            for two in results
        )  # fmt: skip
        assert (one.trial in front) != beaten


@pytest.mark.parametrize(
    ("layers", "filters", "expected"),
    [
        (None, [], ["models.a.weight"]),
        (2, [], ["models.a.weight@1", "models.a.weight@2", "models.a.weight@outside"]),
        (None, ["mlp"], ["models.a.weight@1.mlp", "models.a.weight@1", "models.a.weight@outside"]),
    ],
)
def test_a_parameter_is_searched_by_groups_of_layers_and_parts(layers, filters, expected):
    space = {"models.a.weight": SPACE["models.a.weight"]}
    search = search_with(space=space, layers=layers, filters=filters)
    assert list(searching.space(search)) == expected
    assert searching.defaults({"models": {"a": {"weight": 0.5}}}, searching.space(search)) == dict.fromkeys(
        expected, 0.5
    )


def test_an_expert_and_the_dtype_of_a_merge_are_not_spread():
    keys = {"expert": "e", "space": {"learning_rate": {"low": 0.1, "high": 1.0}}, "development": "d"}
    assert list(searching.space(ExpertSearch.of(keys))) == ["learning_rate"]
    choice = {"dtype": {"choices": ["float32", "bfloat16"]}}
    assert list(searching.space(search_with(space=choice, layers=2))) == ["dtype"]


NAMES = [f"model.layers.{n}.{part}.weight" for n in range(5) for part in ("self_attn.q_proj", "mlp.up_proj", "norm")]
NAMES += ["model.embed_tokens.weight", "lm_head.weight"]


def test_values_of_layers_become_filters_of_a_merge():
    from judgemerge.merge.recipes import Merge

    layers = spreading.Layers.of(NAMES, "models/a")
    assert (layers.prefix, layers.n) == ("model.layers", 5)
    places = ["1.mlp", "1", "2.mlp", "2", "outside"]
    params = {f"models.a.weight@{place}": number / 10 for number, place in enumerate(places, 1)}
    entry = {"method": "linear", "models": {"a": {"weight": 0.9}, "b": {"weight": 0.8}}, "parameters": {}}
    merge = Merge.of(spreading.applied(entry, params, 2, ["mlp"], layers))
    weights = {name: merge.at(name).models["a"]["weight"] for name in NAMES}
    assert weights["model.layers.0.mlp.up_proj.weight"] == 0.1 and weights["model.layers.1.norm.weight"] == 0.2
    assert weights["model.layers.4.mlp.up_proj.weight"] == 0.3 and weights["model.layers.2.norm.weight"] == 0.4
    assert weights["lm_head.weight"] == 0.5 and merge.at("lm_head.weight").models["b"] == {"weight": 0.8}
    assert entry["models"]["a"]["weight"] == 0.9, "the study's own merge stays as it is"


def test_groups_and_parts_that_models_do_not_have_are_refused():
    layers = spreading.Layers.of(NAMES, "models/a")
    spreading.check(5, ["mlp", "self_attn.q_proj"], layers, "search 's'")
    with pytest.raises(JudgemergeError, match="search 's' has layers: 6, but the models have 5"):
        spreading.check(6, [], layers, "search 's'")
    with pytest.raises(JudgemergeError, match="search 's' has filter 'attn'"):
        spreading.check(None, ["attn"], layers, "search 's'")
    with pytest.raises(JudgemergeError, match="models/a: its tensors have 2 kinds of numbered layers"):
        spreading.Layers.of([*NAMES, "encoder.block.0.weight.x"], "models/a")
