"""Model folders and their manifests.

A manifest (`models/{model}.json`) lists every file with its sha256 and sums them up in one digest: the identity that
replies are stored under. Models are read from safetensors only; their quantizations are GGUF files.
"""

import fnmatch
import hashlib
import json
import math
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from judgemerge.core import files, provenance
from judgemerge.core.errors import JudgemergeError

# The weights: what the index names, else one file. Copies under other names (consolidated.safetensors), in
# sub-folders (fp16/, onnx/), of adapters and in pickled files are no part of the model.
INDEX = "model.safetensors.index.json"
WHOLE = "model.safetensors"
QUANTIZED = ".gguf"
GGUF_FILE = "model.gguf"
QUANTIZATION_RECORD = "quantization.json"  # beside quantized weights, so that the folder alone says what it is
ADAPTER = "adapter_model.safetensors"
# What decides the model's answers beside its weights. Cards, recipes and training leftovers do not.
SETTINGS = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)
# What a tokenizer is built from where tokenizer.json is missing; llama.cpp's converter reads tokenizer.model anyway.
VOCABULARIES = ("*.model", "vocab.json", "vocab.txt", "merges.txt", "added_tokens.json")
# Modules of sentence-transformers, with sub-folders of their own: 1_Pooling/config.json, 2_Dense/model.safetensors.
MODULES = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "[0-9]*_*/*.json")
MODULE_WEIGHTS = ("[0-9]*_*/*.safetensors",)
# Every file but the weights that loading, prompting, converting or merging a model may ask for: the one list that
# links, downloads, copies, exports and merges go by.
DESCRIPTION = (
    *SETTINGS,
    *VOCABULARIES,
    *MODULES,
    *MODULE_WEIGHTS,
    "chat_template.json",
    "additional_chat_templates/*.jinja",
    "preprocessor_config.json",
    "processor_config.json",
)


