"""LM-Cocktail's three calls: what they make, what they refuse, and that the published package makes the same."""

import json
import os
import subprocess
import sys
import warnings

import fork_server
import pytest
import torch

from judgemerge import JudgemergeError, mix_models, mix_models_by_layers, mix_models_with_data
from judgemerge.core import files, models
from judgemerge.embed.encoders import make_random_bert

EXAMPLES = [
    {"query": "the red house", "pos": ["a house that is red"], "neg": ["a boat"]},
    {"query": "a boat", "pos": ["a ship at sea"], "neg": ["the house"]},
    {"query": "one tree", "pos": ["an oak"], "neg": ["the sea"]},
]
TEXTS = [text for row in EXAMPLES for text in (row["query"], *row["pos"], *row["neg"])]


@pytest.fixture(scope="module")
def encoders(tmp_path_factory) -> list[str]:
    """Three random encoders with one vocabulary."""
    folder = tmp_path_factory.mktemp("encoders")
    for seed, name in enumerate(("one", "two", "three")):
        make_random_bert(folder / name, TEXTS, seed, hidden=16, layers=1, vocabulary=200, max_tokens=64)
    return [str(folder / name) for name in ("one", "two", "three")]


def parts(model) -> dict[str, torch.Tensor]:
    """The weights that are stored: a pooler that no folder has is drawn anew at each loading."""
    return {name: values.float() for name, values in model.state_dict().items() if not name.startswith("pooler.")}


def tensors(folder: str) -> dict[str, torch.Tensor]:
    return dict(models.tensors(folder))


def test_models_are_mixed_by_weights_and_saved_for_sentence_transformers(encoders, tmp_path):
    mixed = mix_models(encoders[:2], "encoder", [0.25, 0.75], output_path=tmp_path / "mixed")
    one, two, ours = tensors(encoders[0]), tensors(encoders[1]), tensors(tmp_path / "mixed")
    for name, values in ours.items():
        assert torch.allclose(values, 0.25 * one[name] + 0.75 * two[name], atol=1e-7), name
    assert all(torch.equal(mixed.state_dict()[name], values) for name, values in ours.items())
    assert (tmp_path / "mixed/modules.json").is_file() and "cocktail" in (tmp_path / "mixed/README.md").read_text()
    assert files.read_json(tmp_path / "mixed.json")["made_by"]["parents"].keys() == {"one", "two"}


