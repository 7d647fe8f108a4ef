"""Experts as models of their own, and whether one answers as its base with the adapter does: logits compared."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from judgemerge.core import files, imports, models
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.prompting import chat_templates
from judgemerge.train import training
from judgemerge.train.llamafactory import export

# Largest difference of a logit, as a share of the largest logit. Folding W + (alpha / r) B A rounds once to the number
# format of the weights, where base + adapter rounds twice: 2^-8 for bfloat16, 2^-11 for float16, summed over layers.
TOLERANCE = {"float32": 1e-4, "float16": 2e-2, "bfloat16": 5e-2}


def export_expert(
    adapter: str, recipe_file: str, base: str, base_digest: str, threads: int, model: str, manifest: str
) -> None:
    """Write the model with the chat template and the ends of a turn that the expert was trained with.

    LLaMA-Factory folds a LoRA update into its base; where all weights were trained, `adapter` is the whole model.
    """
    recipe = load_yaml(recipe_file)
    fresh = Path(f"{model}.part")
    origin = {"base": base_digest}
    if recipe["finetuning_type"] == "lora":
        folding = training.export_recipe(base, adapter, fresh, recipe["template"])
        kept = {key: recipe[key] for key in ("split_experts", "leave_out_spare_ends") if key in recipe}
        export(folding | kept, threads)
        origin["adapter"] = files.sha256_file(Path(adapter, models.ADAPTER))
    else:
        models.check_folder(adapter)
        models.copy_model(adapter, fresh)
    models.complete_description(fresh, base)
    carry_form(fresh, recipe.get("asked_by"))
    models.move_into_place(fresh, model)
    files.write_json(manifest, models.describe(model, rule="export_expert", **origin, training=recipe))


def carry_form(folder: str | Path, chat_template: str | None) -> None:
    """Give a model folder the chat template it was trained in, and settings that name all that ends a turn.

    LLaMA-Factory's export replaces chat templates by its own for some templates, and leaves the base's end token in the
    generation settings. A folder that has it right already stays byte for byte.
    """
    imports.transformers()
    from transformers import AutoTokenizer

    if chat_template is not None and chat_templates.read(folder) != chat_template:
        chat_templates.write(folder, chat_template)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    chat_templates.write_turn_ends(folder, chat_templates.Chat(tokenizer, folder).turn_ends)


def compare(base: str | Path, adapter: str | Path, exported: str | Path, texts: Sequence[str], threads: int) -> dict:
    """Return {prompts, tokens, dtype, largest_logit, difference, moved, same_choice} for `texts`, read as they are.

    `difference` is the largest difference between exported and base + adapter, `moved` between exported and the base
    alone, both as a share of the largest logit; `same_choice` is the share of tokens with the same most likely next
    one. One model is in memory at a time.
    """
    import torch

    torch.set_num_threads(threads)
    together = list(_logits(base, texts, adapter))
    alone = list(_logits(base, texts))
    merged = list(_logits(exported, texts))
    largest = max(float(logits.abs().max()) for logits in together)
    choices = [(one.argmax(-1) == other.argmax(-1)) for one, other in zip(together, merged, strict=True)]
    return {
        "prompts": len(texts),
        "tokens": sum(len(same) for same in choices),
        "dtype": _dtype(exported),
        "largest_logit": largest,
        "difference": max(float((a - b).abs().max()) for a, b in zip(together, merged, strict=True)) / largest,
        "moved": max(float((a - b).abs().max()) for a, b in zip(alone, merged, strict=True)) / largest,
        "same_choice": float(torch.cat(choices).float().mean()),
    }


def check(comparison: Mapping, where: str) -> None:
    """Refuse an export that does not answer like base + adapter, or that is the base unchanged."""
    difference, dtype = comparison["difference"], comparison["dtype"]
    if not difference <= TOLERANCE[dtype]:
        raise JudgemergeError(
            f"{where}: its logits differ from base + adapter by {difference:.2g} of the largest, more than "
            f"{TOLERANCE[dtype]:g} for {dtype}; delete the model and export again, with the LLaMA-Factory of the lock"
        )
    if comparison["moved"] == 0:
        raise JudgemergeError(f"{where}: it answers exactly as its base; the adapter is empty, train the expert again")


def _logits(folder: str | Path, texts: Sequence[str], adapter: str | Path | None = None) -> Iterator:
    imports.transformers()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=getattr(torch, _dtype(folder)), use_safetensors=True, trust_remote_code=False
    )
    if adapter is not None:
        from peft import PeftModel

        from judgemerge.train import fused_experts

        fused_experts.split_for(model, adapter)
        model = PeftModel.from_pretrained(model, adapter)
    model.eval()
    with torch.inference_mode():
        for text in texts:
            ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
            yield model(input_ids=ids).logits[0].float()


def _dtype(folder: str | Path) -> str:
    from transformers import AutoConfig

    dtype = AutoConfig.from_pretrained(folder, trust_remote_code=False).dtype
    return str(dtype).removeprefix("torch.") if dtype is not None else "float32"
