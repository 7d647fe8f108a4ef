"""Make deploy/{quantization}.Modelfile: what `ollama create` needs to serve a quantized judge."""

import os
from pathlib import Path

from judgemerge import deploying, files, quantizing
from judgemerge.logs import logged


def main(model: str, context: int, modelfile: str) -> None:
    """Find the family of the model's chat template and write the Modelfile; `context` is at most the model's own."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)

    def own(messages) -> str:
        return tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)

    family, default_system = deploying.family_of(own, tokenizer.bos_token or "", model)
    config = files.read_json(Path(model, "config.json"))
    longest = config.get("text_config", config).get("max_position_embeddings", context)
    weights = f"./{os.path.relpath(Path(model, quantizing.FILE), Path(modelfile).parent)}"
    stops = tokenizer.convert_ids_to_tokens(sorted(quantizing.turn_ends(model, tokenizer.get_vocab())))
    with files.atomic_writer(modelfile) as file:
        file.write(deploying.modelfile(family, default_system, weights, min(longest, context), stops))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(model=snakemake.input.model, context=snakemake.params.context, modelfile=snakemake.output[0])
