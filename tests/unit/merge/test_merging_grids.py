"""Grids of parameters: which merges they stand for, who judges with them, and what is refused."""

import copy

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.merge import expand_grids
from judgemerge.merge.checks import check_merge

TIES = {
    "method": "ties",
    "base": "base",
    "models": {"one": {"weight": 0.5}, "two": {"weight": 0.5}},
    "parameters": {},
    "dtype": "float32",
    "seed": 7,
}
LINEAR = {"method": "linear", "models": {"one": {}, "two": {}}, "parameters": {}, "dtype": "float32", "seed": 7}


def study(judges=("one",), asked=None, **merges):
    return {"merges": merges, "judges": list(judges), "judging": {"judges": asked or {}}}


def test_a_grid_becomes_named_variants_in_its_place():
    settings = study(
        ["one", "ties", "random"],
        {"ties": {"pairwise": "brief"}},
        first=LINEAR,
        ties=TIES | {"grid": {"density": [0.3, 0.5, 1]}},
    )
    before = copy.deepcopy(settings)
    expanded = expand_grids(settings, "study.yaml")
    assert settings == before
    names = ["ties_density_0_3", "ties_density_0_5", "ties_density_1"]
    assert list(expanded["merges"]) == ["first", *names]
    assert expanded["judges"] == ["one", *names, "random"]
    assert expanded["judging"]["judges"] == {name: {"pairwise": "brief"} for name in names}
    assert "grid" not in expanded["merges"]["ties_density_0_3"]
    for name, density in zip(names, (0.3, 0.5, 1), strict=True):
        entry = expanded["merges"][name]
        assert [values["density"] for values in entry["models"].values()] == [density, density]
        check_merge(name, entry, {"base", "one", "two"}, "study.yaml")


def test_alpha_gives_the_weights_of_two_parents():
    merges = expand_grids(study(sweep=LINEAR | {"grid": {"alpha": [0, 0.25, 1]}}))["merges"]
    weights = {name: [values["weight"] for values in entry["models"].values()] for name, entry in merges.items()}
    assert weights == {"sweep_alpha_0": [0, 1], "sweep_alpha_0_25": [0.25, 0.75], "sweep_alpha_1": [1, 0]}


def test_grids_multiply_and_reach_single_models_and_the_whole():
    grid = {"parameters.lambda": [0.5, 1], "models.one.weight": [-1, 2]}
    merges = expand_grids(study(ties=TIES | {"grid": grid}))["merges"]
    assert list(merges) == [
        "ties_lambda_0_5_one_weight_minus_1",
        "ties_lambda_0_5_one_weight_2",
        "ties_lambda_1_one_weight_minus_1",
        "ties_lambda_1_one_weight_2",
    ]
    last = merges["ties_lambda_1_one_weight_2"]
    assert last["parameters"] == {"lambda": 1} and last["models"]["one"] == {"weight": 2}


def test_weights_are_short_for_the_models_own():
    merges = expand_grids(study(mix=LINEAR | {"weights": {"one": 0.2, "two": 0.8}}))["merges"]
    assert merges["mix"]["models"] == {"one": {"weight": 0.2}, "two": {"weight": 0.8}}
    assert "weights" not in merges["mix"]


def test_settings_without_grids_are_left_alone():
    settings = study(first=LINEAR)
    assert expand_grids(settings) is settings


REFUSED = {
    "unknown parameter": (
        study(ties=TIES | {"grid": {"desnity": [0.1]}}),
        "merges.ties.grid.desnity is no parameter of method 'ties'; did you mean 'density'?",
    ),
    "alpha of three": (
        study(mix=LINEAR | {"models": {"a": {}, "b": {}, "c": {}}, "grid": {"alpha": [0.5]}}),
        "merges.mix.grid.alpha: weights alpha and 1 − alpha need a method with weights and two models",
    ),
    "alpha above 1": (
        study(mix=LINEAR | {"grid": {"alpha": [1.5]}}),
        "merges.mix.grid.alpha has 1.5; give values from 0 to 1",
    ),
    "unknown model": (
        study(ties=TIES | {"grid": {"models.three.weight": [1]}}),
        "merges.ties.grid.models.three.weight is no parameter of a model; write models.<name>.<parameter>",
    ),
    "taken name": (
        study(ties=TIES | {"grid": {"density": [0.3]}}, ties_density_0_3=TIES),
        "merges.ties.grid makes a second merge 'ties_density_0_3'; rename the other",
    ),
    "same name twice": (
        study(ties=TIES | {"grid": {"density": [0.3, 0.30000000001]}}),
        "merges.ties.grid makes 'ties_density_0_3' twice; give values that differ",
    ),
    "grid as a parent": (
        study(ties=TIES | {"grid": {"density": [0.3]}}, mix=LINEAR | {"models": {"one": {}, "ties": {}}}),
        "merge 'mix' names the grid 'ties' as a model; name one of its variants: ties_density_0_3",
    ),
    "weight of nobody": (
        study(mix=LINEAR | {"weights": {"on": 1}}),
        "merges.mix.weights names 'on'; did you mean 'one'?",
    ),
    "weight twice": (
        study(ties=TIES | {"weights": {"one": 1}}),
        "merges.ties gives the weight of 'one' twice; remove one of them",
    ),
}


@pytest.mark.parametrize(("settings", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_named(settings, sentence):
    with pytest.raises(JudgemergeError) as caught:
        expand_grids(settings, "study.yaml")
    assert str(caught.value) == f"study.yaml: {sentence}"
