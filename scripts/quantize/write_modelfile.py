"""Make deploy/{quantization}.Modelfile: what `ollama create` needs to serve a quantized judge."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from judgemerge.core import files, imports, models
from judgemerge.core.logs import logged
from judgemerge.prompting.chat_templates import Chat
from judgemerge.quantize import deploying


def main(model: str, context: int, modelfile: str, chat: Mapping = MappingProxyType({})) -> None:
    """Find the family of the model's chat template and write the Modelfile; `context` is at most the model's own.

    `chat` are arguments of chat_templates.Chat.
    """
    imports.transformers()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)

    template = Chat(tokenizer, model, **chat)
    family, default_system = deploying.family_of(template.render, tokenizer.bos_token or "", model)
    config = files.read_json(Path(model, "config.json"))
    longest = config.get("text_config", config).get("max_position_embeddings", context)
    weights = f"./{os.path.relpath(Path(model, models.GGUF_FILE), Path(modelfile).parent)}"
    stops = tokenizer.convert_ids_to_tokens(template.turn_ends)
    with files.atomic_writer(modelfile) as file:
        file.write(deploying.modelfile(family, default_system, weights, min(longest, context), stops))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            model=snakemake.input.model,
            context=snakemake.params.context,
            modelfile=snakemake.output[0],
            chat=snakemake.params.chat,
        )
