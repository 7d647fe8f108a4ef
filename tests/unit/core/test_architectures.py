"""Files that lack a tensor: nobody judges with it, trains it, or takes what memory held for weights."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from judgemerge.core import architectures
from judgemerge.core.errors import JudgemergeError
from judgemerge.judge.backends.transformers import Transformers
from judgemerge.train.runs import Start

GONE = "model.layers.1.mlp.down_proj.weight"


@pytest.fixture
def gapped(tiny_models, tmp_path):
    """Return a model whose file lacks one tensor."""
    folder = shutil.copytree(tiny_models["base"], tmp_path / "gapped")
    path = folder / "model.safetensors"
    save_file({name: tensor for name, tensor in load_file(path).items() if name != GONE}, path, {"format": "pt"})
    return folder


def test_whole_models_lack_nothing(tiny_models, tmp_path):
    assert architectures.missing_weights(tiny_models["base"]) == []
    without_head = shutil.copytree(tiny_models["base"], tmp_path / "tied")
    config = json.loads((without_head / "config.json").read_text())
    (without_head / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": True}))
    path = without_head / "model.safetensors"
    save_file({name: tensor for name, tensor in load_file(path).items() if name != "lm_head.weight"}, path)
    assert architectures.missing_weights(without_head) == []


@pytest.mark.parametrize("kind", [{"quantization_config": {"quant_method": "gptq"}}, {"architectures": ["Nobodys"]}])
def test_nothing_is_said_of_classes_and_formats_that_are_not_known(gapped, kind):
    config = json.loads((gapped / "config.json").read_text())
    (gapped / "config.json").write_text(json.dumps({**config, **kind}))
    assert architectures.missing_weights(gapped) == []


def test_nobody_judges_with_it_or_trains_it(gapped, tmp_path):
    sentence = f"{gapped}: the weights lack the tensor {GONE}; get the model again"
    with pytest.raises(JudgemergeError) as said:
        Transformers(gapped, "auto", 100, 1).prepare()
    assert str(said.value).startswith(sentence)
    with pytest.raises(JudgemergeError) as said:
        Start.at(str(gapped), str(tmp_path / "none.json"), 1, 1, str(tmp_path))
    assert str(said.value).startswith(sentence)
