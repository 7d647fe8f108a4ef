"""Encoders as the hub has them, which no library of ours has saved."""

import json

import torch
from safetensors.torch import save_file

from judgemerge.embed import encoders

SIZE = {
    "vocab_size": 120, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 40,
}  # fmt: skip
# How a checkpoint of the hub lies there: class, what it has beside the encoder, prefix of its names.
HUB = {
    "bert": ("BertModel", (), ""),
    "bert_with_pooler_and_positions": ("BertModel", ("pooler", "position_ids"), ""),
    "bert_with_its_first_head": ("BertForMaskedLM", ("cls",), "bert."),
    "xlm_roberta": ("XLMRobertaModel", ("position_ids",), ""),
    "reranker_of_xlm_roberta": ("XLMRobertaForSequenceClassification", ("classifier",), "roberta."),
    "reranker_of_bert": ("BertForSequenceClassification", ("classifier", "pooler"), "bert."),
    "mpnet": ("MPNetModel", (), ""),
    "mpnet_with_its_first_head": ("MPNetForMaskedLM", ("lm_head",), "mpnet."),
    "distilbert": ("DistilBertModel", (), ""),
    "deberta": ("DebertaV2Model", (), ""),
    "reranker_of_deberta": ("DebertaV2ForSequenceClassification", ("classifier", "pooler"), "deberta."),
    "decoder": ("Qwen3Model", (), ""),
    "decoder_with_its_tied_head": ("Qwen3ForCausalLM", (), "model."),
}
# What other classes call the same sizes, and what they need besides.
OTHER_SIZES = {
    "DistilBertConfig": {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32},
    "Qwen3Config": {"num_key_value_heads": 2, "head_dim": 8, "tie_word_embeddings": True},
}


def hub_model(folder, kind, seed=0):
    """Write a checkpoint by hand as the hub has it: norms called weight and bias, no pooler unless the kind has one."""
    import transformers

    architecture, has, prefix = HUB[kind]
    model_class = getattr(transformers, architecture)
    more = OTHER_SIZES.get(model_class.config_class.__name__, {})
    config = model_class.config_class(**SIZE, **more, num_labels=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state = model_class(config).state_dict()
    tensors = {
        name: values.clone()
        for name, values in state.items()
        if "position_ids" not in name
        and ("pooler" not in name or "pooler" in has)
        and not name.startswith(("cls.predictions.decoder", "lm_head.decoder", "lm_head.weight"))
    }
    assert all("LayerNorm" not in name or name.endswith(("weight", "bias")) for name in tensors)
    if "position_ids" in has:
        tensors[f"{prefix}embeddings.position_ids"] = torch.arange(SIZE["max_position_embeddings"])[None]
    folder.mkdir(parents=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    content = config.to_dict() | {"architectures": [architecture]}
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
    encoders.train_tokenizer(["a red house by the sea", "two boats"], 120, 40).save_pretrained(folder)
    return folder
