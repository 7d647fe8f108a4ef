"""Every row of the method table is run on random models, and docs/merging.md shows the table as it is."""

import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from judgemerge.core import models
from judgemerge.core.errors import JudgemergeError
from judgemerge.merge import METHODS, check_result, engine, recipe
from judgemerge.merge.checks import check_merge
from judgemerge.merge.recipes import own_engine
from judgemerge.merge.table import METHODS as TABLE
from judgemerge.merge.table import WEIGHT, Method, Parameter, fraction, markdown, merge_method

# Numbers that are not at their default, by parameter; every method takes those that it knows.
NUMBERS = {
    "weight": 0.5,
    "density": 0.6,
    "gamma": 0.05,
    "epsilon": 0.1,
    "t": 0.4,
    "select_topk": 0.5,
    "p": 0.1,
    "lambda": 1.95,
    "r": 0.2,
    "alpha": 0.3,
    "max_iter": 5,
}
CALLED = [name for name, method in METHODS.items() if not method.adapters and not method.grams]


def example(name):
    """Return a merge of the tiny models by this method, with every number that it takes."""
    method = METHODS[name]
    lowest, highest = method.parents
    number = max(lowest, min(2, highest or 2))
    parents = ["base" if method.base_is_parent else "one", "two", *map(further, range(3, number + 1))][:number]
    per_model = {key: NUMBERS[key] for key in method.per_model if key in NUMBERS}
    overall = {key: NUMBERS[key] for key in method.overall if key in NUMBERS}
    return {
        "method": name,
        "models": {parent: dict(per_model) for parent in parents},
        "parameters": overall,
        "dtype": "float32",
        "seed": 7,
        **({"base": "base"} if method.base != "none" else {}),
    }


def further(number):
    """Return the name of a parent beyond the tiny models."""
    return f"parent_{number}"


@pytest.fixture(scope="module")
def parents(tiny_models, tmp_path_factory):
    """Return the tiny models, and as many further ones as the method with the most parents needs."""
    folders = dict(tiny_models)
    for number in range(3, max(method.parents[0] for method in METHODS.values()) + 1):
        folders[further(number)] = folder = tmp_path_factory.mktemp("parents") / further(number)
        shutil.copytree(tiny_models["two"], folder)
        weights = load_file(folder / "model.safetensors")
        torch.manual_seed(number)
        changed = {name: tensor + 0.02 * torch.randn(tensor.shape) for name, tensor in weights.items()}
        save_file(changed, folder / "model.safetensors", {"format": "pt"})
    return folders


@pytest.mark.parametrize("name", CALLED)
def test_every_method_runs(name, tmp_path, parents):
    merge = example(name)
    check_merge(name, merge, set(parents), "study.yaml")
    if own_engine(merge):
        engine.merge_all({name: merge}, parents, {name: tmp_path / "out"})
    else:
        pytest.importorskip("mergekit")
        in_this_process(recipe(merge, parents), tmp_path / "out", merge["seed"])
    check_result(tmp_path / "out", parents["base"])
    merged = dict(models.tensors(tmp_path / "out"))
    for parent in parents.values():
        assert not all(torch.equal(merged[tensor], values) for tensor, values in models.tensors(parent))


# Tensors that LoRA leaves alone, so that parents have them from the base.
UNTRAINED = ("model.embed_tokens.weight", "model.norm.weight", "model.layers.0.self_attn.q_proj.weight")


@pytest.fixture(scope="module")
def tuned(parents, tmp_path_factory):
    """Return the parents as LoRA leaves them: some tensors are those of the base."""
    base, folders = load_file(parents["base"] / "model.safetensors"), dict(parents)
    for name in set(parents) - {"base"}:
        folders[name] = folder = tmp_path_factory.mktemp("tuned") / name
        shutil.copytree(parents[name], folder)
        weights = load_file(folder / "model.safetensors") | {tensor: base[tensor] for tensor in UNTRAINED}
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folders


@pytest.mark.parametrize("name", CALLED)
def test_what_no_parent_changed_is_finite_and_near_the_base(name, tmp_path, tuned):
    merge = example(name) | {"dtype": "float16"}
    if own_engine(merge):
        engine.merge_all({name: merge}, tuned, {name: tmp_path / "out"})
    else:
        pytest.importorskip("mergekit")
        in_this_process(recipe(merge, tuned), tmp_path / "out", merge["seed"])
    check_result(tmp_path / "out", tuned["base"])
    merged, base = dict(models.tensors(tmp_path / "out")), dict(models.tensors(tuned["base"]))
    for tensor in UNTRAINED:
        assert torch.allclose(merged[tensor].float(), base[tensor].float(), atol=0.02), tensor