def test_layer_by_layer_is_the_same_and_nothing_is_left_without_an_output(encoders, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    whole = mix_models(encoders, "encoder", [0.2, 0.3, 0.5])
    layered = mix_models_by_layers(encoders, "encoder", [0.2, 0.3, 0.5])
    assert all(torch.equal(values, parts(layered)[name]) for name, values in parts(whole).items())
    assert not list(tmp_path.iterdir())


def test_examples_decide_the_weights(encoders, tmp_path):
    mix_models_with_data(encoders, "encoder", EXAMPLES, 0.1, neg_number=1, output_path=tmp_path / "mixed")
    weighed = files.read_json(tmp_path / "mixed.json")["made_by"]["weights"]
    assert sum(weighed["weights"].values()) == pytest.approx(1)
    best = min(weighed["losses"], key=lambda name: weighed["losses"][name]["value"])
    assert max(weighed["weights"], key=weighed["weights"].get) == best
    assert "| model | loss | weight |" in (tmp_path / "mixed/README.md").read_text()


def test_a_product_is_mixed_again_and_models_of_one_name_are_told_apart(encoders, tmp_path):
    mix_models(encoders, "encoder", [0.4, 0.4, 0.2], output_path=tmp_path / "one")
    mix_models([encoders[0], str(tmp_path / "one")], "encoder", [0.5, 0.5], output_path=tmp_path / "again")
    assert files.read_json(tmp_path / "again.json")["made_by"]["parents"].keys() == {"one", "one_2"}


def test_an_earlier_mixture_is_replaced_and_nothing_else(encoders, tmp_path):
    for weights in ([0.5, 0.5], [0.9, 0.1]):
        mix_models(encoders[:2], "encoder", weights, output_path=tmp_path / "mixed")
    assert torch.allclose(
        tensors(tmp_path / "mixed")["embeddings.word_embeddings.weight"],
        0.9 * tensors(encoders[0])["embeddings.word_embeddings.weight"]
        + 0.1 * tensors(encoders[1])["embeddings.word_embeddings.weight"],
        atol=1e-7,
    )
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("")
    with pytest.raises(JudgemergeError, match="is there and was not made by a mixture"):
        mix_models(encoders[:2], "encoder", [0.5, 0.5], output_path=tmp_path / "mine")


def test_the_command_says_the_weights(encoders, tmp_path):
    (tmp_path / "five.json").write_text(json.dumps(EXAMPLES))
    command = [fork_server.python(), "scripts/commands/mix.py", "--models", *encoders, "--type", "encoder"]
    options = ["--examples", str(tmp_path / "five.json"), "--negatives", "1", "--output", str(tmp_path / "mixed")]
    process = subprocess.run([*command, *options], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    said = [float(line.split()[2].strip(",")) for line in process.stdout.splitlines()[:3]]
    assert sum(said) == pytest.approx(1, abs=1e-3) and process.stdout.startswith("one: weight 0.3")
    assert (tmp_path / "mixed/model.safetensors").is_file()
    process = subprocess.run([*command, "--output", str(tmp_path / "other")], capture_output=True, text=True)
    assert process.stderr.startswith("give --weights, one per model, or --examples")


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda models: mix_models(models, "encoder", [0.5, 0.5]), "3 models, but 2 weights"),
        (lambda models: mix_models(models[:2], "encoder", [0.5, 0.4]), "sum to 0.9; a cocktail needs a sum of 1"),
        (lambda models: mix_models(models, "embedder", [0.5, 0.3, 0.2]), "model_type is 'embedder'"),
        (lambda models: mix_models(["nobody/nothing"], "encoder", [1.0]), "nobody/nothing"),
        (lambda models: mix_models_with_data(models, "encoder", [{"query": "q"}]), "example 1 has no pos"),
        (lambda models: mix_models_with_data(models, "encoder", EXAMPLES), "1 negatives, but 7 are asked for"),
    ],
)
def test_what_cannot_be_mixed_is_refused(encoders, call, sentence, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(JudgemergeError, match=sentence):
        call(encoders)


# Its mix_models_by_layers ends in a TypeError with transformers 5 and accelerate 1.11; by definition it is mix_models.
@pytest.mark.parametrize("call", ["mix_models", "mix_models_with_data"])
def test_the_published_package_mixes_the_same(encoders, call, tmp_path, monkeypatch):
    folder = os.environ.get("JUDGEMERGE_LM_COCKTAIL", "")
    if not os.path.isdir(os.path.join(folder, "LM_Cocktail")):
        pytest.skip("pip install --no-deps --target DIR LM_Cocktail==0.0.4, then set JUDGEMERGE_LM_COCKTAIL=DIR")
    monkeypatch.syspath_prepend(folder)
    published = pytest.importorskip("LM_Cocktail")
    how = {"example_ata": EXAMPLES, "temperature": 0.1, "neg_number": 1, "max_input_length": 64}
    how = how if call == "mix_models_with_data" else {"weights": [0.2, 0.3, 0.5]}
    ours = {"mix_models": mix_models, "mix_models_with_data": mix_models_with_data}[call]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = getattr(published, call)(model_names_or_paths=encoders, model_type="encoder", **how)
    mixed = ours(model_names_or_paths=encoders, model_type="encoder", output_path=tmp_path / "ours", **how)
    for name, values in parts(theirs).items():
        assert torch.allclose(parts(mixed)[name], values, atol=2e-7, rtol=1e-5), name
    for name in [name for name in sys.modules if name.startswith("LM_Cocktail")]:
        del sys.modules[name]
