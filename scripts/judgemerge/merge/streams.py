"""Reading and writing the weights of models one tensor or piece at a time: the largest tensor bounds the memory.

Files are read and written with plain reads and writes, not mapped: mapped pages count as memory of the process. The
layout of a safetensors file: 8 bytes of length, a JSON header with type, shape and offsets, then the values.
"""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core import models
from judgemerge.core.errors import JudgemergeError

if TYPE_CHECKING:
    import torch

SHARD_BYTES = 5_000_000_000
PIECE = 1 << 20  # values; new memory for a whole tensor costs as much as reading it (measured), a piece is used again
# Names of number formats in safetensors headers and in torch; floating ones first.
FLOATING = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
WHOLE = {"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool"}
ITEM_BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@dataclass(frozen=True)
class Entry:
    """Where one tensor lies: file, first byte, number format as the header names it, shape."""

    path: Path
    offset: int
    format: str
    shape: tuple[int, ...]

    @property
    def floating(self) -> bool:
        """Whether the values are floating-point numbers, which alone can be merged."""
        return self.format in FLOATING


class Weights:
    """The tensors of one model folder, found from the headers of its files and read when asked for."""

    def __init__(self, folder: str | Path):
        """Read the headers; a shard that the index names and the folder lacks is an error."""
        self.folder = Path(folder)
        models.check_folder(folder)
        self.entries: dict[str, Entry] = {}
        for path in models.weight_files(folder):
            start = models.data_start(path)
            for name, entry in models.header(path).items():
                if name in self.entries:
                    raise JudgemergeError(f"{path}: tensor '{name}' is also in another file; remove the stale file")
                first, _ = entry["data_offsets"]
                self.entries[name] = Entry(path, start + first, entry["dtype"], tuple(entry["shape"]))

    def get(self, name: str) -> "torch.Tensor":
        """Return one tensor, read from its file."""
        shape = self.entries[name].shape
        values = self._space(name, math.prod(shape))
        self._read(name, 0, values)
        return values.reshape(shape)

    def pieces(self, name: str) -> Iterator["torch.Tensor"]:
        """Yield the values of one tensor in flat pieces, each in the place of the last; an empty one if it has none."""
        n_values = math.prod(self.entries[name].shape)
        space = self._space(name, min(n_values, PIECE))
        for start in range(0, max(1, n_values), PIECE):
            values = space[: n_values - start]
            self._read(name, start, values)
            yield values

    def _space(self, name: str, n_values: int) -> "torch.Tensor":
        """Return room for values of a tensor."""
        import torch

        entry, formats = self.entries[name], FLOATING | WHOLE
        if entry.format not in formats:
            raise JudgemergeError(
                f"{entry.path}: tensor '{name}' has format {entry.format}, which cannot be merged; use the model that "
                "it was quantized from"
            )
        return torch.empty(n_values, dtype=getattr(torch, formats[entry.format]))

    def _read(self, name: str, start: int, values: "torch.Tensor") -> None:
        """Fill `values` with those of a tensor, from its value `start` on."""
        import torch

        entry = self.entries[name]
        if not len(values):
            return
        view = memoryview(values.view(torch.uint8).numpy())
        with open(entry.path, "rb", buffering=0) as file:
            file.seek(entry.offset + start * ITEM_BYTES[entry.format])
            done = 0
            while done < len(view):  # a single read returns at most 2 GB on Linux
                n_read = file.readinto(view[done:])
                if not n_read:
                    raise JudgemergeError(f"{entry.path}: the file ends within tensor '{name}'; write it again")
                done += n_read

    def same(self, name: str, other: str) -> bool:
        """Return whether two tensors of this model hold the same values in the same format and shape."""
        import torch

        one, two = self.entries[name], self.entries[other]
        return one.format == two.format and one.shape == two.shape and torch.equal(self.get(name), self.get(other))


