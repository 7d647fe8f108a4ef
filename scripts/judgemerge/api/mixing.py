"""LM-Cocktail's three calls with its own arguments, computed by judgemerge (arXiv:2311.13534; LM_Cocktail 0.0.4).

    from judgemerge import mix_models, mix_models_with_data

    mix_models(["BAAI/bge-base-en-v1.5", "models/tuned"], "encoder", [0.5, 0.5], output_path="models/mixed")

Models are folders or ids of the Hugging Face hub. Parents are compared before anything is computed, weights have to sum
to 1 from below, too, no code of a model is run, and a mixture has a card, a recipe and a manifest (docs/merging.md).
Where two parents say how their vectors are pooled, the mixture pools like them.
"""

import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError, require_known
from judgemerge.core.places import require
from judgemerge.data.hub import local_folder
from judgemerge.merge import outside

if TYPE_CHECKING:
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

KINDS = {"decoder": "decoder", "encoder": "encoder", "reranker": "reranker", "encoder-decoder": "encoder_decoder"}
NEEDED = ("torch", "transformers", "safetensors")
NAME = "mixed_model"


def mix_models(
    model_names_or_paths: Sequence[str],
    model_type: str,
    weights: Sequence[float],
    output_path: str | Path | None = None,
) -> "PreTrainedModel":
    """Mix models by given weights; return the mixture, loaded, and save it where `output_path` says.

    Args:
        model_names_or_paths: folders or hub ids; the first one gives config and tokenizer.
        model_type: decoder, encoder, reranker or encoder-decoder.
        weights: one per model; they have to sum to 1 (± 0.001).
        output_path: folder for the mixture, its tokenizer and its card; of an encoder with the files of
            sentence-transformers. An earlier mixture there is replaced, anything else is refused.

    Numbers are computed and stored in the format of the first model. Tensors are read one at a time, so that memory
    holds one of every model. Raises JudgemergeError, with one sentence, for models that do not fit.
    """
    if len(weights) != len(model_names_or_paths):
        raise JudgemergeError(
            f"mix_models: {len(model_names_or_paths)} models, but {len(weights)} weights; give one weight per model"
        )
    folders = _folders(model_names_or_paths, model_type, "mix_models")
    parents = {name: {"weight": float(weight)} for name, weight in zip(folders, weights, strict=True)}
    return _mix(folders, parents, model_type, output_path, None)


def mix_models_by_layers(
    model_names_or_paths: Sequence[str],
    model_type: str,
    weights: Sequence[float],
    output_path: str | Path | None = None,
) -> "PreTrainedModel":
    """Do what `mix_models` does, which reads tensor by tensor anyway; here for scripts that call it by this name."""
    return mix_models(model_names_or_paths, model_type, weights, output_path)


def mix_models_with_data(
    model_names_or_paths: Sequence[str],
    model_type: str,
    example_ata: Sequence[Mapping[str, Any]],
    temperature: float = 5.0,
    batch_size: int = 2,
    max_input_length: int = 2048,
    neg_number: int = 7,
    output_path: str | Path | None = None,
    *,
    seed: int = 0,
) -> "PreTrainedModel":
    """Mix models by weights that follow from their losses on a few examples: softmax(−loss / temperature).

    Args:
        model_names_or_paths, model_type, output_path: as of `mix_models`.
        example_ata: the examples (LM-Cocktail's own spelling): `input` and `output` of decoders and encoder-decoders;
            `query`, `pos` and `neg` (lists of texts) of encoders and rerankers.
        temperature: the higher, the more alike the weights.
        batch_size: of the losses; a short last batch counts in full, as published.
        max_input_length: in tokens; of encoders at most what the model takes.
        neg_number: how many negatives of each example are drawn, with `seed`; fewer than that are refused.

    Models are loaded one after the other. The weights and losses stand in the card, and in the manifest beside
    `output_path`.
    """
    from judgemerge.merge import losses
    from judgemerge.merge.cocktail import weigh

    folders = _folders(model_names_or_paths, model_type, "mix_models_with_data")
    kind = KINDS[model_type]
    for number, example in enumerate(example_ata, 1):
        losses.check_example(example, kind, f"mix_models_with_data: example {number}")
    contrastive = kind in ("encoder", "reranker")
    longest = min(max_input_length, _limit(next(iter(folders.values())))) if contrastive else max_input_length
    parameters = {"kind": kind, "temperature": temperature, "batch_size": batch_size, "max_length": longest}
    parameters |= {"n_negatives": neg_number} if contrastive else {}
    weighed = weigh(folders, list(example_ata), parameters, seed, os.cpu_count() or 1)
    weighed |= {"examples": f"{len(example_ata)} given in Python"}
    return _mix(folders, dict.fromkeys(folders, {}), model_type, output_path, weighed, parameters)


def _folders(names: Sequence[str], model_type: str, where: str) -> dict[str, str]:
    """Return the folders of models by the names that cards call them; hub ids are downloaded."""
    require(where, "merge", NEEDED)
    require_known(model_type, KINDS, f"{where}: model_type is")
    folders: dict[str, str] = {}
    for path in map(str, names):
        name = Path(path.partition("@")[0]).name
        twins = sum(other == name or other.startswith(f"{name}_") for other in folders)
        folders[f"{name}_{twins + 1}" if name in folders else name] = local_folder(path)
    if not folders:
        raise JudgemergeError(f"{where}: there is no model; give at least one")
    return folders


def _mix(
    folders: Mapping[str, str],
    parents: Mapping[str, Mapping[str, float]],
    model_type: str,
    output_path: str | Path | None,
    weighed: Mapping | None,
    parameters: Mapping | None = None,
) -> "PreTrainedModel":
    """Write the mixture to its folder, or to one that goes again, and return it loaded."""
    given = {name: entry["weight"] for name, entry in parents.items()} if weighed is None else weighed["weights"]
    for name, weight in given.items():
        logger.info("weight of %s: %.4f", name, weight)
    examples = {} if weighed is None else {"examples": weighed["examples"]}
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch, NAME) if output_path is None else Path(output_path)
        _check_replaceable(output)
        merge = {
            "method": "cocktail",
            "models": {name: dict(entry) for name, entry in parents.items()},
            "parameters": dict(parameters or {}),
            "dtype": outside.stored_dtype(next(iter(folders.values()))),
            "seed": 0 if weighed is None else weighed["seed"],
            **examples,
        }
        outside.make(merge, folders, output, os.cpu_count() or 1, weights=weighed, where="mix_models", replace=True)
        return _loaded(output, model_type)


def _check_replaceable(output: Path) -> None:
    """Refuse a folder that is not an earlier mixture."""
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    manifest = Path(f"{output}.json")
    if not manifest.is_file() or files.read_json(manifest).get("made_by", {}).get("rule") != "merge_models":
        raise JudgemergeError(f"{output}: is there and was not made by a mixture; give another output_path")


def _loaded(folder: Path, model_type: str) -> "PreTrainedModel":
    import transformers

    from judgemerge.merge import losses

    _, loader, _ = losses.KINDS[KINDS[model_type]]
    return getattr(transformers, loader).from_pretrained(folder, trust_remote_code=False, use_safetensors=True)


def _limit(folder: str) -> int:
    """Return how many tokens a model takes: what its tokenizer says, else its positions."""
    settings = Path(folder, "tokenizer_config.json")
    said = files.read_json(settings).get("model_max_length") if settings.is_file() else None
    positions = files.read_json(Path(folder, "config.json")).get("max_position_embeddings", 512)
    return int(said) if isinstance(said, (int, float)) and 0 < said < 1e6 else positions
