"""Reads prompts without padding and every shared beginning once: a tree of segments, laid out as one row of tokens.

Everything but attention works token by token, so a model reads the segments of a slice as one long row; only attention
has to know what a token comes after (`Slice`). Transformers hands `layout` through to the attention of its models;
`packs` tries whether a model does so. For CPUs: on a GPU a call for every segment would keep the chip waiting.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import Cache, PreTrainedModel

from judgemerge.judge.batching import Group
from judgemerge.judge.rooms import Room
from judgemerge.judge.segments import NO_PARENT, Segment, path, segments, slices

# Tokens that are read together: matrix products are at full speed from 128 on, and more leave a core's cache.
SLICE = 512
# Tokens that look back together: those behind the first of them are computed in vain.
LOOKS = 256


@dataclass
class Store:
    """Keys and values of a slice, (1, heads, tokens, size of a head), by the number of the layer."""

    layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    @property
    def in_order(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Keys and values of all layers, the first layer first."""
        return [self.layers[number] for number in sorted(self.layers)]


class Place(NamedTuple):
    """Where tokens lie in a store."""

    store: Store
    start: int
    end: int


def joined(places: Sequence[Place]) -> list[Place]:
    """Return the places with neighbours of one store made one."""
    result: list[Place] = []
    for place in places:
        if result and result[-1].store is place.store and result[-1].end == place.start:
            place = Place(place.store, result.pop().start, place.end)
        result.append(place)
    return result


class End(NamedTuple):
    """A row that was read to its end: the logits of its tail, (places, vocabulary), and where all its tokens lie."""

    row: int
    logits: torch.Tensor
    places: list[Place]


class Look(NamedTuple):
    """Tokens of a slice that look back together: at the first `n_keys` of what their segment comes after and holds."""

    start: int
    end: int
    n_keys: int
    mask: torch.Tensor | None


class Slice:
    """What the tokens that are read together attend to: each segment to its own and to what its rows begin with."""

    def __init__(self, segments_read: Sequence[list[Place]], store: Store):
        """For each segment, in order: where all tokens up to its last lie, its own in `store`."""
        self.store = store
        self.n_layers_seen = 0
        self.spans = []
        start = 0
        for places in segments_read:
            n_keys = sum(place.end - place.start for place in places)
            end = places[-1].end
            self.spans.append((places, list(_looks(start, end, n_keys))))
            start = end

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None
    ) -> torch.Tensor:
        """Return what attention gives, (1, tokens, heads, size of a head), and keep keys and values of the layer."""
        self.n_layers_seen += 1
        self.store.layers[layer] = (key, value)
        parts = []
        for places, looks in self.spans:
            keys, values = _gathered(places, layer)
            parts += [
                scaled_dot_product_attention(
                    query[:, :, look.start : look.end],
                    keys[:, :, : look.n_keys],
                    values[:, :, : look.n_keys],
                    attn_mask=look.mask,
                    is_causal=look.mask is None,
                    scale=scaling,
                    enable_gqa=True,
                )
                for look in looks
            ]
        return torch.cat(parts, dim=2).transpose(1, 2)


def _looks(start: int, end: int, n_keys: int) -> Iterator[Look]:
    """Yield what looks back together of a segment at `start` to `end`, which has `n_keys` tokens with those before."""
    n_before = n_keys - (end - start)
    for begin in range(start, end, LOOKS):
        stop = min(begin + LOOKS, end)
        seen = n_before + stop - start
        yield Look(begin, stop, seen, _mask(stop - begin, seen))


def _mask(n_tokens: int, n_keys: int) -> torch.Tensor | None:
    """Return which keys the last `n_tokens` of them attend to; None when these are all: causal."""
    if n_tokens == n_keys:
        return None
    return torch.ones(n_tokens, n_keys, dtype=torch.bool).tril(n_keys - n_tokens)[None, None]


