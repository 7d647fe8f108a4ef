"""Streamed merges of real folders: against mergekit and plain arithmetic, shards, tied weights, buffers."""

import shutil

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.merge import cocktail, engine, preflight, runs, streams
from judgemerge.merge.streams import Weights, Writer


def entry(method, base=None, parameters=None, dtype="float32", **parents):
    found = {"method": method, "models": parents, "parameters": parameters or {}, "dtype": dtype, "seed": 7}
    return found | ({"base": base} if base else {})


def half(**more):
    return {"weight": 0.5, **more}


def tensors_of(folder):
    return dict(models.tensors(folder))


@pytest.fixture
def run(tmp_path, tiny_models, tools_on_path):
    """Return a function that makes one merge of the tiny models, as the rule does, and gives its folder."""

    def merged(merge, name="merged", **more):
        names = dict.fromkeys(filter(None, [merge.get("base"), *merge["models"]]))
        folder = tmp_path / "models" / name
        runs.make_model(
            merge=merge,
            parents=runs.Parents({model: str(tiny_models[model]) for model in names}, dict.fromkeys(names, "0")),
            threads=1,
            model=str(folder),
            manifest=f"{folder}.json",
            recipe_file=str(tmp_path / f"{name}.yaml"),
            **more,
        )
        return folder

    return merged


@pytest.fixture
def changed(tmp_path, tiny_models):
    """Return a function that copies a tiny model with its tensors, or its config, changed by a function."""

    def copy(name, change=None, source="one", config=None):
        folder = tmp_path / name
        shutil.copytree(tiny_models[source], folder)
        tensors = load_file(folder / "model.safetensors")
        if change:
            tensors = change(tensors) or tensors
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        if config:
            files.write_json(folder / "config.json", files.read_json(folder / "config.json") | config)
        return folder

    return copy


STREAMED = {
    "linear": entry("linear", one={"weight": 0.3}, two={"weight": 0.7}),
    "task_arithmetic": entry("task_arithmetic", "base", {"lambda": 0.8}, one={"weight": 0.6}, two={"weight": 0.5}),
    "ties": entry("ties", "base", one=half(density=0.4), two=half(density=0.6)),
    "ties by layers and parts": entry(
        "ties",
        "base",
        {"lambda": [{"filter": "mlp", "value": 0.5}, {"value": 1.0}]},
        one={"weight": [{"filter": "layers.0.self_attn.", "value": 0.9}, {"value": 0.5}], "density": 0.4},
        two=half(density=[{"filter": "layers.1.", "value": 0.2}, {"value": 0.6}]),
    ),
    "linear in bfloat16": entry("linear", dtype="bfloat16", one=half(), two=half()),
}


@pytest.mark.parametrize(
    "merge",
    [
        # Means are compared in bfloat16, where rounding shows; in float32 too by `make test-all`.
        pytest.param(merge, id=name, marks=[pytest.mark.long] if name == "linear" else [])
        for name, merge in STREAMED.items()
    ],
)
def test_the_streamed_engine_is_mergekit_bit_by_bit(run, merge):
    theirs, ours = tensors_of(run(merge, "theirs")), tensors_of(run(merge | {"engine": "streamed"}, "ours"))
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        assert values.dtype == theirs[name].dtype
        assert torch.equal(values, theirs[name]), name


def test_variants_of_one_pass_are_those_of_single_passes(tmp_path, tiny_models):
    merges = {
        f"ties_{density}": entry("ties", "base", one=half(density=density), two=half(density=0.5))
        for density in (0.2, 0.5, 1.0)
    }
    merges["sum"] = entry("task_arithmetic", "base", one=half(), two=half())
    together = {name: tmp_path / "together" / name for name in merges}
    engine.merge_all(merges, tiny_models, together)
    for name, merge in merges.items():
        engine.merge_all({name: merge}, tiny_models, {name: tmp_path / "single" / name})
        one, other = together[name] / "model.safetensors", tmp_path / "single" / name / "model.safetensors"
        assert one.read_bytes() == other.read_bytes()


def test_a_tensor_read_and_written_in_pieces_is_no_different(tmp_path, tiny_models, monkeypatch):
    merges = {
        "mix": entry("linear", dtype="bfloat16", two=half(), one=half()),
        "sum": entry("task_arithmetic", "two", dtype="bfloat16", one=half()),
    }
    for part, size in (("whole", 1 << 30), ("pieces", 1000)):
        monkeypatch.setattr(streams, "PIECE", size)
        engine.merge_all(merges, tiny_models, {name: tmp_path / part / name for name in merges}, shard_bytes=1_000_000)
    whole = sorted((tmp_path / "whole").rglob("*.safetensors"))
    assert len(whole) > 2
    for path in whole:
        assert path.read_bytes() == (tmp_path / "pieces" / path.relative_to(tmp_path / "whole")).read_bytes()


