"""An export must answer as base + adapter: a right one passes, a wrong scale and an empty adapter are found."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from judgemerge.core.errors import JudgemergeError
from judgemerge.train import exports

TEXTS = ["Which answer is better?", "Name animals of Arland."]


def save_adapter(base, folder, scale, seed=0):
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base)
    adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"]))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=scale) if scale else torch.nn.init.zeros_(parameter)
    adapted.save_pretrained(folder / "adapter")
    return adapted


def export(adapted, base, folder):
    merged = adapted.merge_and_unload()
    merged.save_pretrained(folder / "exported")
    AutoTokenizer.from_pretrained(base).save_pretrained(folder / "exported")
    return folder / "exported"


def test_a_right_export_passes(tiny_models, tmp_path):
    adapted = save_adapter(tiny_models["base"], tmp_path, 0.1)
    exported = export(adapted, tiny_models["base"], tmp_path)
    found = exports.compare(tiny_models["base"], tmp_path / "adapter", exported, TEXTS, threads=1)
    assert found["difference"] < 1e-5 < found["moved"] and found["same_choice"] == 1 and found["prompts"] == 2
    exports.check(found, "models/expert")


def test_an_export_at_another_scale_is_refused(tiny_models, tmp_path):
    adapted = save_adapter(tiny_models["base"], tmp_path, 0.1)
    for module in adapted.modules():
        if isinstance(getattr(module, "scaling", None), dict):  # LoRA layers; attention has a number of this name
            module.scaling = {name: 2 * value for name, value in module.scaling.items()}
    exported = export(adapted, tiny_models["base"], tmp_path)
    found = exports.compare(tiny_models["base"], tmp_path / "adapter", exported, TEXTS, threads=1)
    with pytest.raises(JudgemergeError, match=r"models/expert: its logits differ from base \+ adapter"):
        exports.check(found, "models/expert")


def test_an_adapter_that_changes_nothing_is_refused(tiny_models, tmp_path):
    adapted = save_adapter(tiny_models["base"], tmp_path, 0)
    exported = export(adapted, tiny_models["base"], tmp_path)
    found = exports.compare(tiny_models["base"], tmp_path / "adapter", exported, TEXTS, threads=1)
    with pytest.raises(JudgemergeError, match="answers exactly as its base"):
        exports.check(found, "models/expert")
