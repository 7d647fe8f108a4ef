"""llama.cpp's HF → GGUF converter for tokenizers with a vocabulary of their own.

Run as `python -m judgemerge.quantize.llama_converter MODEL --outfile FILE --outtype f16` with LLAMA_CPP_SRC naming the
folder of convert_hf_to_gguf.py, which takes all arguments.

The converter knows a BPE tokenizer by a hash of token ids, which depends on the vocabulary, so it refuses every new
one. What llama.cpp has to know is only how text is split before BPE. Where tokenizer.json says that exactly as Llama 3
does, the answer is known for any vocabulary; everywhere else the converter's own check decides.
"""

import json
import os
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path

# Llama 3's published split regex.
LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def splits_like_llama3(tokenizer: Mapping) -> bool:
    """Return whether a tokenizer.json splits text as Llama 3's: its regex, then bytes, whole words looked up first."""
    steps = (tokenizer.get("pre_tokenizer") or {}).get("pretokenizers", [])
    if [step.get("type") for step in steps] != ["Split", "ByteLevel"] or tokenizer.get("normalizer"):
        return False
    split, in_bytes = steps
    return (
        split.get("pattern", {}).get("Regex") == LLAMA3_SPLIT
        and split.get("behavior") == "Isolated"
        and not split.get("invert", False)
        and not in_bytes.get("use_regex", True)
        and not in_bytes.get("add_prefix_space", True)
        and tokenizer.get("model", {}).get("type") == "BPE"
        and tokenizer["model"].get("ignore_merges") is True
    )


def main() -> None:
    """Teach the converter about Llama 3's split, then run it as a program."""
    source = Path(os.environ["LLAMA_CPP_SRC"])
    sys.path[:0] = [str(source), str(source / "gguf-py")]
    from conversion.base import TextModel

    by_hash = TextModel.get_vocab_base_pre

    def by_definition(model, tokenizer) -> str:
        path = Path(model.dir_model, "tokenizer.json")
        if path.is_file() and splits_like_llama3(json.loads(path.read_text(encoding="utf-8"))):
            return "llama-bpe"
        return by_hash(model, tokenizer)

    TextModel.get_vocab_base_pre = by_definition
    runpy.run_path(str(source / "convert_hf_to_gguf.py"), run_name="__main__")


if __name__ == "__main__":
    main()
