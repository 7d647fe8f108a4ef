"""Tensors of a mergekit result under the names that its parents store them by.

Transformers 5 packs the experts of a mixture into single tensors when it loads a model, and mergekit writes what is
loaded. Parents, llama.cpp's converter and a card that names tensors know the stored names, one tensor per expert:
transformers' own way of saving a loaded model takes the packed ones apart again.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core import architectures
from judgemerge.merge.streams import Weights, Writer, replace_weights

if TYPE_CHECKING:
    import torch


def restore(output: str | Path, reference: str | Path, left_out: Collection[str]) -> None:
    """Write the weights in `output` again under the names of `reference`, without the tensors of `left_out`.

    Nothing is done where the names are right already. Names that cannot be told are left for result_checks.
    """
    output, merged = Path(output), Weights(output)
    expected = [name for name in Weights(reference).entries if name not in left_out]
    if set(merged.entries) == set(expected):
        return
    packed = [name for name in merged.entries if name not in expected and name not in left_out]
    source = {name: name for name in expected if name in merged.entries}
    model = architectures.without_weights(output) if packed else None
    parts = dict(_parts(model, {name: merged.entries[name].shape for name in packed}))
    for name, stored in parts.items():
        source |= dict.fromkeys(stored, name)
    # What cannot be taken apart is written as it is, for the check to name it.
    source |= {name: name for name in packed if not parts.get(name)}
    _write(output, model, merged, source, {part: shape for stored in parts.values() for part, shape in stored.items()})


def _write(
    output: Path, model, merged: Weights, source: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Write every tensor of `source` (name → the merged tensor that holds it) and put the files into place."""
    fresh = output / "stored_names"
    places = {name: place for place, name in enumerate(merged.entries)}
    ordered = sorted(source, key=lambda name: places[source[name]])
    writer = Writer(
        fresh, [(n, merged.entries[source[n]].format, shapes.get(n, merged.entries[source[n]].shape)) for n in ordered]
    )
    held: dict[str, dict[str, torch.Tensor]] = {}  # the parts of the packed tensor that is being written
    for name in writer.names:
        if source[name] == name:
            writer.add(name, merged.get(name))
            continue
        if source[name] not in held:
            held = {source[name]: architectures.taken_apart(model, {source[name]: merged.get(source[name])})}
        writer.add(name, held[source[name]][name])
    writer.finish()
    replace_weights(output, fresh)


def _parts(model, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, dict[str, tuple[int, ...]]]]:
    """Yield each loaded tensor with the stored ones that it holds: name → shape. No values are needed for that."""
    import torch

    for name, shape in shapes.items():
        stored = architectures.taken_apart(model, {name: torch.empty(shape, device="meta")})
        yield name, {part: tuple(tensor.shape) for part, tensor in stored.items() if part != name}