def test_a_merged_folder_is_a_model_that_transformers_loads(run, tiny_models):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = run(STREAMED["linear in bfloat16"] | {"engine": "streamed"})
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.dtype == torch.bfloat16
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(tiny_models["one"]).chat_template
    ids = tokenizer("Is this so?", return_tensors="pt")
    assert torch.isfinite(model(**ids).logits).all()


def test_shards_and_index_hold_the_same_tensors(tmp_path, tiny_models):
    merges = {"mix": STREAMED["linear"]}
    engine.merge_all(merges, tiny_models, {"mix": tmp_path / "whole"})
    engine.merge_all(merges, tiny_models, {"mix": tmp_path / "shards"}, shard_bytes=1_000_000)
    index = files.read_json(tmp_path / "shards" / "model.safetensors.index.json")
    shards = sorted(path.name for path in (tmp_path / "shards").glob("*.safetensors"))
    assert len(shards) > 2 and shards == sorted(set(index["weight_map"].values()))
    whole = tensors_of(tmp_path / "whole")
    assert index["metadata"]["total_size"] == sum(t.numel() * t.element_size() for t in whole.values())
    for name, shard in index["weight_map"].items():
        assert torch.equal(load_file(tmp_path / "shards" / shard)[name], whole[name])


def test_what_is_written_is_read_again_by_safetensors_and_by_us(tmp_path):
    tensors = {
        "a": torch.randn(3, 5).bfloat16(),
        "count": torch.tensor(7),
        "mask": torch.tensor([True, False, True]),
        "empty": torch.zeros(0, 4),
        "b": torch.randn(7),
    }
    shapes = {"a": "BF16", "count": "I64", "mask": "BOOL", "empty": "F32", "b": "F32"}
    writer = Writer(tmp_path, [(name, form, tuple(tensors[name].shape)) for name, form in shapes.items()])
    for name in writer.names:
        writer.add(name, tensors[name])
    writer.finish()
    files.write_json(tmp_path / "config.json", {})
    read, again = Weights(tmp_path), load_file(tmp_path / "model.safetensors")
    for name, tensor in tensors.items():
        assert torch.equal(read.get(name), tensor) and torch.equal(again[name], tensor)
        assert read.get(name).dtype == again[name].dtype == tensor.dtype


# ---- cocktails ----


def test_a_cocktail_is_the_in_memory_sum_bit_by_bit(tmp_path, tiny_models):
    weights = {"one": 0.2, "two": 0.5, "base": 0.3}
    folders = {name: tiny_models[name] for name in weights}
    cocktail.mix(folders, weights, tmp_path / "mix", shard_bytes=2_000_000)
    parents = {name: tensors_of(folder) for name, folder in folders.items()}
    for name, values in tensors_of(tmp_path / "mix").items():
        total = 0.2 * parents["one"][name]
        total += 0.5 * parents["two"][name]
        total += 0.3 * parents["base"][name]
        assert torch.equal(values, total)


@pytest.mark.parametrize("weights", [(0.5, 0.3), (0.8, 0.4)], ids=["below 1", "above 1"])
def test_weights_of_a_cocktail_must_sum_to_1(tmp_path, tiny_models, weights):
    folders = {name: tiny_models[name] for name in ("one", "two")}
    with pytest.raises(JudgemergeError, match=f"weights that sum to {sum(weights):g}; a cocktail needs a sum of 1"):
        cocktail.mix(folders, dict(zip(folders, weights, strict=True)), tmp_path / "mix")
    assert not (tmp_path / "mix").exists()


def test_mixed_number_formats_are_merged_in_the_format_asked_for(tmp_path, tiny_models, changed):
    low = changed("low", lambda tensors: {name: tensor.bfloat16() for name, tensor in tensors.items()}, "two")
    folders = {"one": tiny_models["one"], "low": low}
    noted = preflight.check_parents(folders)
    assert noted["formats"] == {"one": ["F32"], "low": ["BF16"]}
    cocktail.mix(folders, {"one": 0.5, "low": 0.5}, tmp_path / "mix", dtype="float32")
    one, two = tensors_of(tiny_models["one"]), tensors_of(low)
    for name, values in tensors_of(tmp_path / "mix").items():
        assert values.dtype == torch.float32
        assert torch.equal(values, 0.5 * one[name] + 0.5 * two[name].float())


