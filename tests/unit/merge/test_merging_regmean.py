"""RegMean: FusionBench's definition written out with numpy, matrices of a real model, a merge of a study's items."""

import runpy

import numpy as np
import pytest
import torch

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import write_items
from judgemerge.merge import grams, runs
from judgemerge.merge.checks import check_merge
from judgemerge.merge.methods import METHODS
from judgemerge.merge.recipes import Merge
from judgemerge.synthetic import demo_tasks

EXAMPLES = [{"input": "Which answer is better?", "output": "The first."}, {"input": "Why?", "output": "It is longer."}]


def merge_of(**more):
    sets = {"one": "pairs", "two": "grades"}
    return {"method": "regmean", "models": {"one": {}, "two": {}}, "parameters": {}, "grams": sets, **more}


def inputs(n_tokens, width, seed):
    return torch.randn((n_tokens, width), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("off_diagonal", [0.6, 1.0])
def test_a_merge_is_what_the_definition_says(off_diagonal):
    """RegMean of FusionBench 0.2.33: off-diagonal values times the ratio, then inverse of the sum times the sum."""
    read = [inputs(40, 6, seed) for seed in (1, 2)]
    tensors = [inputs(4, 6, seed).float() for seed in (3, 4)]
    matrices = [(x.T @ x / len(x)).float() for x in read]
    merged = METHODS["regmean"].compute(
        {"a": {}, "b": {}}, {"off_diagonal": off_diagonal}, name="w", tensors=tensors, grams=matrices
    )
    ratio = np.diag(np.ones(6) - off_diagonal) + np.full((6, 6), off_diagonal)
    shrunk = [matrix.double().numpy() * ratio for matrix in matrices]
    right = sum(gram @ tensor.double().numpy().T for gram, tensor in zip(shrunk, tensors, strict=True))
    assert np.abs(merged.numpy() - (np.linalg.inv(sum(shrunk)) @ right).T).max() < 1e-6


def test_with_all_inputs_alike_regmean_is_the_mean_and_without_matrices_too():
    tensors = [inputs(4, 6, seed).float() for seed in (3, 4)]
    for matrices in ([torch.eye(6)] * 2, [None, None]):
        merged = METHODS["regmean"].compute({"a": {}, "b": {}}, {}, name="w", tensors=tensors, grams=matrices)
        assert torch.allclose(merged, (tensors[0] + tensors[1]) / 2, atol=1e-7)


def test_too_few_examples_are_told():
    one_token = torch.ones(6, 6)
    with pytest.raises(JudgemergeError, match="give more examples, or an off_diagonal below 1"):
        METHODS["regmean"].compute(
            {"a": {}}, {"off_diagonal": 1.0}, name="w", tensors=[torch.ones(2, 6)], grams=[one_token]
        )


def test_matrices_are_those_of_what_each_layer_reads(tmp_path, tiny_models, monkeypatch):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    told = grams.write(tiny_models["one"], EXAMPLES, tmp_path / "whole", {}, 7)
    model, tokenizer = (kind.from_pretrained(tiny_models["one"]) for kind in (AutoModelForCausalLM, AutoTokenizer))
    rows = grams._rows(tokenizer, EXAMPLES, 2048)
    assert told == {"n_examples": 2, "n_given": 2, "n_tokens": sum(map(len, rows))}
    name, read = "model.layers.1.mlp.down_proj", []
    model.get_submodule(name).register_forward_pre_hook(lambda module, given: read.append(given[0][0].detach()))
    for ids in rows:
        model(input_ids=torch.tensor([ids]))
    everything = torch.cat(read)
    matrices = grams.Grams(tmp_path / "whole")
    assert torch.allclose(matrices.get(f"{name}.weight"), everything.T @ everything / len(everything), atol=1e-5)
    assert matrices.get("model.norm.weight") is None
    monkeypatch.setattr(grams, "BUDGET", 1)
    grams.write(tiny_models["one"], EXAMPLES, tmp_path / "one_by_one", {}, 7)
    again = grams.Grams(tmp_path / "one_by_one")
    assert len(list((tmp_path / "one_by_one").iterdir())) > 10
    assert torch.equal(again.get(f"{name}.weight"), matrices.get(f"{name}.weight"))


def test_a_merge_of_items_is_nearer_to_its_parents_where_they_read(tmp_path, tiny_models, repository):
    sets = {"one": tmp_path / "pairs.jsonl", "two": tmp_path / "grades.jsonl"}
    for path, kind in zip(sets.values(), ("pairwise", "pointwise"), strict=True):
        write_items(path, demo_tasks.make_items(kind, "base", 6, seed=5))
    script = runpy.run_path(str(repository / "scripts/merge/collect_grams.py"))
    parents = {name: str(tiny_models[name]) for name in sets}
    prompts = [str(repository / f"config/prompts/brief_{kind}.yaml") for kind in ("pairwise", "pointwise")]
    script["main"](
        Merge.of(merge_of()), parents, {name: str(path) for name, path in sets.items()}, prompts, "raw", {}, 1,
        str(tmp_path / "weights"), str(tmp_path / "weights.json"),
    )  # fmt: skip
    noted = files.read_json(tmp_path / "weights.json")["noted"]
    assert noted["two"]["examples"] == "grades.jsonl" and noted["two"]["n_examples"] == 6
    folder = tmp_path / "models" / "merged"
    digests = dict.fromkeys(sets, "0")
    runs.make_model(
        merge_of(), runs.Parents(parents, digests), 1, str(folder), f"{folder}.json", str(tmp_path / "recipe.yaml"),
        str(tmp_path / "weights.json"),
    )  # fmt: skip
    merged, one, two = (dict(models.tensors(path)) for path in (folder, *parents.values()))
    norm, matrix = "model.norm.weight", "model.layers.0.mlp.up_proj.weight"
    assert torch.allclose(merged[norm], (one[norm] + two[norm]) / 2)
    gram = {name: grams.Grams(tmp_path / "weights" / name).get(matrix) for name in sets}

    def distance(weights):
        """Return how far outputs are from the parents', each on what it reads."""
        changes = ((weights - parent[matrix], gram[name]) for name, parent in (("one", one), ("two", two)))
        return float(sum(((change @ matrix_of) * change).sum() for change, matrix_of in changes))

    assert distance(merged[matrix]) < distance((one[matrix] + two[matrix]) / 2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"grams": None}, "says nothing of what 'one' reads; add grams.one"),
        ({"grams": {"one": "pairs"}}, "says nothing of what 'two' reads; add grams.two"),
        (
            {"grams": {"one": "a", "two": "b", "tow": "c"}},
            "has grams of 'tow', which is no parent; did you mean 'two'?",
        ),
        (
            {"method": "cocktail", "models": {"one": {"weight": 0.5}, "two": {"weight": 0.5}}},
            "does not use; remove them",
        ),
        ({"parameters": {"off_diagonal": 1.2}}, "it must lie in"),
    ],
)
def test_what_cannot_be_merged_is_refused(changes, said):
    entry = {key: value for key, value in (merge_of() | changes).items() if value is not None}
    with pytest.raises(JudgemergeError) as refusal:
        check_merge("m", entry, {"one", "two"}, "study.yaml")
    assert said in str(refusal.value)