def matching(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """Return the names that fit a pattern, sorted; a `*` stays within one folder, unlike in the hub's own filters."""
    patterns = tuple(patterns)
    return sorted(
        name
        for name in set(names)
        if any(name.count("/") == pattern.count("/") and fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    )


def weight_names(names: Collection[str], index: Mapping | None, where: str | Path) -> list[str]:
    """Return the files among `names` that hold the weights: those of the parsed `index`, else the single file.

    GGUF files count where there is neither. `where` names the folder in errors.
    """
    if index is not None:
        shards = index.get("weight_map") if isinstance(index, Mapping) else None
        if not shards or not all(isinstance(shard, str) and "/" not in shard for shard in shards.values()):
            raise JudgemergeError(f"{where}: {INDEX} names no files of this folder; download or write the model again")
        return sorted(set(shards.values()))
    return [WHOLE] if WHOLE in names else sorted(n for n in names if n.endswith(QUANTIZED) and "/" not in n)


def wanted_names(names: Collection[str], index: Mapping | None, where: str | Path) -> list[str]:
    """Return the files among `names` that make up a model; `index` is the parsed index, if there is one."""
    indexed = [INDEX] if index is not None else []
    return [*indexed, *weight_names(names, index, where), *matching(names, DESCRIPTION)]


def weight_files(folder: str | Path) -> list[Path]:
    """Return the files that hold the weights of the model in `folder`; none if there is no model."""
    folder = Path(folder)
    return [folder / name for name in weight_names(_names(folder), _index(folder), folder)]


def description_files(folder: str | Path, patterns: Iterable[str] = DESCRIPTION) -> list[Path]:
    """Return the files of a model that are not its weights: settings, tokenizer, chat template, modules."""
    return [Path(folder, name) for name in matching(_names(Path(folder)), patterns)]


def model_files(folder: str | Path) -> list[Path]:
    """Return every file that makes up the model in `folder`: index, weights, description."""
    folder = Path(folder)
    return [folder / name for name in wanted_names(_names(folder), _index(folder), folder)]


def _names(folder: Path) -> list[str]:
    """Return the files of a folder and of its direct sub-folders, relative to it."""
    return [
        path.relative_to(folder).as_posix()
        for pattern in ("*", "*/*")
        for path in folder.glob(pattern)
        if path.is_file()
    ]


def _index(folder: Path) -> Mapping | None:
    path = folder / INDEX
    return _read_index(*files.version(path)) if path.is_file() else None


@cache
def _read_index(path: Path, changed: int, n_bytes: int) -> Mapping:
    return files.read_json(path)


def check_folder(folder: str | Path) -> None:
    """Refuse a folder that cannot be loaded safely: no config, no safetensors, or a shard of the index missing."""
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise JudgemergeError(f"{folder}: config.json is missing; give the folder of a Hugging Face model")
    weights = weight_files(folder)
    if not weights:
        others = matching(_names(folder), ("*.safetensors",))
        if others:
            raise JudgemergeError(
                f"{folder}: '{others[0]}' is there, but neither {WHOLE} nor {INDEX}, which say what the weights are; "
                "download or write the model again"
            )
        raise JudgemergeError(
            f"{folder}: there is no .safetensors file; convert the model (pickled weights are never loaded)"
        )
    for shard in weights:
        if not shard.is_file():
            raise JudgemergeError(
                f"{folder}: shard '{shard.name}' of the index is missing; download or write the model again"
            )


def check_one_set_of_weights(folder: str | Path) -> None:
    """Refuse a folder whose weights lie there twice, as one file and as shards: libraries differ in which they read."""
    index = _index(Path(folder))
    if index is not None and Path(folder, WHOLE).is_file() and WHOLE not in index["weight_map"].values():
        raise JudgemergeError(f"{folder}: has {WHOLE} and {INDEX}, which names other files; remove one of them")


def describe(folder: str | Path, **made_by) -> dict:
    """Return the manifest of a model folder: {digest, bytes, parameters, files, made_by, versions}.

    The digest covers file names and contents; it does not depend on where the folder lies. config.json counts without
    `_name_or_path`, which transformers fills with a path of the machine.
    """
    folder = Path(folder)
    check_folder(folder)
    entries = {
        path.relative_to(folder).as_posix(): {"sha256": _sha256(path), "bytes": path.stat().st_size}
        for path in deciding_files(folder)
    }
    digest = files.sha256_text(*(part for name, entry in entries.items() for part in (name, entry["sha256"])))
    about = folder / QUANTIZATION_RECORD
    counted = files.read_json(about)["parameters"] if about.is_file() else None
    n_parameters = counted or sum(map(math.prod, tensor_shapes(folder).values()))
    return {
        "digest": digest,
        "bytes": sum(entry["bytes"] for entry in entries.values()),
        "parameters": n_parameters,
        "files": entries,
        "made_by": made_by,
        "versions": provenance.versions(),
    }


def deciding_files(folder: str | Path) -> list[Path]:
    """Return the files whose contents are the model's identity: those that decide its answers.

    The files that a tokenizer can also be built from count where there is no tokenizer.json, which decides otherwise.
    """
    folder = Path(folder)
    patterns = (*SETTINGS, *MODULES, *MODULE_WEIGHTS)
    if not (folder / "tokenizer.json").is_file():
        patterns = (*patterns, *VOCABULARIES)
    return sorted([*weight_files(folder), *description_files(folder, patterns)])


def described(folder: str | Path, manifest: str | Path) -> dict:
    """Return the manifest of a model that is about to be loaded, checked against its files (an endpoint has none)."""
    manifest_entry = files.read_json(manifest)
    if "files" in manifest_entry:
        check_digest(folder, manifest_entry)
    return manifest_entry


def check_digest(folder: str | Path, manifest: Mapping) -> None:
    """Refuse to load a model whose files are not the ones that its manifest was written for: all are read again."""
    for name, entry in manifest["files"].items():
        path = Path(folder, name)
        if not path.is_file() or _sha256(path) != entry["sha256"]:
            raise JudgemergeError(
                f"{path}: has changed since the model was described ({manifest['digest'][:16]}); delete {folder} and "
                f"{folder}.json, so that it is described and judged as what it is now"
            )
    there = {*weight_files(folder), *description_files(folder, SETTINGS)}
    new = {path.name for path in there} - set(manifest["files"])
    if new:
        raise JudgemergeError(
            f"{folder}: '{min(new)}' was not there when the model was described ({manifest['digest'][:16]}); delete "
            f"{folder} and {folder}.json, so that it is described and judged as what it is now"
        )


def adapter_digest(folder: str | Path) -> str:
    """Return the digest of a LoRA adapter: its matrices, and the rank, scale and targets in its config."""
    config = files.read_json(Path(folder, "adapter_config.json"))
    config.pop("base_model_name_or_path", None)  # a path of the machine
    matrices = files.sha256_file(Path(folder, ADAPTER))
    return files.sha256_text(matrices, json.dumps(config, sort_keys=True))


SAMPLE, N_SAMPLES = 1 << 20, 64


def fingerprint(folder: str | Path) -> str | None:
    """Return what a model in a folder of this machine is known by in a plan, in milliseconds; None without a model.

    Files up to 64 MB count whole, of larger ones their size and 64 pieces of 1 MB: other weights differ everywhere.
    When they were written and where they lie does not count.
    """
    paths = [path for path in model_files(folder) if path.is_file()]
    if not paths:
        return None
    parts = (part for path in paths for part in (path.relative_to(folder).as_posix(), _sampled(*files.version(path))))
    return files.sha256_text(*parts)[:16]


@cache
def _sampled(path: Path, changed: int, n_bytes: int) -> str:
    digest = hashlib.sha256(str(n_bytes).encode())
    whole = n_bytes <= SAMPLE * N_SAMPLES
    step = SAMPLE if whole else (n_bytes - SAMPLE) // (N_SAMPLES - 1)
    with open(path, "rb") as file:
        for number in range(N_SAMPLES):
            file.seek(number * step)
            digest.update(file.read(SAMPLE))
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    if path.name != "config.json":
        return files.sha256_file(path)
    config = files.read_json(path)
    config.pop("_name_or_path", None)
    return files.sha256_text(json.dumps(config, sort_keys=True))


def move_into_place(source: str | Path, destination: str | Path, leave_out: tuple[str, ...] = ()) -> None:
    """Move a finished folder to its declared place, group-readable, without the files that match `leave_out`."""
    source, destination = Path(source), Path(destination)
    for pattern in leave_out:
        for path in source.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    files.make_group_readable(source)
    shutil.rmtree(destination, ignore_errors=True)
    destination.parent.mkdir(parents=True, exist_ok=True)
    source.rename(destination)


def link_files(source: str | Path, destination: str | Path) -> None:
    """Fill `destination` with links to the files of a model folder that lies elsewhere on this machine."""
    check_folder(source)
    weights = weight_files(source)[0]
    if weights.suffix == QUANTIZED:
        raise JudgemergeError(
            f"{weights}: a study takes models in safetensors and quantizes them itself (quantizations); judge a GGUF "
            "file with scripts/commands/judge.py"
        )
    for path in model_files(source):
        target = Path(destination, path.relative_to(source))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path.resolve())


def copy_model(source: str | Path, destination: str | Path) -> None:
    """Fill `destination` with the files that make up the model in `source`, without what its training left behind.

    Files share their blocks on disk where the file system has hard links: nobody writes into a finished model.
    """
    check_folder(source)
    shutil.rmtree(destination, ignore_errors=True)
    for path in model_files(source):
        target = Path(destination, path.relative_to(source))
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(path)
        except OSError:
            shutil.copyfile(path, target)


def complete_description(folder: str | Path, parent: str | Path) -> None:
    """Copy vocabulary files that `folder` lacks and the model that it was trained from has (tokenizer.model above all).

    Libraries write a trained model with tokenizer.json alone; llama.cpp's converter wants the files it came from.
    """
    for path in description_files(parent, (*VOCABULARIES, "preprocessor_config.json", "processor_config.json")):
        if not Path(folder, path.name).exists() and path.name != "added_tokens.json":
            shutil.copyfile(path, Path(folder, path.name))


def tensor_shapes(folder: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor, read from the safetensors headers alone."""
    return {name: tuple(entry["shape"]) for path in weight_files(folder) for name, entry in header(path).items()}


def adapter_shapes(folder: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of the LoRA adapter in a folder, as peft stores it: beside a model, or alone."""
    return {name: tuple(entry["shape"]) for name, entry in header(Path(folder, ADAPTER)).items()}


def header(path: Path) -> dict:
    """Return the header of a safetensors file: 8 bytes of length, then JSON (format description of safetensors)."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise JudgemergeError(f"{path}: the file is cut short ({size} bytes); download or write the model again")
        try:
            header = json.loads(file.read(length))
        except ValueError:
            raise JudgemergeError(f"{path}: the header is not JSON; download or write the model again") from None
    header.pop("__metadata__", None)
    end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if size != 8 + length + end:
        raise JudgemergeError(
            f"{path}: {size} bytes, but the header promises {8 + length + end}; write the model again"
        )
    return header


def data_start(path: Path) -> int:
    """Return the byte at which the values of a safetensors file begin."""
    with open(path, "rb") as file:
        return 8 + int.from_bytes(file.read(8), "little")


def size_on_disk(manifest: str | Path, folder: str | Path | None = None) -> tuple[int, int] | None:
    """Return (bytes, parameters) of a model: from its manifest, else from the files in `folder`, else None.

    What was read once is read again only after it changed, because a plan asks for every job.
    """
    if os.path.isfile(manifest):
        return _size_in_manifest(*files.version(manifest))
    weights = tuple(files.version(path) for path in weight_files(folder) if path.is_file()) if folder else ()
    return _size_in_folder(Path(folder), weights) if weights else None


@cache
def _size_in_manifest(path: str | Path, changed: int, n_bytes: int) -> tuple[int, int] | None:
    entry = files.read_json(path)
    return (entry["bytes"], entry["parameters"]) if "bytes" in entry else None  # None of a model that could not be had


@cache
def _size_in_folder(folder: Path, weights: tuple[tuple[Path, int, int], ...]) -> tuple[int, int] | None:
    try:
        parameters = sum(map(math.prod, tensor_shapes(folder).values()))
    except JudgemergeError:  # a damaged file says no size; the job that needs the model says what is wrong with it
        return None
    return sum(n_bytes for _, _, n_bytes in weights), parameters


def tensors(folder: str | Path) -> Iterator[tuple[str, "torch.Tensor"]]:  # noqa: F821
    """Yield (name, tensor) one at a time, so that memory is bounded by the largest tensor."""
    from safetensors import safe_open

    for path in weight_files(folder):
        with safe_open(path, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 – safe_open is no mapping
                yield name, opened.get_tensor(name)
