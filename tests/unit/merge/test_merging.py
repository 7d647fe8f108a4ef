"""Merges: what is refused, the method table against mergekit's own, and real merges against plain arithmetic."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from judgemerge.core import files, models
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.merge import METHODS, check_result, recipe, runs
from judgemerge.merge.checks import check_merge

MODELS = {"base", "one", "two", "three"}


def merge(method, parameters=None, base="base", **parents):
    """Return a checked merge entry as the schema leaves it; without a base when `base` is None."""
    entry = {"method": method, "models": parents, "parameters": parameters or {}, "dtype": "float32", "seed": 7}
    return entry if base is None else {**entry, "base": base}


def half(**more):
    return {"weight": 0.5, **more}


def linear(first, second, **parameters):
    return merge("linear", parameters, None, one={"weight": first}, two={"weight": second})


def ties(**more):
    return merge("ties", one=half(density=0.5), two=half(**more))


def slerp(t, base="one"):
    return merge("slerp", {"t": t}, base, one={}, two={})


REFUSED = {
    "method typo": (merge("dare-ties", one=half()), "uses method 'dare-ties'; did you mean 'dare_ties'?"),
    "unknown parent": (ties() | {"models": {"on": half()}}, "names model 'on'; did you mean 'one'?"),
    "unknown base": (ties() | {"base": "bsae"}, "names model 'bsae'; did you mean 'base'?"),
    "density above 1": (ties(density=1.7), "has 'models.two.density' = 1.7; it must lie in (0, 1]"),
    "density below 0": (ties(density=-0.2), "has 'models.two.density' = -0.2; it must lie in (0, 1]"),
    "density 0": (ties(density=0), "has 'models.two.density' = 0; it must lie in (0, 1]"),
    "density in a list": (
        ties(density=[{"filter": "mlp", "value": [0.5, 1.2]}]),
        "has 'models.two.density' = 1.2; it must lie in (0, 1]",
    ),
    "a list for our own engine": (
        merge("supermario", one={}, two={}, parameters={"p": [0.1, 0.2], "lambda": 1}),
        "has 'parameters.p' = [0.1, 0.2]; judgemerge's own merges take one value, or a list of {filter, value} whose "
        "last entry has no filter",
    ),
    "a list for a parent of our own engine": (
        merge("cocktail", base=None, one={"weight": [0.1, 0.2]}, two=half()),
        "has 'models.one.weight' = [0.1, 0.2]; judgemerge's own merges take one value, or a list of {filter, value} "
        "whose last entry has no filter",
    ),
    "no number for our own engine": (
        merge("supermario", one={}, two={}, parameters={"p": "much", "lambda": 1}),
        "has 'parameters.p' = 'much'; give a number",
    ),
    "t above 1": (slerp(2), "has 'parameters.t' = 2; it must lie in [0, 1]"),
    "t above 1 in a curve": (
        slerp([{"filter": "mlp", "value": [0, 1.5]}, {"value": 0.5}]),
        "has 'parameters.t' = 1.5; it must lie in [0, 1]",
    ),
    "NaN weight": (linear(float("nan"), 0.5), "has 'models.one.weight' = nan; give a finite number"),
    "infinite weight": (linear(float("inf"), 0.5), "has 'models.one.weight' = inf; give a finite number"),
    "weights that cancel": (
        linear(0.5, -0.5),
        "has weights that sum to 0; they are divided by that sum, so give weights with a sum away from 0",
    ),
    "weights that cancel in ties": (
        merge("ties", one={"weight": 1}, two={"weight": -1}),
        "has weights that sum to 0; they are divided by that sum",
    ),
    "sum of 3 without normalize": (
        linear(1.5, 1.5, normalize=False),
        "has weights that sum to 3 with normalize: false; a linear merge needs a sum of 1",
    ),
    "unknown parameter of a model": (
        ties(desnity=0.5),
        "has 'models.two.desnity', which its method does not know; did you mean 'density'?",
    ),
    "unknown parameter of the method": (
        linear(0.5, 0.5, normalise=True),
        "has 'parameters.normalise', which its method does not know; did you mean 'normalize'?",
    ),
    "parameter of a method without any": (
        merge("arcee_fusion", {"t": 0.5}, one={}),
        "has 'parameters.t', which its method does not know; it takes none",
    ),
    "weight that mergekit would ignore": (
        merge("sce", one=half(), two=half()),
        "has 'models.one.weight', which its method does not know; it takes none",
    ),
    "missing weight": (
        merge("ties", one=half(), two={"density": 0.5}),
        "gives no 'weight' for model 'two'; add models.two.weight",
    ),
    "missing t": (merge("slerp", None, "one", one={}, two={}), "gives no 't'; add parameters.t"),
    "too many parents": (
        merge("slerp", {"t": 0.5}, "one", one={}, two={}, three={}),
        "has 3 models; method 'slerp' takes exactly 2",
    ),
    "too few parents": (merge("model_stock", one={}), "has 1 models; method 'model_stock' takes at least 2"),
    "missing base": (
        merge("ties", None, None, one=half()),
        "needs a 'base' for method 'ties'; add one of: base, one, three, two",
    ),
    "superfluous base": (
        linear(0.5, 0.5) | {"base": "base"},
        "has a 'base', which method 'linear' would treat as one more parent; remove it",
    ),
    "base not among the parents": (
        slerp(0.5, base="base"),
        "has base 'base', which method 'slerp' also needs among 'models'; add it",
    ),
    "base among the parents": (
        merge("ties", base="one", one=half(), two=half()),
        "lists its base 'one' among 'models'; method 'ties' takes it as 'base' only",
    ),
}


@pytest.mark.parametrize(("entry", "sentence"), REFUSED.values(), ids=REFUSED)
def test_nonsense_is_refused_before_mergekit_runs(entry, sentence):
    with pytest.raises(JudgemergeError) as caught:
        check_merge("mine", entry, MODELS, "study.yaml")
    assert str(caught.value).startswith(f"study.yaml: merge 'mine' {sentence}")


ACCEPTED = {
    "linear": linear(0.3, 0.7),
    "linear, normalized": linear(3, 5, normalize=True),
    "linear, sum 1": linear(1.5, -0.5, normalize=False),
    "ties": ties(density=1),
    "dare_ties": merge("dare_ties", {"int8_mask": True}, one=half(density=0.53)),
    "task arithmetic that subtracts": merge("task_arithmetic", one={"weight": 1}, two={"weight": -1}),
    "slerp": slerp(0.5),
    "slerp to the end": slerp(1),
    "weight by layer": merge("ties", one={"weight": [0, 0.5, 1]}, two=half()),
    "nuslerp without base": merge("nuslerp", None, None, one=half(), two=half()),
    "nearswap": merge("nearswap", {"t": 0.001}, one={}),
    "sce": merge("sce", {"select_topk": 0.5}, one={}, two={}),
}


@pytest.mark.parametrize("entry", ACCEPTED.values(), ids=ACCEPTED)
def test_good_merges_pass(entry):
    check_merge("mine", entry, MODELS, "study.yaml")


def test_the_merges_of_the_demo_pass(repository):
    demo = load_yaml(repository / "config" / "config.yaml")
    assert set(demo["merges"]) == {"dare_ties", "ties", "linear", "slerp"}
    for name, entry in demo["merges"].items():
        check_merge(name, {"parameters": {}, **entry}, {"tiny", "pointwise", "pairwise"}, "config.yaml")


def test_a_recipe_names_parents_by_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = {name: f"models/{name}" for name in ("base", "one", "two")}
    assert recipe(ties(density=0.6), folders) == {
        "merge_method": "ties",
        "dtype": "float32",
        "base_model": str(tmp_path / "models/base"),
        "models": [
            {"model": str(tmp_path / "models/one"), "parameters": {"weight": 0.5, "density": 0.5}},
            {"model": str(tmp_path / "models/two"), "parameters": {"weight": 0.5, "density": 0.6}},
        ],
    }
    assert recipe(slerp(0.5), folders)["models"] == [{"model": str(tmp_path / f"models/{n}")} for n in ("one", "two")]
    assert recipe(slerp(0.5), folders)["parameters"] == {"t": 0.5}


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.engine == "mergekit"])
def test_the_table_agrees_with_mergekit(name):
    registry = pytest.importorskip("mergekit.merge_methods.registry")
    ours, spec = METHODS[name], registry.get(name).spec
    shared = {parameter.name: parameter for parameter in spec.parameters if parameter.scope.value == "shared"}
    single = {parameter.name: parameter for parameter in spec.parameters if parameter.scope.value != "shared"}
    assert set(ours.overall) == set(shared)
    # `density` of task_arithmetic thins nothing out, so we do not offer it.
    assert set(ours.per_model) == set(single) - ({"density"} if name == "task_arithmetic" else set())
    assert set(ours.required) == {parameter.name for parameter in spec.parameters if parameter.required}
    assert ours.base == {"ignored": "none"}.get(spec.contract.base.value, spec.contract.base.value)
    with_base = ours.base == "required" and not ours.base_is_parent
    contract = spec.contract
    if contract.min_non_base is not None:
        assert ours.parents == (contract.min_non_base, contract.max_non_base)
    else:
        limits = (contract.min_inputs, contract.max_inputs)
        assert ours.parents == tuple(limit and max(limit - with_base, 1) for limit in limits)
    defaults = {parameter.name: parameter.default for parameter in shared.values() if not parameter.required}
    normalize = ours.overall.get("normalize")
    assert bool(defaults.get("normalize")) == (normalize is not None and normalize.default)


# ---- real merges of random models ----


@pytest.fixture
def run_merge(tmp_path, tiny_models, tools_on_path):
    """Return a function that merges the tiny models and gives (tensors, manifest)."""

    def run(entry, name="merged"):
        names = dict.fromkeys(filter(None, [entry.get("base"), *entry["models"]]))
        runs.make_model(
            merge=entry,
            parents=runs.Parents({parent: str(tiny_models[parent]) for parent in names}, dict.fromkeys(names, "0")),
            threads=1,
            model=str(tmp_path / "models" / name),
            manifest=str(tmp_path / "models" / f"{name}.json"),
            recipe_file=str(tmp_path / "recipes" / f"{name}.yaml"),
        )
        return weights(tmp_path / "models" / name), files.read_json(tmp_path / "models" / f"{name}.json")

    return run


def weights(folder):
    return dict(models.tensors(folder))


def test_linear_is_the_weighted_mean(run_merge, tiny_models, tmp_path):
    merged, manifest = run_merge(linear(0.25, 0.75))
    one, two = weights(tiny_models["one"]), weights(tiny_models["two"])
    assert merged.keys() == one.keys()
    for name, values in merged.items():
        torch.testing.assert_close(values, 0.25 * one[name] + 0.75 * two[name], rtol=0, atol=1e-7)
    assert manifest["made_by"]["merge"] == linear(0.25, 0.75)
    assert manifest["parameters"] == sum(values.numel() for values in one.values())
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["merged", "merged.json"]


def test_slerp_ends_at_its_parents_and_keeps_the_length_between(run_merge, tiny_models):
    merged, _ = run_merge(slerp([{"filter": "self_attn", "value": 0}, {"filter": "mlp", "value": 1}, {"value": 0.5}]))
    one, two = weights(tiny_models["one"]), weights(tiny_models["two"])
    between = 0
    for name, values in merged.items():
        if "self_attn" in name or "mlp" in name:
            torch.testing.assert_close(values, (one if "self_attn" in name else two)[name], rtol=0, atol=1e-6)
        elif values.dim() == 2:
            # Random matrices are nearly orthogonal: half way on the arc, (one + two) / √2.
            torch.testing.assert_close(values, (one[name] + two[name]) / 2**0.5, rtol=0.02, atol=1e-3)
            between += 1
    assert between == 2  # embeddings and output layer


@pytest.mark.slow
def test_random_masks_depend_on_the_seed_alone(run_merge):
    entry = merge("dare_ties", one=half(density=0.5), two=half(density=0.5))
    first, second = (run_merge(entry, name)[1] for name in ("first", "second"))
    assert first["digest"] == second["digest"]
    other = run_merge({**entry, "seed": 8}, "other")[1]
    assert other["digest"] != first["digest"]
    assert other["files"]["config.json"] == first["files"]["config.json"]


def test_parents_that_do_not_fit_are_refused_before_mergekit_starts(run_merge, tiny_models, tmp_path):
    short = tmp_path / "short"
    shutil.copytree(tiny_models["two"], short)
    tensors = load_file(short / "model.safetensors")
    tensors["lm_head.weight"] = tensors["lm_head.weight"][:, :128].contiguous()
    save_file(tensors, short / "model.safetensors", metadata={"format": "pt"})
    sentence = f"{short / 'model.safetensors'}: tensor 'lm_head.weight' has shape [512, 128], but [512, 256] in "
    with pytest.raises(JudgemergeError, match=f"^{re.escape(sentence)}"):
        runs.make_model(
            merge=linear(0.5, 0.5),
            parents=runs.Parents({"one": str(tiny_models["one"]), "two": str(short)}, {}),
            threads=1,
            model=str(tmp_path / "models" / "bad"),
            manifest=str(tmp_path / "models" / "bad.json"),
            recipe_file=str(tmp_path / "bad.yaml"),
        )
    assert not (tmp_path / "models" / "bad").exists()
    assert not (tmp_path / "models" / "bad.json").exists()


@pytest.fixture
def result(tmp_path, tiny_models):
    """Return a function that writes a copy of a tiny model, its tensors changed by a function."""

    def write(change) -> Path:
        folder = tmp_path / "result"
        shutil.copytree(tiny_models["one"], folder)
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return write


def one_nan(tensors):
    tensors["model.norm.weight"] = tensors["model.norm.weight"].clone()
    tensors["model.norm.weight"][3] = float("nan")


def one_infinite(tensors):
    tensors["lm_head.weight"] = tensors["lm_head.weight"] / 0


BAD_RESULTS = {
    "NaN": (one_nan, "tensor 'model.norm.weight' is not finite after merging"),
    "infinite": (one_infinite, "tensor 'lm_head.weight' is not finite after merging"),
    "missing": (lambda tensors: tensors.pop("lm_head.weight"), "the merged model lacks tensor 'lm_head.weight'"),
    "added": (lambda tensors: tensors.update(x=torch.ones(1)), "the merged model has unexpectedly tensor 'x'"),
    "shape": (
        lambda tensors: tensors.update({"model.norm.weight": torch.ones(8)}),
        "tensor 'model.norm.weight' has shape (8,), its parent (256,)",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), BAD_RESULTS.values(), ids=BAD_RESULTS)
def test_a_broken_result_is_caught(result, tiny_models, change, sentence):
    folder = result(change)
    with pytest.raises(JudgemergeError) as caught:
        check_result(folder, tiny_models["one"])
    assert str(caught.value).startswith(f"{folder}: {sentence}")


def test_a_sound_result_passes(result, tiny_models):
    check_result(result(lambda tensors: None), tiny_models["two"])
