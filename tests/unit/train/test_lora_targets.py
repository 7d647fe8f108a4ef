"""Every name in lora_target is a layer of the base, before the training and in what it left; experts are layers too."""

import json
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, MixtralConfig, Qwen3MoeConfig

from judgemerge.core import models
from judgemerge.core.errors import JudgemergeError
from judgemerge.merge.adapters import Adapter
from judgemerge.merge.streams import Weights
from judgemerge.study.load import load_study
from judgemerge.train import checks, exports, fused_experts, llamafactory, lora_targets, training, training_audit

SIZES = {
    "vocab_size": 512,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]


def lora(target, **more):
    return {"finetuning_type": "lora", "lora_target": target, "lora_rank": 4, **more}


@pytest.fixture(scope="module")
def mixtures(tiny_models, tmp_path_factory):
    """Random mixtures of two layers with four experts each, with the tiny Llama's tokenizer, by name."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_models["base"])
    special = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    configs = {
        "mixtral": MixtralConfig(**SIZES, **special, intermediate_size=96, num_local_experts=4),
        "qwen3_moe": Qwen3MoeConfig(
            **SIZES, **special, head_dim=16, moe_intermediate_size=48, num_experts=4, num_experts_per_tok=2
        ),
    }
    folders = {}
    for name, config in configs.items():
        torch.manual_seed(0)
        folders[name] = tmp_path_factory.mktemp(name) / name
        AutoModelForCausalLM.from_config(config).save_pretrained(folders[name])
        tokenizer.save_pretrained(folders[name])
    return folders


# ---- names ----


@pytest.mark.parametrize(
    ("target", "n_modules"),
    [("q_proj,v_proj", 4), ("all", 14), ("lm_head,down_proj", 3), (" q_proj , layers.1.self_attn.k_proj", 3)],
)
def test_names_are_taken_as_peft_takes_them(tiny_models, target, n_modules):
    found = lora_targets.adapted(tiny_models["base"], lora(target), "here")
    assert len(found.modules) == n_modules and not found.experts


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (lora("q_proj,v_porj"), "here: lora_target names 'v_porj', .* did you mean 'v_proj'"),
        (lora("q_proj,w1"), "here: lora_target names 'w1', which is no layer of base 'base'"),
        (lora("mlp"), "lora_target names 'mlp'"),  # a module, but no layer
        (lora("all", additional_target="embed_token"), "additional_target names 'embed_token', .*'embed_tokens'"),
    ],
)
def test_a_name_that_matches_nothing_is_refused(tiny_models, settings, sentence):
    with pytest.raises(JudgemergeError, match=sentence):
        lora_targets.adapted(tiny_models["base"], settings, "here")


def study(**settings):
    return {
        "study": "mine",
        "models": {"base": {"make": {}}},
        "base": "base",
        "experts": {"one": {"train_on": ["demo_pairwise_train"], "settings": settings}},
        "suites": {"demo": {"benchmarks": ["demo_pairwise"]}},
        "judges": ["one"],
        "judging": {"prompts": {"pairwise": "brief_pairwise"}},
    }


def test_a_plan_refuses_a_name_that_a_base_on_this_machine_lacks(repository, tiny_models, mixtures):
    with pytest.raises(JudgemergeError, match="experts.one: lora_target names 'v_porj', .*'v_proj'"):
        load_study(study(lora_target="q_proj,v_porj"), "mine.yaml", repository / "config")
    for folder, target in ((tiny_models["base"], "w1"), (mixtures["mixtral"], "gate_proj")):
        given = study(lora_target=f"q_proj,{target}")
        given["models"]["base"] = {"path": str(folder)}
        with pytest.raises(JudgemergeError, match=f"lora_target names '{target}'"):
            load_study(given, "mine.yaml", repository / "config")
    given["experts"]["one"]["settings"] = {"lora_target": "q_proj,w1"}
    load_study(given, "mine.yaml", repository / "config")


@pytest.mark.parametrize(
    ("more", "key"),
    [
        (
            {"searches": {"best": {"expert": "one", "space": {"lora_target": {"choices": ["q_proj", "q_porj"]}},
             "development": "demo_pairwise_development"}}},
            "searches.best",
        ),
        (
            {"screening": {"bases": ["base"], "train_on": ["demo_preferences_train"], "steps": 2,
             "evaluate_on": ["demo_preferences_test"], "settings": {"lora_target": "q_porj"}}},
            "screening",
        ),
    ],
)  # fmt: skip
def test_trials_and_screenings_are_trainings_too(repository, more, key):
    with pytest.raises(JudgemergeError, match=f"{key}: lora_target names 'q_porj', .*'q_proj'"):
        load_study(study() | more, "mine.yaml", repository / "config")


# ---- experts of mixtures ----


@pytest.mark.parametrize(
    ("name", "target", "n_modules"),
    [
        ("mixtral", "q_proj,w1,w2,w3,lm_head", 2 * (1 + 3 * 4) + 1),
        ("mixtral", "all", 2 * (4 + 3 * 4)),
        ("qwen3_moe", "gate_proj,up_proj,down_proj", 2 * 3 * 4),
    ],
)
def test_experts_are_layers_under_their_stored_names(mixtures, name, target, n_modules):
    found = lora_targets.adapted(mixtures[name], lora(target), "here")
    assert len(found.modules) == n_modules and found.experts


def test_attention_alone_leaves_the_experts_fused(mixtures):
    assert not lora_targets.adapted(mixtures["mixtral"], lora(",".join(ATTENTION)), "here").experts


@pytest.mark.parametrize("name", ["mixtral", "qwen3_moe"])
def test_split_experts_compute_what_fused_ones_do(mixtures, name):
    model = AutoModelForCausalLM.from_pretrained(mixtures[name])
    ids = torch.arange(40).reshape(2, 20)
    with torch.no_grad():
        expected = model(ids).logits
        experts = dict(fused_experts.fused(model))
        assert fused_experts.split(model, "here") == 2
        assert torch.allclose(model(ids).logits, expected, atol=1e-5)
        fused_experts.fuse(model, experts)
        assert torch.equal(model(ids).logits, expected)


def test_experts_of_another_kind_are_refused(mixtures):
    model = AutoModelForCausalLM.from_pretrained(mixtures["mixtral"])
    for _, module in fused_experts.fused(model):
        module.gate_up_proj = torch.nn.Parameter(module.gate_up_proj.data.transpose(1, 2).contiguous())
    assert not fused_experts.can_split(model)
    with pytest.raises(JudgemergeError, match="are of a kind that cannot be adapted"):
        fused_experts.split(model, "here")


def test_training_and_export_change_the_weights_of_every_expert(mixtures, tmp_path, tools_on_path):
    base, output, exported = mixtures["mixtral"], tmp_path / "output", tmp_path / "exported"
    rows = [{"instruction": f"Question {n}", "input": "", "output": f"Verdict: {'AB'[n % 2]}"} for n in range(16)]
    training.write_dataset(tmp_path / "data", rows)
    own = {"cutoff_len": 64, "per_device_train_batch_size": 4, "num_train_epochs": 2.0, "learning_rate": 1e-2}
    settings = training.expert_settings({}, {**lora("q_proj,w1,w2,w3,lm_head", lora_dropout=0.1), **own})
    settings, adapted = lora_targets.prepare(base, settings, "here")
    recipe = training.training_recipe(base, tmp_path / "data", output, settings, 3)
    llamafactory.train(recipe, threads=1)
    training_audit.check(output, recipe, len(rows), adapted, "here")
    export = training.export_recipe(base, output, exported, "llama3")
    llamafactory.export({**export, "split_experts": True}, threads=1)
    before, after = (dict(models.tensors(folder)) for folder in (base, exported))
    assert before.keys() == after.keys()  # stored names
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name for name in before if ".experts." in name} <= changed
    assert not any(".k_proj." in name for name in changed)
    found = exports.compare(base, output, exported, ["Which answer?"], threads=1)
    exports.check(found, "exported")
    assert found["difference"] < 1e-4 < found["moved"]


def test_an_adapter_of_experts_is_merged_under_the_stored_names(mixtures, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(mixtures["mixtral"])
    fused_experts.split(model, "here")
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["w1", "q_proj"], init_lora_weights=False))
    adapted.save_pretrained(tmp_path)
    adapter, base = Adapter(tmp_path), Weights(mixtures["mixtral"])
    adapter.check(base, tmp_path)
    assert adapter.matrices.keys() <= base.entries.keys()
    assert "model.layers.1.block_sparse_moe.experts.3.w1.weight" in adapter.matrices
    loaded = AutoModelForCausalLM.from_pretrained(mixtures["mixtral"])
    fused_experts.split_for(loaded, tmp_path)
    assert not list(fused_experts.fused(loaded))


@pytest.mark.parametrize("kind", ["path", "downloaded"])
def test_names_are_compared_with_a_base_that_lies_here(kind, tiny_models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/s/models").mkdir(parents=True)
    (tmp_path / "results/s/models/base").symlink_to(tiny_models["base"])
    entry = SimpleNamespace(path=str(tiny_models["base"]) if kind == "path" else None)
    expert = SimpleNamespace(settings={"lora_target": "q_proj,v_porj"})
    settings = SimpleNamespace(training={}, screening=None)
    study = SimpleNamespace(name="s", where="here", models={"base": entry}, experts={"x": expert}, searches={},
                            settings=settings, base_of=lambda name: "base")  # fmt: skip
    with pytest.raises(JudgemergeError, match="experts.x: lora_target names 'v_porj'.* did you mean 'v_proj'"):
        checks.check_targets(study)
    expert.settings["lora_target"] = "q_proj,v_proj,lm_head"
    checks.check_targets(study)


# ---- what was written ----


@pytest.fixture
def adapter(tiny_models, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(tiny_models["base"])
    config = LoraConfig(r=4, lora_alpha=8, target_modules=ATTENTION[:2], use_rslora=True)
    get_peft_model(model, config).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def test_an_adapter_as_asked_for_passes(tiny_models, adapter):
    settings = lora("q_proj,k_proj", use_rslora=True)
    modules = lora_targets.adapted(tiny_models["base"], settings, "here").modules
    assert lora_targets.check_written(adapter, settings, modules, "here") == {"modules": 4, "matrices": 8}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (lora("q_proj,k_proj,v_proj", use_rslora=True), r"lacks matrices for model\.layers\.0\.self_attn\.v_proj"),
        (lora("q_proj", use_rslora=True), r"has matrices for model\.layers\.0\.self_attn\.k_proj"),
        (lora("q_proj,k_proj"), "asked for use_rslora False, but .* says True"),
        (lora("q_proj,k_proj", use_rslora=True, lora_alpha=16), "asked for lora_alpha 16, but .* says 8"),
    ],
)
def test_an_adapter_that_is_not_what_was_asked_for_is_refused(tiny_models, adapter, settings, sentence):
    modules = lora_targets.adapted(tiny_models["base"], settings, "here").modules
    with pytest.raises(JudgemergeError, match=sentence):
        lora_targets.check_written(adapter, settings, modules, "here")


@pytest.mark.parametrize(
    ("recipe", "n_examples", "steps"),
    [
        ({"per_device_train_batch_size": 4, "num_train_epochs": 2.0}, 10, 6),
        ({"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, "num_train_epochs": 1.0}, 33, 5),
        ({"per_device_train_batch_size": 2, "processes": 4, "num_train_epochs": 1.5}, 32, 6),
        ({"per_device_train_batch_size": 1, "max_samples": 7, "num_train_epochs": 1.0}, 32, 7),
        ({"per_device_train_batch_size": 1, "val_size": 0.1, "num_train_epochs": 1.0}, 32, 28),
        ({"max_steps": 10}, 1000, 10),
    ],
)
def test_steps_are_counted_as_transformers_does(recipe, n_examples, steps):
    assert training_audit.n_steps(recipe, n_examples) == steps


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"max_steps": 9, "global_step": 9}, "10 examples make 10 steps, but LLaMA-Factory trained for 9"),
        ({"max_steps": 10, "global_step": 4}, "the training ended after 4 of 10 steps"),
    ],
)
def test_a_training_of_other_steps_is_refused(tmp_path, state, sentence):
    (tmp_path / "trainer_state.json").write_text(json.dumps({**state, "log_history": []}))
    recipe = {"per_device_train_batch_size": 1, "num_train_epochs": 1.0}
    with pytest.raises(JudgemergeError, match=sentence):
        training_audit.check(tmp_path, recipe, 10, None, "here")
    training_audit.check(tmp_path, {**recipe, "packing": True}, 10, None, "here")
