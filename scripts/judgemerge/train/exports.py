"""Whether an exported expert answers as its base with the adapter does: logits compared on a few prompts."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from judgemerge.core.errors import JudgemergeError

# Largest difference of a logit, as a share of the largest logit. Folding W + (alpha / r) B A rounds once to the number
# format of the weights, where base + adapter rounds twice: 2^-8 for bfloat16, 2^-11 for float16, summed over layers.
TOLERANCE = {"float32": 1e-4, "float16": 2e-2, "bfloat16": 5e-2}


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


def check(found: dict, where: str) -> None:
    """Refuse an export that does not answer like base + adapter, or that is the base unchanged."""
    tolerance = TOLERANCE[found["dtype"]]
    if not found["difference"] <= tolerance:
        raise JudgemergeError(
            f"{where}: its logits differ from base + adapter by {found['difference']:.2g} of the largest, more than "
            f"{tolerance:g} for {found['dtype']}; delete the model and export again, with the LLaMA-Factory of the lock"
        )
    if found["moved"] == 0:
        raise JudgemergeError(f"{where}: it answers exactly as its base; the adapter is empty, train the expert again")


def _logits(folder: str | Path, texts: Sequence[str], adapter: str | Path | None = None) -> Iterator:
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