def test_multislerp_is_mergekits_but_keeps_what_three_parents_left_alone(tmp_path, tuned):
    pytest.importorskip("mergekit")
    merge = {**example("multislerp"), "base": "base"}
    engine.merge_all({"ours": merge | {"engine": "streamed"}}, tuned, {"ours": tmp_path / "ours"})
    in_this_process(recipe(merge, tuned), tmp_path / "theirs", 7)
    ours, theirs = (dict(models.tensors(tmp_path / name)) for name in ("ours", "theirs"))
    for name, tensor in theirs.items():
        assert torch.allclose(ours[name], tensor, atol=1e-6), name
    three = merge | {"models": {name: {"weight": 0.5} for name in ("one", "two", "three")}, "engine": "streamed"}
    folders = {**tuned, "three": tuned["one"]}
    engine.merge_all({"three": three}, folders, {"three": tmp_path / "three"})
    merged, base = dict(models.tensors(tmp_path / "three")), dict(models.tensors(tuned["base"]))
    assert all(torch.equal(merged[name], base[name]) for name in UNTRAINED)


def in_this_process(settings, folder, seed):
    """Run mergekit without paying for the start of its command line (5 s each)."""
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    options = MergeOptions(random_seed=seed, write_model_card=False, quiet=True)
    with torch.random.fork_rng():
        run_merge(MergeConfiguration.model_validate(settings), str(folder), options)


@pytest.fixture
def table(monkeypatch):
    """Let a test add methods that no other test sees."""
    monkeypatch.setattr(TABLE, "_parts", dict(TABLE))


def test_an_example_has_as_many_parents_as_its_method_declares(table):
    for name, numbers, parents in (
        ("three", (3, None), ["one", "two", "parent_3"]),
        ("single", (1, 1), ["one"]),
        ("any", (1, None), ["one", "two"]),
    ):
        TABLE.add(name, Method(name, "", parents=numbers))
        assert list(example(name)["models"]) == parents


UNFIT = {
    "a name that is no argument": (
        {"overall": [fraction("keeep", default=1.0)]},
        "declares the parameter 'keeep', but its function has no argument 'keeep'; did you mean 'keep'?",
    ),
    "one per parent that is no argument": (
        {"per_model": [WEIGHT]},
        "declares the parameter 'weight', but its function has no argument 'weight'",
    ),
    "no default": (
        {"overall": [fraction("keep")]},
        "has no default for the parameter 'keep'; give its argument one, or declare it with required=True",
    ),
}


@pytest.mark.parametrize(("declared", "sentence"), UNFIT.values(), ids=UNFIT)
def test_a_parameter_that_does_not_fit_its_function_is_refused(table, declared, sentence):
    with pytest.raises(JudgemergeError, match=f"^merge method 'unfit' {re.escape(sentence)}"):

        @merge_method(paper="", **declared)
        def unfit(tensors, keep):
            return tensors[0] * keep


def test_a_method_gets_defaults_where_a_merge_gives_nothing(table):
    @merge_method(
        paper="",
        per_model=[fraction("share"), fraction("part", default=0.25)],
        overall=[Parameter("scale", default=3.0)],
    )
    def defaults(tensors, part, scale, share=0.5):
        return share, part, scale

    models = {"one": {"share": 0.1}, "two": {"part": 0.2}}
    assert TABLE["defaults"].compute(models, {}, tensors=[]) == ([0.1, 0.5], [0.25, 0.2], 3.0)
    assert TABLE["defaults"].compute(models, {"scale": 2.0}, tensors=[])[2] == 2.0


def test_mergekit_has_no_method_for_two_experts_that_the_table_lacks():
    registry = pytest.importorskip("mergekit.merge_methods.registry")
    ours = {name for name, method in METHODS.items() if method.engine == "mergekit"}
    # passthrough copies one model per slice: there is nothing to merge.
    assert {method.spec.name for method in registry.registered_methods()} - {"passthrough"} == ours


def test_the_documentation_shows_the_table(repository):
    text = (repository / "docs" / "merging.md").read_text(encoding="utf-8")
    assert markdown() in text, "docs/merging.md differs; paste what `python scripts/commands/merge.py --methods` prints"
