"""The losses that weigh the models of a cocktail, as LM-Cocktail defines them (arXiv:2311.13534; package 0.0.4).

Each loss takes a loaded model, its tokenizer and examples, and returns a `Loss`. Torch is imported inside, so that
this module costs nothing to import. Where the package guesses (a pad token that is the end token, prompts beyond the
limit, too few negatives), these functions are exact or refuse, naming the example.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from judgemerge.core import files, imports
from judgemerge.core.errors import JudgemergeError
from judgemerge.prompting.chat_templates import Chat

if TYPE_CHECKING:
    import torch

Average = Literal["batch", "example"]
Group = tuple[str, list[str]]  # a query and its passages, the right one first
# score / TEMPERATURE is what the contrastive softmax sees (LM-Cocktail and FlagEmbedding use 0.02 to 0.05 in training).
ENCODER_TEMPERATURE = 0.05
IGNORED = -100
NEEDED = {
    "decoder": ("output",),
    "encoder_decoder": ("input", "output"),
    "encoder": ("query", "pos", "neg"),
    "reranker": ("query", "pos", "neg"),
}


@dataclass(frozen=True)
class Loss:
    """A mean loss, over how many examples in how many batches, and how many answers were cut at the limit."""

    value: float
    n_examples: int
    n_batches: int
    n_cut: int = 0


def read_examples(path: str | Path, kind: str) -> list[dict]:
    """Return the examples of a JSON-lines file; a missing or wrong field is named with its line.

    Fields: input (or messages) and output for decoders, input and output for encoder-decoders, query, pos and neg for
    encoders and rerankers (pos and neg are lists of texts).
    """
    rows = list(files.read_jsonl(path))
    if not rows:
        raise JudgemergeError(f"{path}: there is no example in it; give at least one")
    for number, row in enumerate(rows, 1):
        check_example(row, kind, f"{path}: example {number}")
    return rows


def check_example(row: dict, kind: str, where: str) -> None:
    """Refuse an example that lacks a field of its kind."""
    needed = NEEDED[kind]
    if kind == "decoder" and "messages" not in row:
        needed = ("input", *needed)
    for field in needed:
        value = row.get(field)
        texts = value if field in ("pos", "neg") else [value]
        is_right = isinstance(texts, list) and all(isinstance(text, str) for text in texts)
        if not is_right or (field == "pos" and not value):
            raise JudgemergeError(f"{where} has no {field}; a {kind} example needs {', '.join(needed)}")


def _batches(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _mean(values: list[float], sizes: list[int], average: Average) -> float:
    """Return the mean over batches (as published: a short last batch counts in full) or over examples."""
    if average == "batch":
        return sum(values) / len(values)
    return sum(value * size for value, size in zip(values, sizes, strict=True)) / sum(sizes)


def decoder_ids(tokenizer, example: dict, number: int, max_length: int) -> tuple[list[int], int, bool]:
    """Return (token ids, number of prompt tokens, whether the answer was cut) of one example.

    `input` and `output` are joined by a space and closed with the end token, as published. `messages` and `output` go
    through the chat template, as in training.
    """
    answer = example["output"]
    if messages := example.get("messages"):
        chat = Chat(tokenizer, tokenizer.name_or_path)
        texts = [chat.render(messages), chat.answered([*messages, {"role": "assistant", "content": answer}])]
        prompt, ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
        if ids[: len(prompt)] != prompt:
            raise JudgemergeError(
                f"example {number}: the chat template shows the prompt differently once it is answered; give input and "
                "output as plain texts"
            )
    else:
        question = example["input"]
        prompt = tokenizer.encode(question)
        if tokenizer.eos_token_id is None:
            raise JudgemergeError("the tokenizer has no end token; set eos_token in tokenizer_config.json")
        ids = [*tokenizer.encode(f"{question} {answer}"), tokenizer.eos_token_id]
    if len(prompt) >= max_length:
        raise JudgemergeError(
            f"example {number}: its prompt has {len(prompt)} tokens, which leaves nothing of the answer below "
            f"max_length {max_length}; raise parameters.max_length or drop the example"
        )
    return ids[:max_length], len(prompt), len(ids) > max_length


def decoder_loss(
    model, tokenizer, examples: Sequence[dict], *, batch_size=2, max_length=2048, average: Average = "batch"
) -> Loss:
    """Return the mean negative log-likelihood of the answers' tokens, prompts masked.

    Padding is on the right and masked by length, whatever the pad token is. Batches average over their tokens.
    """
    encoded = [decoder_ids(tokenizer, example, n, max_length) for n, example in enumerate(examples, 1)]
    rows = [(ids, [IGNORED] * n_prompt + ids[n_prompt:]) for ids, n_prompt, _ in encoded]
    return _likelihood(model, rows, batch_size, sum(cut for _, _, cut in encoded), average)


def _likelihood(
    model, rows: Sequence[tuple[list[int], list[int]]], batch_size: int, n_cut: int, average: Average
) -> Loss:
    """Return the mean loss of (token ids, labels), padded on the right batch by batch; padding is masked."""
    import torch

    def padded(texts: Sequence[list[int]], value: int) -> torch.Tensor:
        width = max(map(len, texts))
        return torch.tensor([[*ids, *[value] * (width - len(ids))] for ids in texts], dtype=torch.long)

    values, sizes = [], []
    for batch in _batches(rows, batch_size):
        ids, labels = zip(*batch, strict=True)
        attention = padded([[1] * len(tokens) for tokens in ids], 0)
        inputs = {"input_ids": padded(ids, 0), "attention_mask": attention, "labels": padded(labels, IGNORED)}
        values.append(_loss_of(model, inputs))
        sizes.append(len(batch))
    return Loss(_mean(values, sizes, average), len(rows), len(values), n_cut)


def _loss_of(model, inputs: dict) -> float:
    import torch

    with torch.inference_mode():
        on_device = {name: tensor.to(model.device) for name, tensor in inputs.items()}
        return float(model(**on_device).loss.float().cpu())


def encoder_decoder_loss(
    model, tokenizer, examples: Sequence[dict], *, batch_size=2, max_length=2048, average: Average = "batch"
) -> Loss:
    """Return the mean negative log-likelihood of the outputs given the inputs, padding masked."""
    inputs = [tokenizer.encode(example["input"]) for example in examples]
    outputs = [tokenizer.encode(example["output"]) for example in examples]
    for number, tokens in enumerate(inputs, 1):
        if len(tokens) > max_length:
            raise JudgemergeError(
                f"example {number}: its input has {len(tokens)} tokens, more than max_length {max_length}; raise "
                "parameters.max_length or drop the example"
            )
    rows = [(ids, labels[:max_length]) for ids, labels in zip(inputs, outputs, strict=True)]
    return _likelihood(model, rows, batch_size, sum(len(tokens) > max_length for tokens in outputs), average)


def with_negatives(examples: Sequence[dict], n_negatives: int, seed: int) -> list[Group]:
    """Return (query, [first positive, `n_negatives` negatives drawn with `seed`]) per example.

    An example draws with its own number, so that adding one leaves the others' negatives as they are.
    """
    groups = []
    for number, example in enumerate(examples, 1):
        wrong = example["neg"]
        if len(wrong) < n_negatives:
            raise JudgemergeError(
                f"example {number} has {len(wrong)} negatives, but {n_negatives} are asked for; lower "
                "parameters.n_negatives or give more"
            )
        negatives = random.Random(f"{seed}/{number}").sample(wrong, n_negatives)
        groups.append((example["query"], [example["pos"][0], *negatives]))
    return groups


def _encoder_scores(model, tokenizer, batch: Sequence[Group], max_length: int) -> "torch.Tensor":
    """Return cosine / 0.05 of every query with all passages of its batch.

    Embeddings are the first token's last hidden state, scaled to length 1.
    """
    import torch

    def embeddings(texts: list[str]) -> torch.Tensor:
        tokens = tokenizer(texts, padding=True, truncation=True, max_length=max_length, return_tensors="pt")
        hidden = model(**tokens.to(model.device), return_dict=True).last_hidden_state[:, 0]
        return torch.nn.functional.normalize(hidden.float(), dim=-1)

    queries = embeddings([query for query, _ in batch])
    return queries @ embeddings([text for _, texts in batch for text in texts]).T / ENCODER_TEMPERATURE


def _reranker_scores(model, tokenizer, batch: Sequence[Group], max_length: int) -> "torch.Tensor":
    """Return the score of every query with each of its own passages."""
    queries, texts = zip(*((query, text) for query, passages in batch for text in passages), strict=True)
    limits = {"padding": True, "truncation": True, "max_length": max_length, "return_tensors": "pt"}
    tokens = tokenizer([*queries], [*texts], **limits)
    logits = model(**tokens.to(model.device), return_dict=True).logits.float()
    if logits.shape[-1] != 1:
        raise JudgemergeError(f"the reranker gives {logits.shape[-1]} numbers per pair; it must give one score")
    return logits.view(len(batch), -1)


def _contrastive(
    scores: Callable[..., "torch.Tensor"],
    model,
    tokenizer,
    examples: Sequence[dict],
    *,
    batch_size=2,
    max_length=512,
    n_negatives=7,
    seed=0,
    average: Average = "batch",
) -> Loss:
    """Return the mean cross-entropy of the right passages by the `scores` of a batch; longer texts are cut.

    A row of scores is of a query: with its own passages, the right one first, or with those of all rows in turn.
    """
    import torch

    groups = with_negatives(examples, n_negatives, seed)
    values, sizes = [], []
    with torch.inference_mode():
        for batch in _batches(groups, batch_size):
            of_batch = scores(model, tokenizer, batch, max_length)
            step = 0 if of_batch.shape[1] == 1 + n_negatives else 1 + n_negatives
            target = torch.arange(len(batch), device=of_batch.device) * step
            values.append(float(torch.nn.functional.cross_entropy(of_batch, target)))
            sizes.append(len(batch))
    return Loss(_mean(values, sizes, average), len(groups), len(values), _n_long(tokenizer, groups, max_length))


encoder_loss = partial(_contrastive, _encoder_scores)
# LM-Cocktail has no loss for rerankers; this is the one that FlagEmbedding trains them with.
reranker_loss = partial(_contrastive, _reranker_scores)


def _n_long(tokenizer, groups: Iterable[Group], max_length: int) -> int:
    """Return how many texts were cut."""
    texts = [text for query, passages in groups for text in (query, *passages)]
    return sum(len(ids) > max_length for ids in tokenizer(texts)["input_ids"])


# Kind → (loss, class of transformers that the model is loaded with, default of max_length).
KINDS: dict[str, tuple[Callable[..., Loss], str, int]] = {
    "decoder": (decoder_loss, "AutoModelForCausalLM", 2048),
    "encoder_decoder": (encoder_decoder_loss, "AutoModelForSeq2SeqLM", 2048),
    "encoder": (encoder_loss, "AutoModel", 512),
    "reranker": (reranker_loss, "AutoModelForSequenceClassification", 512),
}


def loss_of_model(folder: str | Path, kind: str, examples: Sequence[dict], seed: int = 0, **settings) -> Loss:
    """Return the loss of the model in `folder` on the examples; it is loaded on the GPU if there is one, and freed.

    `settings`: batch_size, max_length, average, and n_negatives for encoders and rerankers. Weights are read as float32
    on the CPU and as they are stored on a GPU.
    """
    imports.transformers()
    import torch
    import transformers

    function, loader, max_length = KINDS[kind]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    model = getattr(transformers, loader).from_pretrained(
        folder, trust_remote_code=False, use_safetensors=True, dtype="auto" if device == "cuda" else torch.float32
    )
    model = model.to(device).eval()
    if tokenizer.pad_token is None:  # attention comes from lengths or the tokenizer's mask, so any token does
        tokenizer.pad_token = tokenizer.eos_token
    if kind in ("encoder", "reranker"):
        settings["seed"] = seed
    elif "n_negatives" in settings:
        raise JudgemergeError(f"parameters.n_negatives has no meaning for kind {kind}; remove it")
    return function(model, tokenizer, examples, **{"max_length": max_length, **settings})