def with_buffer(value):
    return lambda tensors: {**tensors, "steps": torch.tensor([value])}


def test_integer_tensors_are_kept_when_equal_and_refused_when_not(tmp_path, changed):
    one, two = changed("first", with_buffer(3)), changed("second", with_buffer(3), "two")
    cocktail.mix({"a": one, "b": two}, {"a": 0.5, "b": 0.5}, tmp_path / "mix")
    assert tensors_of(tmp_path / "mix")["steps"].tolist() == [3]
    other = changed("third", with_buffer(4), "two")
    with pytest.raises(JudgemergeError, match="third/model.safetensors: integer tensor 'steps' differs from that in"):
        cocktail.mix({"a": one, "b": other}, {"a": 0.5, "b": 0.5}, tmp_path / "bad")
    assert not (tmp_path / "bad").exists()


def tied(tensors):
    return {**tensors, "lm_head.weight": tensors["model.embed_tokens.weight"].clone()}


def untied(tensors):
    del tensors["lm_head.weight"]


TIED = {"tie_word_embeddings": True}


def test_a_stored_copy_of_a_tied_weight_is_left_out(tmp_path, changed):
    """Some libraries store lm_head beside the embeddings it is tied to, others do not."""
    stored, single = changed("stored", tied, "one", TIED), changed("single", untied, "two", TIED)
    preflight.check_parents({"a": stored, "b": single})
    for order in ({"a": stored, "b": single}, {"b": single, "a": stored}):
        noted = cocktail.mix(order, {"a": 0.5, "b": 0.5}, tmp_path / "-".join(order))
        assert noted["left_out"] == ["lm_head.weight"]
        assert "lm_head.weight" not in tensors_of(tmp_path / "-".join(order))


def test_an_output_layer_that_only_one_model_has_is_refused(tmp_path, changed):
    own, single = changed("own", None, "one", TIED), changed("single", untied, "two", TIED)
    sentence = r"own/model.safetensors: tensor 'lm_head.weight' \[512, 256\] is missing in .*single"
    with pytest.raises(JudgemergeError, match=sentence):
        cocktail.mix({"a": own, "b": single}, {"a": 0.5, "b": 0.5}, tmp_path / "mix")


def test_positions_that_only_one_model_stores_are_left_out(tmp_path, changed, tiny_models):
    name = "embeddings.position_ids"
    old = changed("old", lambda tensors: {**tensors, name: torch.arange(4)})
    noted = cocktail.mix({"old": old, "two": tiny_models["two"]}, {"old": 0.5, "two": 0.5}, tmp_path / "mix")
    assert noted["left_out"] == [name]


# ---- preflight ----


def fewer_columns(tensors):
    tensors["lm_head.weight"] = tensors["lm_head.weight"][:, :128].contiguous()


def extra(tensors):
    tensors["model.layers.2.mlp.up_proj.weight"] = torch.ones(2, 2)


def whole_numbers(tensors):
    tensors["model.norm.weight"] = tensors["model.norm.weight"].to(torch.int8)


MISFITS = {
    "shape": ({"change": fewer_columns}, "tensor 'lm_head.weight' has shape [512, 128], but [512, 256] in"),
    "extra": ({"change": extra}, "tensor 'model.layers.2.mlp.up_proj.weight' [2, 2] is missing in"),
    "missing": ({"change": untied}, "tensor 'lm_head.weight' [512, 256] is missing in"),
    "format": ({"change": whole_numbers}, "tensor 'model.norm.weight' has format I8, but F32 in"),
    "sizes": ({"config": {"num_attention_heads": 8}}, "'num_attention_heads' is 8, but 4 in"),
    "architecture": ({"config": {"model_type": "mistral"}}, "'model_type' is 'mistral', but 'llama' in"),
    "tied or not": ({"config": TIED}, "'tie_word_embeddings' is True, but False in"),
    "quantized": ({"config": {"quantization_config": {"bits": 4}}}, "the model is quantized (quantization_config)"),
}


@pytest.mark.parametrize(("how", "sentence"), MISFITS.values(), ids=MISFITS)
def test_models_that_do_not_fit_are_refused_from_their_headers(tiny_models, changed, how, sentence):
    odd = changed("odd", **how)
    with pytest.raises(JudgemergeError) as caught:
        preflight.check_parents({"base": tiny_models["base"], "odd": odd})
    assert sentence in str(caught.value) and "odd" in str(caught.value)


