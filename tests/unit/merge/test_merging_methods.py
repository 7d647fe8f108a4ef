"""Every row of the method table is run on random models, and docs/merging.md shows the table as it is."""

import pytest
import torch

from judgemerge.core import models
from judgemerge.merge import METHODS, check_result, engine, recipe
from judgemerge.merge.checks import check_merge
from judgemerge.merge.recipes import own_engine
from judgemerge.merge.table import markdown

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
CALLED = [name for name, method in METHODS.items() if not method.adapters]


def example(name):
    """Return a merge of the tiny models by this method, with every number that it takes."""
    method = METHODS[name]
    two = ["base", "two"] if method.base_is_parent else ["one", "two"]
    parents = two if (method.parents[1] or 2) > 1 else ["one"]
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


@pytest.mark.parametrize("name", CALLED)
def test_every_method_runs(name, tmp_path, tiny_models):
    merge = example(name)
    check_merge(name, merge, set(tiny_models), "study.yaml")
    if own_engine(merge):
        engine.merge_all({name: merge}, tiny_models, {name: tmp_path / "out"})
    else:
        pytest.importorskip("mergekit")
        in_this_process(recipe(merge, tiny_models), tmp_path / "out", merge["seed"])
    check_result(tmp_path / "out", tiny_models["base"])
    merged = dict(models.tensors(tmp_path / "out"))
    for parent in tiny_models.values():
        assert not all(torch.equal(merged[tensor], values) for tensor, values in models.tensors(parent))


def in_this_process(settings, folder, seed):
    """Run mergekit without paying for the start of its command line (5 s each)."""
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    options = MergeOptions(random_seed=seed, write_model_card=False, quiet=True)
    with torch.random.fork_rng():
        run_merge(MergeConfiguration.model_validate(settings), str(folder), options)


def test_mergekit_has_no_method_for_two_experts_that_the_table_lacks():
    registry = pytest.importorskip("mergekit.merge_methods.registry")
    ours = {name for name, method in METHODS.items() if method.engine == "mergekit"}
    # passthrough copies one model per slice: there is nothing to merge.
    assert {method.spec.name for method in registry.registered_methods()} - {"passthrough"} == ours


def test_the_documentation_shows_the_table(repository):
    text = (repository / "docs" / "merging.md").read_text(encoding="utf-8")
    assert markdown() in text, "docs/merging.md differs; paste what `python scripts/commands/merge.py --methods` prints"
