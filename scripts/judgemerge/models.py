"""Model folders and their manifests.

A manifest (`models/{model}.json`) lists every file with its sha256 and sums them up in one digest: the identity that
replies are stored under. Models are read from safetensors only; their quantizations are GGUF files.
"""

import json
import os
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from judgemerge import files, provenance, quantizing
from judgemerge.errors import JudgemergeError

# What decides the model's answers. Cards, recipes and training leftovers do not.
WEIGHTS = "*.safetensors"
QUANTIZED = "*.gguf"
SETTINGS = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)


def check_folder(folder: str | Path) -> None:
    """Refuse a folder that cannot be loaded safely: no config, no safetensors, or a shard of the index missing."""
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise JudgemergeError(f"{folder}: config.json is missing; give the folder of a Hugging Face model")
    if not list(folder.glob(WEIGHTS)) and not list(folder.glob(QUANTIZED)):
        raise JudgemergeError(
            f"{folder}: there is no .safetensors file; convert the model (pickled weights are never loaded)"
        )
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        for shard in sorted(set(files.read_json(index)["weight_map"].values())):
            if not (folder / shard).is_file():
                raise JudgemergeError(
                    f"{folder}: shard '{shard}' of the index is missing; download or write the model again"
                )


def describe(folder: str | Path, **made_by) -> dict:
    """Return the manifest of a model folder: {digest, bytes, parameters, files, made_by, versions}.

    The digest covers file names and contents; it does not depend on where the folder lies. config.json counts without
    `_name_or_path`, which transformers fills with a path of the machine.
    """
    folder = Path(folder)
    check_folder(folder)
    listed = sorted(path for pattern in (WEIGHTS, QUANTIZED, *SETTINGS) for path in folder.glob(pattern))
    entries = {path.name: {"sha256": _sha256(path), "bytes": path.stat().st_size} for path in listed}
    digest = files.sha256_text(*(part for name, entry in entries.items() for part in (name, entry["sha256"])))
    about = folder / quantizing.ABOUT
    counted = files.read_json(about)["parameters"] if about.is_file() else None
    n_parameters = counted or sum(_size(shape) for shape in tensor_shapes(folder).values())
    return {
        "digest": digest,
        "bytes": sum(entry["bytes"] for entry in entries.values()),
        "parameters": n_parameters,
        "files": entries,
        "made_by": made_by,
        "versions": provenance.versions(),
    }


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
    destination = Path(destination)
    destination.mkdir(parents=True, exist_ok=True)
    for pattern in (WEIGHTS, "*.json", "*.jinja", "tokenizer.model"):
        for path in Path(source).glob(pattern):
            (destination / path.name).symlink_to(path.resolve())


def copy_model(source: str | Path, destination: str | Path) -> None:
    """Fill `destination` with the files that make up the model in `source`, without what its training left behind.

    Files share their blocks on disk where the file system has hard links: nobody writes into a finished model.
    """
    check_folder(source)
    destination = Path(destination)
    shutil.rmtree(destination, ignore_errors=True)
    destination.mkdir(parents=True)
    weights = (path for pattern in (WEIGHTS, "model.safetensors.index.json") for path in Path(source).glob(pattern))
    for path in [*sorted(weights), *settings_files(source)]:
        try:
            (destination / path.name).hardlink_to(path)
        except OSError:
            shutil.copyfile(path, destination / path.name)


def settings_files(folder: str | Path) -> list[Path]:
    """Return the files of a model that are not weights: what its prompts are rendered and tokenized with."""
    patterns = (*SETTINGS, "*.model", "vocab.json", "merges.txt")
    return sorted({path for pattern in patterns for path in Path(folder).glob(pattern)})


def tensor_shapes(folder: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor, read from the safetensors headers alone."""
    shapes = {}
    for path in sorted(Path(folder).glob(WEIGHTS)):
        for name, entry in header(path).items():
            shapes[name] = tuple(entry["shape"])
    return shapes


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
    weights = tuple(files.version(path) for path in Path(folder).glob(WEIGHTS)) if folder else ()
    return _size_in_folder(Path(folder), weights) if weights else None


@cache
def _size_in_manifest(path: str | Path, changed: int, n_bytes: int) -> tuple[int, int] | None:
    found = files.read_json(path)
    return (found["bytes"], found["parameters"]) if "bytes" in found else None  # of a model that could not be had


@cache
def _size_in_folder(folder: Path, weights: tuple[tuple[Path, int, int], ...]) -> tuple[int, int]:
    parameters = sum(_size(shape) for shape in tensor_shapes(folder).values())
    return sum(n_bytes for _, _, n_bytes in weights), parameters


def _size(shape: tuple[int, ...]) -> int:
    n_values = 1
    for length in shape:
        n_values *= length
    return n_values


def tensors(folder: str | Path) -> Iterator[tuple[str, "torch.Tensor"]]:  # noqa: F821
    """Yield (name, tensor) one at a time, so that memory is bounded by the largest tensor."""
    from safetensors import safe_open

    for path in sorted(Path(folder).glob(WEIGHTS)):
        with safe_open(path, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 – safe_open is no mapping
                yield name, opened.get_tensor(name)
