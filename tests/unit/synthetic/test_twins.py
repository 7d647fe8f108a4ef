"""Twins of published models: in their hub's own form, and taken by every part of judgemerge as the published ones."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoTokenizer

from judgemerge.core import architectures, files, models
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.data.sources import load_sources
from judgemerge.embed import encoders, mixing
from judgemerge.judge.backends.transformers import Transformers
from judgemerge.merge import cocktail, preflight, runs
from judgemerge.prompting.prompts import load_template, prompt_sources
from judgemerge.study.load import load_study
from judgemerge.synthetic import twins
from judgemerge.train import exports, llamafactory, lora_targets, trained_forms, training
from judgemerge.train.llamafactory import load_form
from judgemerge.train.training import trainings

ENCODERS = {"BAAI/bge-large-en-v1.5", "BAAI/bge-reranker-v2-m3"}
DECODERS = [name for name in twins.names() if name not in ENCODERS]
STUDIES = ["meld", "prometheus", "orpo", "unified", "embedder"]
SCALES = {"unified": ["other_bases", "original", "full_sets"], "prometheus": ["original"]}
# What a model that has no chat template is asked in.
NAMED = {
    "google/gemma-2b": "gemma",
    "google/gemma-7b": "gemma",
    "models/baichuan-7b": "none",
    "models/chatglm3-6b": "none",
}
ANSWER = {"role": "assistant", "content": "The second."}


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("twins")
    for name in twins.names():
        twins.write(root / name, twins.facts_of(name), 1, 2, twins.texts())
    return {name: root / name for name in twins.names()}


@pytest.fixture(scope="module")
def backends(folders) -> dict[str, Transformers]:
    chats = {name: {"chat_template": NAMED[name]} if name in NAMED else {} for name in DECODERS}
    return {name: Transformers(folders[name], "auto", 1000, 1, chat) for name, chat in chats.items()}


def study_of(repository, name, scale=None, **changes):
    settings = load_yaml(repository / "config" / "studies" / f"{name}.yaml")
    return load_study({**settings, "twins": True, "scale": scale, **changes}, name, repository / "config")


ALL = [(name, scale) for name in STUDIES for scale in (None, *SCALES.get(name, []))]


# ---- files ----


def test_the_same_seed_gives_the_same_bytes(folders, tmp_path):
    for name in ("google/gemma-2b", "BAAI/bge-reranker-v2-m3"):
        again, other = tmp_path / "again" / name, tmp_path / "other" / name
        twins.write(again, twins.facts_of(name), 1, 2, twins.texts())
        twins.write(other, twins.facts_of(name), 2, 2, twins.texts())
        digests = [
            {path.name: files.sha256_file(path) for path in folder.rglob("*") if path.is_file()}
            for folder in (folders[name], again, other)
        ]
        assert digests[0] == digests[1]
        assert {file for file in digests[0] if digests[0][file] != digests[2][file]} == {
            path.name for path in models.weight_files(folders[name])
        }


@pytest.mark.parametrize("name", twins.names())
def test_tensors_have_the_names_of_the_hub_and_load_without_a_gap(name, folders):
    facts, folder = twins.facts_of(name), folders[name]
    config = files.read_json(folder / "config.json")
    shapes = models.tensor_shapes(folder)
    assert sorted(shapes) == twins.tensor_names(facts, config)
    assert len(models.weight_files(folder)) == facts.shards
    loaded = getattr(transformers, config["architectures"][0]).from_pretrained(folder, output_loading_info=True)
    model, info = loaded
    buffers = {one for one in shapes if one.endswith(twins.BUFFERS)}
    assert {key: value for key, value in info.items() if value} == ({"unexpected_keys": buffers} if buffers else {})
    assert str(model.dtype) == f"torch.{config['torch_dtype']}"
    with torch.inference_mode():
        assert torch.isfinite(model(torch.tensor([[5, 6, 7, 300]]))[0]).all()


@pytest.mark.parametrize("name", twins.names())
def test_a_tensor_that_the_files_lack_is_named_and_no_other(name, folders, tmp_path):
    folder = folders[name]
    assert architectures.missing_weights(folder) == []
    gone = max(name for name in models.tensor_shapes(folder) if "layer" in name)
    shutil.copytree(folder, tmp_path / "gapped")
    for path in models.weight_files(tmp_path / "gapped"):
        kept = {name: tensor for name, tensor in load_file(path).items() if name != gone}
        save_file(kept, path, {"format": "pt"})
    assert architectures.missing_weights(tmp_path / "gapped") == [gone]


def test_a_download_would_leave_out_what_is_no_part_of_the_model(folders, tmp_path):
    name = "mistralai/Mistral-Small-Instruct-2409"
    models.copy_model(folders[name], tmp_path / "kept")
    left_out = {path.name for path in folders[name].iterdir()} - {path.name for path in (tmp_path / "kept").iterdir()}
    assert left_out >= {"consolidated.safetensors", "params.json", "README.md"}
    assert len(list((tmp_path / "kept").glob("model-*-of-00010.safetensors"))) == 10


@pytest.mark.parametrize("name", twins.names())
def test_ids_in_the_settings_are_those_of_the_tokens(name, folders):
    facts, tokenizer = twins.facts_of(name), AutoTokenizer.from_pretrained(folders[name])
    for file, published in (("config.json", facts.config), ("generation_config.json", facts.generation or {})):
        written = files.read_json(folders[name] / file) if published else {}
        for key in set(twins.TOKEN_KEYS) & set(published):
            tokens = published[key] if isinstance(published[key], list) else [published[key]]
            ids = written[key] if isinstance(written[key], list) else [written[key]]
            assert tokenizer.convert_ids_to_tokens(ids) == tokens
    vocabulary_size = AutoConfig.from_pretrained(folders[name]).vocab_size
    assert len(tokenizer) <= vocabulary_size < len(tokenizer) + facts.padded
    text = "naïve café: 你好, 12,345 words\n\n  end"
    if name in DECODERS:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids).removeprefix(" ") == text


# ---- asking ----


@pytest.fixture(scope="module")
def asked(repository, tmp_path_factory) -> dict[str, list[dict[str, str]]]:
    """The messages of every prompt, placeholders as they are; published ones where there is a mirror."""
    mirror = Path(os.environ.get("JUDGEMERGE_MIRROR") or repository.parent / "shared" / "mirror")
    sources, folder = load_sources(repository / "config" / "sources.yaml"), tmp_path_factory.mktemp("sources")
    messages = {}
    for path in sorted((repository / "config" / "prompts").glob("*.yaml")):
        present = {name: mirror / str(sources[name].mirror_path) for name in prompt_sources(path)}
        if not all(raw.is_file() for raw in present.values()):
            continue
        for name, raw in present.items():
            (folder / name).exists() or (folder / name).symlink_to(raw)
        template = load_template(path, folder)
        system = [{"role": "system", "content": template.system}] if template.system else []
        messages[path.stem] = [*system, {"role": "user", "content": template.user}]
    return messages


@pytest.mark.parametrize("name", DECODERS)
def test_every_prompt_begins_once_and_opens_its_reply_once(name, backends, asked):
    backend, begins = backends[name], twins.facts_of(name).tokenizer.bos
    opening = backend.render([{"role": "user", "content": "Q?"}]).rpartition("Q?")[2]
    assert opening.strip() or name in NAMED
    for prompt, messages in asked.items():
        text = backend.render(messages)
        ids = backend.tokenizer(text, add_special_tokens=False)["input_ids"]
        first = backend.tokenizer.convert_tokens_to_ids(begins) if begins else None
        assert ids.count(first) == bool(begins), prompt
        assert begins is None or ids[0] == first, prompt
        assert text.endswith(opening), prompt
        assert not text.removesuffix(opening).endswith(opening), prompt
        for message in messages:
            assert message["content"].strip() in text, prompt


@pytest.mark.parametrize("name", DECODERS)
def test_what_ends_a_turn_is_known_and_trained(name, backends, folders):
    backend = backends[name]
    ends = set(backend.tokenizer.convert_ids_to_tokens(backend.stop))
    published = (twins.facts_of(name).generation or {}).get("eos_token_id")
    assert ends >= {*(published if isinstance(published, list) else [published])}
    written = backend.chat.continuation([{"role": "user", "content": "Q?"}], ANSWER["content"])
    assert ANSWER["content"] in written  # Qwen 3 puts an empty thought before it
    last = backend.tokenizer(written, add_special_tokens=False)["input_ids"][
        len(backend.tokenizer(ANSWER["content"])) :
    ]
    assert set(last) & set(backend.stop)


PUBLISHED = {
    "meta-llama/Meta-Llama-3-8B-Instruct": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>"
        "\n\nU<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    "meta-llama/Llama-3.2-1B-Instruct": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
        "Today Date: 26 Jul 2024\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nU<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    "mistralai/Mistral-7B-Instruct-v0.2": "<s> [INST] S\n\nU [/INST]",
    "prometheus-eval/prometheus-7b-v2.0": "<s>[INST] S\n\nU [/INST]",
    "mistralai/Mistral-Small-Instruct-2409": "<s>[INST] S\n\nU[/INST]",
    "microsoft/Phi-3.5-mini-instruct": "<|system|>\nS<|end|>\n<|user|>\nU<|end|>\n<|assistant|>\n",
    "Qwen/Qwen3-4B": "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n",
    "google/gemma-2-2b-it": "<bos><start_of_turn>user\nS\n\nU<end_of_turn>\n<start_of_turn>model\n",
    "google/gemma-3-1b-it": "<bos><start_of_turn>user\nS\n\nU<end_of_turn>\n<start_of_turn>model\n",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_chat_templates_write_what_the_published_ones_do(name, backends):
    messages = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    assert backends[name].render(messages) == PUBLISHED[name]
    refuses = name in ("prometheus-eval/prometheus-7b-v2.0", "google/gemma-2-2b-it")
    assert backends[name].chat.has_system_turn == (not refuses)


# ---- studies ----


@pytest.mark.parametrize("name, scale", ALL)
def test_no_model_of_a_study_is_downloaded_or_looked_for(name, scale, repository):
    study = study_of(repository, name, scale)
    assert not study.models_by_origin("repo") + study.models_by_origin("path") + study.downloaded_models
    assert study.models_by_origin("twin") or name == "embedder"
    if study.settings.embedding:
        assert study.embedding.encoders_with("twin") == ["base", "reranker"]


def test_how_twins_are_made_may_be_said(repository):
    study = study_of(repository, "prometheus", twins={"layers": 3, "seed": 4})
    entry = study.models["mistral"]
    assert entry.twin.plain() == {"of": "mistralai/Mistral-7B-Instruct-v0.2", "layers": 3, "seed": 4}
    assert entry.chat_template == "mistral_v1"
    assert study_of(repository, "prometheus", twins=False).models_by_origin("twin") == []
    assert study_of(repository, "prometheus", twins="true").models_by_origin("repo") == []


def test_a_model_without_an_entry_is_refused_in_one_sentence(repository):
    other = {"repo": "someone/else", "revision": "0" * 40}
    settings = load_yaml(repository / "config" / "studies" / "prometheus.yaml")
    settings["models"]["mistral"] = other
    with pytest.raises(
        JudgemergeError, match=r"models\.mistral\.repo: config/twins\.yaml has no entry for 'someone/else'.*copy"
    ):
        load_study({**settings, "twins": True}, "here", repository / "config")
    settings["models"]["mistral"] = {"twin": {"of": "someone/else"}}
    with pytest.raises(JudgemergeError, match=r"models\.mistral\.twin: config/twins\.yaml has no entry"):
        load_study(settings, "here", repository / "config")


@pytest.mark.parametrize("name, scale", [(name, scale) for name, scale in ALL if name != "embedder"])
def test_trainings_are_in_the_form_of_their_base_and_reach_what_they_name(name, scale, folders, repository, caplog):
    study = study_of(repository, name, scale)
    checked = {}
    for key, base, keys in trainings(study):
        folder = folders[study.models[base].twin.of]
        form = (folder, keys.get("template"), str(study.chat_in_training(base)))
        if form not in checked:
            # Only conversations of FineTome have several turns.
            longer = trained_forms.SEVERAL if key == "screening" else ()
            checked[form] = load_form(folder, keys, study.chat_in_training(base), key, longer)
        if keys.get("finetuning_type", "lora") != "lora":
            continue
        settings, modules = lora_targets.prepare(folder, {"finetuning_type": "lora", **keys}, key)
        for target in lora_targets.targets(keys):
            assert target == "all" or lora_targets.matching(target, modules), (key, target)
        n_experts = sum(".experts." in module for module in modules)
        assert n_experts == (2 * 8 * 3 if base == "mixtral" else 0)
        assert ("split_experts" in settings) == bool(n_experts)
    assert checked


def test_no_token_is_added_to_llama_3(folders):
    folder = folders["meta-llama/Meta-Llama-3-8B-Instruct"]
    form = load_form(folder, {"template": "llama3"}, {}, "here")
    assert form.recipe == {"template": "llama3", "leave_out_spare_ends": True}
    assert len(form.tokenizer) == 8192
    of_later = load_form(folders["meta-llama/Llama-3.2-1B-Instruct"], {"template": "llama3"}, {}, "here")
    assert of_later.recipe == {"template": "llama3"}


def test_a_system_text_may_open_the_last_turn(folders):
    form = load_form(
        folders["mistralai/Mistral-Small-Instruct-2409"], {"template": "mistral"}, {}, "here", trained_forms.SEVERAL
    )
    talk = [*trained_forms.SEVERAL[True], ANSWER]
    assert form.laid_out({"messages": talk})["messages"] == [
        *talk[1:3], {"role": "user", "content": f"{talk[0]['content']}\n\n{talk[3]['content']}"}, ANSWER
    ]  # fmt: skip


@pytest.mark.slow
def test_a_trained_and_exported_llama_3_has_the_tokens_of_its_base(folders, tmp_path, tools_on_path):
    base, output, exported = folders["meta-llama/Meta-Llama-3-8B-Instruct"], tmp_path / "output", tmp_path / "exported"
    rows = [{"instruction": f"Question {n}", "input": "", "output": f"Verdict: {'AB'[n % 2]}"} for n in range(8)]
    training.write_dataset(tmp_path / "data", rows)
    own = {"lora_target": "all", "cutoff_len": 64, "per_device_train_batch_size": 4, "learning_rate": 1e-2}
    form = load_form(base, {"template": "llama3"}, {}, "here")
    settings, _ = lora_targets.prepare(base, {**training.expert_settings({}, own), **form.recipe}, "here")
    llamafactory.train(training.training_recipe(base, tmp_path / "data", output, settings, 3), threads=1)
    export = training.export_recipe(base, output, exported, "llama3")
    llamafactory.export({**export, "leave_out_spare_ends": True}, threads=1)
    assert len(AutoTokenizer.from_pretrained(exported)) == len(form.tokenizer) == 8192
    models.complete_description(exported, base)
    exports.carry_form(exported, form.chat.text)
    preflight.check_parents({"base": base, "expert": exported})


# ---- merging ----


@pytest.mark.parametrize(
    "name",
    ["mistralai/Mixtral-8x7B-Instruct-v0.1", "meta-llama/Llama-3.2-1B-Instruct", "microsoft/Phi-3.5-mini-instruct"],
)
@pytest.mark.parametrize("engine", ["streamed", pytest.param("mergekit", marks=pytest.mark.long)])
def test_merges_have_the_tensors_and_files_of_their_parents(engine, name, folders, tmp_path, tools_on_path):
    twins.write(tmp_path / "hub", twins.facts_of(name), 2, 2, twins.texts())
    models.copy_model(tmp_path / "hub", tmp_path / "other")
    parents = {"one": folders[name], "other": tmp_path / "other"}
    weights = {"one": {"weight": 0.25}, "other": {"weight": 0.75}}
    merge = {"method": "linear", "models": weights, "parameters": {}, "dtype": "bfloat16", "seed": 7, "engine": engine}
    digests = {model: model for model in parents}
    runs.merge_folders("out", merge, runs.Parents(parents, digests), tmp_path / "out", tmp_path / "out.yaml", 1)
    one, other, out = (dict(models.tensors(folder)) for folder in (*parents.values(), tmp_path / "out"))
    assert out.keys() == one.keys()
    for tensor in out:
        expected = 0.25 * one[tensor].float() + 0.75 * other[tensor].float()
        assert torch.allclose(out[tensor].float(), expected, rtol=0.01, atol=1e-6), tensor
    described = {path.name for path in models.description_files(folders[name])}
    assert described <= {path.name for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize("name", twins.names())
def test_a_twin_may_be_merged_with_what_transformers_saves_of_it(name, folders, tmp_path):
    folder = folders[name]
    if name == "BAAI/bge-large-en-v1.5":
        mixing.check_base(folder)
        return
    config = files.read_json(folder / "config.json")
    model = getattr(transformers, config["architectures"][0]).from_pretrained(folder)
    model.save_pretrained(tmp_path / "saved")
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "saved")
    models.complete_description(tmp_path / "saved", folder)
    report = preflight.check_parents({"hub": folder, "saved": tmp_path / "saved"})
    assert report["tensors"]


def tuned(folder: Path, output: Path) -> Path:
    """Save a fine-tune of a published encoder as a training does, every weight moved."""
    model = encoders.open_embedder(folder)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(1)
        for parameter in model.parameters():
            parameter += 0.01 * torch.randn_like(parameter)
    encoders.save_model(model, output, folder)
    return output


def test_mixing_is_the_published_arithmetic_on_a_base_that_was_never_saved_again(folders, tmp_path):
    base = folders["BAAI/bge-large-en-v1.5"]
    parents = {"base": base, "tuned": tuned(base, tmp_path / "tuned")}
    cocktail.mix(parents, {"base": 0.3, "tuned": 0.7}, tmp_path / "mix")
    mix, one, two = (load_file(folder / "model.safetensors") for folder in (tmp_path / "mix", *parents.values()))
    assert {name for name in one if name not in mix} == {"embeddings.position_ids"}
    for name in mix:
        assert torch.equal(mix[name], 0.3 * one[name] + 0.7 * two[name]), name


def test_mixing_equals_lm_cocktail(folders, tmp_path, monkeypatch):
    package = os.environ.get("JUDGEMERGE_LM_COCKTAIL", "")
    if not os.path.isdir(os.path.join(package, "LM_Cocktail")):
        pytest.skip("needs the published package: set JUDGEMERGE_LM_COCKTAIL (test_merging_cocktail.py says how)")
    monkeypatch.syspath_prepend(package)
    from LM_Cocktail import utils

    base = folders["BAAI/bge-large-en-v1.5"]
    parents = {"base": base, "tuned": tuned(base, tmp_path / "tuned")}
    weights = {"base": 0.3, "tuned": 0.7}
    theirs = utils.merge_param(
        utils.get_model_param_list([str(folder) for folder in parents.values()], model_type="encoder"),
        list(weights.values()),
    )
    cocktail.mix(parents, weights, tmp_path / "mix")
    ours = load_file(tmp_path / "mix" / "model.safetensors")
    for name in [name for name in sys.modules if name.startswith("LM_Cocktail")]:
        del sys.modules[name]
    shared = [name for name in theirs if "pooler" not in name]
    assert len(shared) > 30
    assert all(torch.equal(ours[name], theirs[name]) for name in shared)


# ---- the table ----


def test_every_model_of_the_hub_that_a_study_names_has_a_twin(repository):
    named = set()
    for path in (repository / "config" / "studies").glob("*.yaml"):
        named |= set(re.findall(r"repo: ([\w.-]+/[\w.-]+)", path.read_text(encoding="utf-8")))
    assert len(named) > 10
    assert named <= set(twins.names())


def test_a_table_that_does_not_fit_the_architecture_is_refused(tmp_path):
    facts = twins.facts_of("google/gemma-2b")
    wrong = twins.TwinFacts(**{**vars(facts), "tensors": [*facts.tensors, "lm_head.weight"]})
    with pytest.raises(JudgemergeError, match=r"google/gemma-2b: tensor 'lm_head\.weight' is in only one of"):
        twins.write(tmp_path, wrong, 1, 1, twins.texts())


def test_a_job_makes_the_twin_of_its_parameter(tmp_path):
    parameter = {"of": "google/gemma-2b", "layers": 1, "seed": 3, "facts": twins.plain_facts("google/gemma-2b")}
    twins.make(tmp_path / "twin", json.loads(json.dumps(parameter)))
    assert files.read_json(tmp_path / "twin" / "config.json")["num_hidden_layers"] == 1
