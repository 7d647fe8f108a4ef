"""Mixtures of base and fine-tuned model (LM-Cocktail): given shares, or the share that losses on pairs ask for."""

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

from judgemerge.embedding import Pair, encoders, training
from judgemerge.errors import JudgemergeError
from judgemerge.merging import checks, cocktail, engine, losses, preflight
from judgemerge.merging.streams import FLOATING, WHOLE, Weights


def check_base(base: str | Path) -> None:
    """Refuse an embedding model that could be trained but not mixed: load it, save it, and compare both.

    Whatever a later mixture would stumble over shows here, before a question is asked or a step is trained.
    """
    for name, entry in Weights(base).entries.items():
        if entry.format not in FLOATING | WHOLE:
            raise JudgemergeError(
                f"{entry.path}: tensor '{name}' has format {entry.format}, which cannot be mixed; use the model that "
                "it was quantized from"
            )
    with tempfile.TemporaryDirectory() as scratch:
        encoders.save_model(encoders.open_embedder(base), scratch, base)
        preflight.check_parents({"base": base, "saved again": scratch})
        preflight.shared_tensors({"base": Weights(base), "saved again": Weights(scratch)}, "base")


def mix(
    folders: Mapping[str, str | Path], shares: Mapping[str, float], outputs: Mapping[str, str | Path], threads: int
) -> None:
    """Write Σ weight · model for every share of `tuned` (the rest is `base`) in one pass over both models.

    Every mixture is checked: finite, with the tensors of the base.
    """
    merges = {name: cocktail.entry({"base": 1 - share, "tuned": share}, "float32") for name, share in shares.items()}
    noted = engine.merge_all(merges, folders, outputs, threads)
    for name, output in outputs.items():
        checks.check_result(output, folders["base"], tuple(noted[name]["left_out"]))


def examples_of(pairs: Sequence[Pair], n_examples: int, n_negatives: int, seed: int) -> list[dict]:
    """Return a seeded sample of pairs as {query, pos, neg}; the wrong texts are the best that BM25 finds elsewhere."""
    pairs = list(pairs)
    wrong = training.columns(pairs, n_negatives)
    places = {pair.id: place for place, pair in enumerate(pairs)}
    return [
        {
            "query": pair.anchor,
            "pos": [pair.positive],
            "neg": [wrong[f"negative_{number}"][places[pair.id]] for number in range(1, n_negatives + 1)],
        }
        for pair in training.at_most(pairs, n_examples, seed)
    ]


def weights_by_loss(
    folders: Mapping[str, str | Path], pairs: Sequence[Pair], settings: Mapping, seed: int, threads: int
) -> dict:
    """Return {weights, losses, temperature, ...} of the models in `folders`: softmax(−loss / temperature)."""
    import torch

    torch.set_num_threads(threads)
    examples = examples_of(pairs, settings["examples"], settings["negatives"], seed)
    found = {name: _loss(folder, examples, settings, seed) for name, folder in folders.items()}
    weights = engine.softmax([loss.value for loss in found.values()], settings["temperature"])
    return {
        "weights": dict(zip(found, weights, strict=True)),
        "losses": {name: dataclasses.asdict(loss) for name, loss in found.items()},
        **{name: settings[name] for name in ("examples", "negatives", "temperature")},
    }


def _loss(folder: str | Path, examples: Sequence[dict], settings: Mapping, seed: int) -> losses.Loss:
    """Return LM-Cocktail's loss of one model, texts pooled as the model itself pools them (BGE: the first token)."""
    model = encoders.open_embedder(folder)

    class Pooled:
        """Looks like a transformer whose first token is the model's own embedding of the text."""

        device = model.device

        def __call__(self, return_dict: bool = True, **tokens) -> SimpleNamespace:
            embedded = model.forward(dict(tokens))["sentence_embedding"]
            return SimpleNamespace(last_hidden_state=embedded[:, None])

    return losses.encoder_loss(
        Pooled(),
        model.tokenizer,
        examples,
        n_negatives=settings["negatives"],
        max_length=model.max_seq_length,
        seed=seed,
    )