class Writer:
    """Writes tensors to safetensors files whose headers are planned beforehand, so that nothing is kept in memory.

    Tensors must be added in the order of `names`. Several shards get the names and index of the Hugging Face format.
    """

    def __init__(
        self, folder: str | Path, planned: Iterable[tuple[str, str, tuple[int, ...]]], shard_bytes: int = SHARD_BYTES
    ):
        """`planned` gives (name, number format as in headers, shape) of every tensor that will be added."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        # The widest formats first: every tensor then begins at a multiple of its item's size, as readers expect.
        ordered = sorted(planned, key=lambda tensor: -ITEM_BYTES[tensor[1]])
        self.names = [name for name, _, _ in ordered]
        self._formats = {name: (form, shape) for name, form, shape in ordered}
        self._shards = self._split(ordered, shard_bytes)
        self._file = None
        self._n_added = 0
        self._n_values = 0  # of the tensor that is being added
        self._starts = {shard[0][0]: number for number, shard in enumerate(self._shards)}

    @staticmethod
    def _split(ordered: list, shard_bytes: int) -> list[list[tuple[str, int]]]:
        """Return the tensors of every shard, each with its size in bytes."""
        shards: list[list[tuple[str, int]]] = []
        filled = 0
        for name, form, shape in ordered:
            size = ITEM_BYTES[form] * math.prod(shape)
            if not shards or (filled and filled + size > shard_bytes):
                shards.append([])
                filled = 0
            shards[-1].append((name, size))
            filled += size
        return shards

    def _file_name(self, number: int) -> str:
        if len(self._shards) == 1:
            return "model.safetensors"
        return f"model-{number + 1:05d}-of-{len(self._shards):05d}.safetensors"

    def add(self, name: str, tensor: "torch.Tensor") -> None:
        """Write the next tensor, or the next flat piece of it."""
        import torch

        form, shape = self._formats[name]
        self._n_values += tensor.numel()
        fits = tuple(tensor.shape) == shape or (tensor.dim() == 1 and self._n_values <= math.prod(shape))
        if name != self.names[self._n_added] or not fits:
            raise ValueError(f"tensor {name} {tuple(tensor.shape)} is not the next planned one")
        if name in self._starts and self._n_values == tensor.numel():
            self._open(self._starts[name])
        tensor = tensor.to(getattr(torch, (FLOATING | WHOLE)[form])).contiguous()
        if tensor.numel():
            view = memoryview(tensor.reshape(-1).view(torch.uint8).numpy())
            done = 0
            while done < len(view):
                done += self._file.write(view[done:])
        if self._n_values == math.prod(shape):
            self._n_added += 1
            self._n_values = 0

    def _open(self, number: int) -> None:
        self.close()
        header: dict = {"__metadata__": {"format": "pt"}}
        offset = 0
        for name, size in self._shards[number]:
            form, shape = self._formats[name]
            header[name] = {"dtype": form, "shape": list(shape), "data_offsets": [offset, offset + size]}
            offset += size
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        self._file = open(self.folder / self._file_name(number), "wb", buffering=0)  # noqa: SIM115 – until the next
        self._file.write(len(text).to_bytes(8, "little") + text)

    def finish(self) -> None:
        """Close the last file and write the index, if there is more than one."""
        if self._n_added != len(self.names):
            raise ValueError(f"{len(self.names) - self._n_added} planned tensors were not added")
        self.close()
        if len(self._shards) > 1:
            from judgemerge.core import files

            where = {name: self._file_name(n) for n, shard in enumerate(self._shards) for name, _ in shard}
            total = sum(size for shard in self._shards for _, size in shard)
            files.write_json(self.folder / models.INDEX, {"metadata": {"total_size": total}, "weight_map": where})

    def close(self) -> None:
        """Close the file that is being written."""
        if self._file is not None:
            self._file.close()
            self._file = None


def replace_weights(folder: str | Path, fresh: Path) -> None:
    """Put the files that were written into the folder `fresh` into the place of a model's weights."""
    for path in [*models.weight_files(folder), Path(folder, models.INDEX)]:
        path.unlink(missing_ok=True)
    for path in sorted(fresh.iterdir()):
        path.rename(Path(folder, path.name))
    fresh.rmdir()