def test_tokenizers_are_compared_token_by_token(tiny_models, changed):
    odd = changed("odd")
    content = files.read_json(odd / "tokenizer.json")
    vocabulary = content["model"]["vocab"]
    first, second = sorted(vocabulary, key=vocabulary.get)[:2]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    files.write_json(odd / "tokenizer.json", content)
    with pytest.raises(JudgemergeError) as caught:
        preflight.check_parents({"base": tiny_models["base"], "odd": odd})
    assert str(caught.value).startswith(
        f"{odd / 'tokenizer.json'}: 512 tokens, but 512 in {tiny_models['base'] / 'tokenizer.json'}; first difference: "
    )
    (odd / "tokenizer.json").unlink()
    assert preflight.check_parents({"base": tiny_models["base"], "odd": odd})["without_tokenizer_json"] == ["odd"]


# ---- cards, supermario through the rule's script ----


def test_a_card_says_what_the_model_was_made_of(run):
    merge = entry("supermario", "base", {"p": 0.1, "lambda": 1.95}, one={}, two={})
    folder = run(merge)
    text = (folder / "README.md").read_text()
    for part in ("# merged", "`supermario`", "lambda: 1.95", "Seed 7, 1 thread", "| base | base | `0` |", "torch 2"):
        assert part in text
    manifest = files.read_json(f"{folder}.json")
    assert "README.md" not in manifest["files"]
    assert files.read_json(f"{run(merge, 'again')}.json")["digest"] == manifest["digest"]
    assert files.read_json(f"{run(merge | {'seed': 8}, 'other')}.json")["digest"] != manifest["digest"]


def test_a_card_with_scores_stands_beside_its_parents():
    import pandas as pd

    from judgemerge.merge import cards

    manifest = {
        "digest": "d",
        "made_by": {"merge": STREAMED["linear"], "parents": {"one": "1", "two": "2"}, "threads": 1},
        "versions": {"python": "3"},
    }
    row = {"benchmark": "b", "metric": "accuracy", "ci_low": 0.4, "ci_high": 0.6, "n": 9, "errors": 1, "rules": "house"}
    rows = [{**row, "judge": "mix", "value": 0.5}, {**row, "judge": "one", "value": 0.7}]
    rows += [{**row, "judge": "mix", "metric": "accuracy[Code]", "value": 0.9}, {**rows[0], "rules": "published"}]
    text = cards.card("mix", manifest, pd.DataFrame(rows), metrics=["accuracy"])
    assert "| benchmark | metric | mix | interval | n | errors | one |" in text
    assert "| b | accuracy | 0.500 | 0.400 to 0.600 | 9 | 1 | 0.700 (0.400 to 0.600) |" in text
    head = yaml.safe_load(text.split("---")[1])
    assert head.pop("model-index")[0]["results"][0]["metrics"][0]["value"] == 0.5  # test_model_index.py has the rest
    assert head == {
        "library_name": "transformers",
        "base_model": ["one", "two"],
        "base_model_relation": "merge",
        "tags": ["merge", "mergekit"],
    }
    about = {"repos": {"one": "owner/one"}, "licence": "CC-BY-4.0", "study": "mine", "prompts": "brief_pairwise"}
    text = cards.card("mix", manifest, pd.DataFrame(rows), about, ["accuracy"])
    head = yaml.safe_load(text.split("---")[1])
    assert (head["base_model"], head["license"]) == (["owner/one", "two"], "cc-by-4.0")
    assert "Study: mine." in text and "Prompts: brief_pairwise." in text
    assert text.count("| b |") == 1
    assert "Not judged in this study." in cards.card("else", manifest, pd.DataFrame(rows), metrics=["accuracy"])


def test_a_card_says_in_a_sentence_per_benchmark_whether_the_merge_may_replace_people():
    import pandas as pd

    from judgemerge.merge import cards

    answer = {"judge": "mix", "benchmark": "b", "metric": "answer", "epsilon": 0.15}
    sentence = "no: of three annotators it beats none; ρ .715 [.67, .76]"
    rows = [
        {**answer, "note": sentence},
        {**answer, "judge": "other", "note": "yes"},
        {**answer, "metric": "advantage"},
    ]
    text = cards.answers("mix", pd.DataFrame(rows))
    assert f"- b (ε = 0.15): {sentence}" in text.split("\n") and "yes:" not in text.partition("By the")[0]
    assert cards.answers("else", pd.DataFrame(rows)) == ""