def _parts(places: Sequence[Place], layer: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return keys and values at each of the places, (1, heads, tokens, size of a head)."""
    layers = [(place, *place.store.layers[layer]) for place in places]
    return [(keys[:, :, one.start : one.end], values[:, :, one.start : one.end]) for one, keys, values in layers]


def _gathered(places: Sequence[Place], layer: int) -> Sequence[torch.Tensor]:
    """Return keys and values of the places, one after the other; nothing is copied where they lie together."""
    parts = _parts(places, layer)
    return parts[0] if len(parts) == 1 else [torch.cat(of_all, dim=2) for of_all in zip(*parts, strict=True)]


class PackedReader:
    """Reads prompts as decoding.Reader does, without padding, and every beginning that rows share once."""

    def __init__(self, model: PreTrainedModel, rows: Sequence[Sequence[int]], prefix: int, sharing: bool = True):
        """`prefix` is the number of tokens that all rows begin with; without `sharing` nothing else is shared."""
        self.model, self.rows, self.prefix, self.sharing = model, rows, prefix, sharing
        self._prefix_place: Place | None = None

    def read_all(self, batch: Sequence[Group], n_new: int) -> tuple[torch.Tensor, Cache | None]:
        """Return the last logits of a batch, (rows, vocabulary), and one cache with room for replies, if there are."""
        order = [index for group in batch for index in group.rows]
        numbers = {index: number for number, index in enumerate(order)}
        width = max(len(self.rows[index]) for index in order)
        last: list[torch.Tensor] = [torch.empty(0)] * len(order)
        rooms: list[Room] = []
        for ends in self._ends(order, [1] * len(self.rows)):
            for index, logits, places in ends:
                last[numbers[index]] = logits
                if n_new > 1:
                    rooms = rooms or [Room(*layer, len(order), width, n_new) for layer in places[0].store.in_order]
                    for number, room in enumerate(rooms):
                        room.put_row(numbers[index], len(self.rows[index]), _parts(places, number))
        return torch.cat(last), Cache(layers=rooms) if rooms else None

    def tail_logits(self, batch: Sequence[Group], tails: Sequence[int]) -> Iterator[list[tuple[int, torch.Tensor]]]:
        """Yield every row's index and the logits of its last `tails` places, (places, vocabulary), slice by slice."""
        for ends in self._ends([index for group in batch for index in group.rows], tails):
            yield [(index, logits) for index, logits, _ in ends]

    def _ends(self, chosen: Sequence[int], tails: Sequence[int]) -> Iterator[list[End]]:
        """Yield the rows that end in each slice."""
        tree = segments(self.rows, chosen, tails, self.prefix, self.sharing)
        known: dict[int, list[Place]] = {NO_PARENT: self._prefix() if self.prefix else []}
        for part in slices(tree, SLICE):
            logits = self._read_slice(tree, part, known, tails)
            yield [End(tree[place].rows[0], logits[place], known[place]) for place in part if tree[place].is_last]
            needed = {NO_PARENT, *(path(tree, tree[part.stop].parent) if part.stop < len(tree) else ())}
            known = {place: places for place, places in known.items() if place in needed}

    @torch.inference_mode()
    def _read_slice(
        self, tree: Sequence[Segment], part: range, known: dict[int, list[Place]], tails: Sequence[int]
    ) -> dict[int, torch.Tensor]:
        """Read a part of the tree; note in `known` where it lies, and return the logits of the tails that end rows."""
        store, segments_read, ids, positions, wanted = Store(), [], [], [], []
        sizes: dict[int, int] = {}
        for place in part:
            segment, begin = tree[place], len(ids)
            ids += self.rows[segment.rows[0]][segment.start : segment.end]
            positions += range(segment.start, segment.end)
            known[place] = joined([*known[segment.parent], Place(store, begin, len(ids))])
            segments_read.append(known[place])
            if segment.is_last:
                sizes[place] = tails[segment.rows[0]]
                wanted += range(len(ids) - sizes[place], len(ids))
        logits = forward(self.model, ids, positions, wanted, Slice(segments_read, store))
        return dict(zip(sizes, logits.split(list(sizes.values())), strict=True)) if sizes else {}

    def _prefix(self) -> list[Place]:
        if self._prefix_place is None:
            self._prefix_place = Place(Store(), 0, self.prefix)
            layout = Slice([[self._prefix_place]], self._prefix_place.store)
            with torch.inference_mode():
                forward(self.model, self.rows[0][: self.prefix], range(self.prefix), [], layout)
        return [self._prefix_place]


def forward(
    model: PreTrainedModel, ids: Sequence[int], positions: Sequence[int], wanted: Sequence[int], layout: Slice
) -> torch.Tensor:
    """Return the logits of the `wanted` places, (wanted, vocabulary), of segments that are laid out as one row."""
    return model(
        input_ids=torch.tensor([ids]),
        position_ids=torch.tensor([list(positions)]),
        attention_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool),  # one of four dimensions is left as it is
        use_cache=False,
        logits_to_keep=torch.tensor(wanted or [0]),
        layout=layout,
    ).logits[0]


@torch.inference_mode()
def packs(model: PreTrainedModel) -> bool:
    """Return whether a model reads segments as it reads rows: tried on two rows that begin alike.

    Models whose attention does not get the layout, or that go by something else than positions, do not.
    """
    rows = [[1, 2, 3, 4], [1, 2, 5]]
    store = Store()
    start, one, two = Place(store, 0, 2), Place(store, 2, 4), Place(store, 4, 5)
    layout = Slice([[start], [start, one], [start, two]], store)
    try:
        packed = forward(model, [1, 2, 3, 4, 5], [0, 1, 2, 3, 2], [3, 4], layout).float()
    except (TypeError, ValueError, AttributeError, RuntimeError, IndexError):
        return False
    if layout.n_layers_seen != model.config.get_text_config().num_hidden_layers:
        return False
    alone = torch.stack([model(input_ids=torch.tensor([row]), use_cache=False).logits[0, -1].float() for row in rows])
    return bool((packed - alone).abs().max() <= 0.05 * alone.abs().max())
