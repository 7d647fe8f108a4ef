"""Greedy or drawn replies to many prompts at once, for decoder models whose layers attend to everything before.

Prompts of like length are read in slices, so that little is padded, and what they share is read once; the replies of a
whole batch are then written together. Rows that have ended are dropped when they are the larger half.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    Cache,
    DynamicCache,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
)
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from judgemerge.judge import packing
from judgemerge.judge.batching import Group, columns, slices
from judgemerge.judge.rooms import Room

# Tokens of a slice: enough to keep a GPU busy (not measured), few enough to pad little and to stay in a CPU's cache:
# slices of 8,192 tokens take 1.8 times as long there as those of 512 to 2,048 (measured).
SLICE = 2048
GROUPED = "judgemerge_grouped"


def attend_in_groups(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    layout: packing.Slice | None = None,
    **settings,
) -> tuple[torch.Tensor, None]:
    """Return what Transformers' `sdpa` returns, without copying keys and values for every head that shares them.

    Shapes: (rows, heads, tokens, size of a head), fewer heads in key and value; result: (rows, tokens, heads, size).
    With a `layout` there is one row of many segments, of which each attends to what it comes after.
    """
    if layout is not None:
        return layout.attend(module.layer_idx, query, key, value, scaling), None
    if attention_mask is None:
        return sdpa_attention_forward(module, query, key, value, None, scaling=scaling, **settings)
    output = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=attention_mask, scale=scaling, enable_gqa=True
    )
    return output.transpose(1, 2).contiguous(), None


AttentionInterface.register(GROUPED, attend_in_groups)
AttentionMaskInterface.register(GROUPED, sdpa_mask)


def quicken(model: PreTrainedModel) -> None:
    """Let a model on a CPU attend in groups: a token takes a sixth of the time there (measured), to the same bits.

    On a GPU torch has no quick kernel for groups with a mask, and copying is left as it is.
    """
    if model.device.type == "cpu" and model.config._attn_implementation == "sdpa":
        model.set_attn_implementation(GROUPED)


class Reader:
    """Reads prompts: the prefix of all of them once, the beginning of each group once, the rest row by row."""

    def __init__(self, model: PreTrainedModel, rows: Sequence[Sequence[int]], prefix: int, caching: bool = True):
        """`prefix` is the number of tokens that all rows begin with; without caching, nothing may be shared."""
        self.model, self.rows, self.prefix, self.caching = model, rows, prefix, caching
        self._prefix_cache: DynamicCache | None = None

    def slices(self, batch: Sequence[Group]):
        """Yield the groups of a batch in the parts that are read together."""
        return slices(self.rows, batch, self.prefix, SLICE)

    @torch.inference_mode()
    def read(self, part: Sequence[Group], n_last: int = 1) -> tuple[torch.Tensor, Cache | None, torch.Tensor]:
        """Return the logits of the last `n_last` places of every row, the cache, and the mask of its columns."""
        width = columns(self.rows, part, self.prefix)
        shared = [min(group.shared, self.prefix + width) for group in part]
        cache = self._beginning(len(part))
        mask = torch.ones(len(part), self.prefix, dtype=torch.long, device=self.model.device)
        if width:
            heads = [self.rows[group.rows[0]][self.prefix : end] for group, end in zip(part, shared, strict=True)]
            _, mask = self._forward(heads, cache, mask, 1)
        of_group = [number for number, group in enumerate(part) for _ in group.rows]
        if len(of_group) > len(part):
            places = torch.tensor(of_group, device=self.model.device)
            cache.batch_select_indices(places)
            mask = mask[places]
        rests = [self.rows[index][end:] for group, end in zip(part, shared, strict=True) for index in group.rows]
        logits, mask = self._forward(rests, cache, mask, n_last)
        return logits, cache, mask

    @torch.inference_mode()
    def read_all(self, batch: Sequence[Group], n_new: int) -> tuple[torch.Tensor, Cache]:
        """Read a batch in slices; return the last logits, (rows, vocabulary), and one cache with room for replies."""
        order = [index for group in batch for index in group.rows]
        width = max(len(self.rows[index]) for index in order)
        layers: list[Room] = []
        last, start = [], 0
        for part in self.slices(batch):
            logits, cache, mask = self.read(part)
            here = slice(start, start + len(mask))
            start = here.stop
            # Where the tokens of each row lie in the slice, right-aligned in the room; holes point at a masked place.
            places = mask.argsort(dim=1, stable=True)[:, -width:]
            if places.shape[1] < width:
                places = torch.nn.functional.pad(places, (width - places.shape[1], 0))
            layers = layers or [Room(one.keys, one.values, len(order), width, n_new) for one in cache.layers]
            for room, layer in zip(layers, cache.layers, strict=True):
                room.put(here, layer, places)
            last.append(logits[:, -1])
        return torch.cat(last), Cache(layers=layers)

    def tail_logits(self, batch: Sequence[Group], tails: Sequence[int]) -> Iterator[list[tuple[int, torch.Tensor]]]:
        """Yield every row's index and the logits of its last `tails` places, (places, vocabulary), slice by slice."""
        for part in self.slices(batch):
            yield list(self.last_logits(part, tails))

    def last_logits(self, part: Sequence[Group], tails: Sequence[int]) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield every row's index and the logits of its last `tails` places, (places, vocabulary)."""
        order = [index for group in part for index in group.rows]
        logits, _, _ = self.read(part, max(tails[index] for index in order))
        for of_row, index in zip(logits, order, strict=True):
            yield index, of_row[-tails[index] :]

    def _beginning(self, n_rows: int) -> DynamicCache | None:
        if not self.caching:
            return None
        cache = DynamicCache(config=self.model.config)
        if not self.prefix:
            return cache
        if self._prefix_cache is None:
            self._prefix_cache = DynamicCache(config=self.model.config)
            start = torch.ones(1, 0, dtype=torch.long, device=self.model.device)
            self._forward([self.rows[0][: self.prefix]], self._prefix_cache, start, 1)
        for number, layer in enumerate(self._prefix_cache.layers):
            cache.update(layer.keys.expand(n_rows, -1, -1, -1), layer.values.expand(n_rows, -1, -1, -1), number)
        return cache

    def _forward(
        self, texts: Sequence[Sequence[int]], cache: Cache | None, mask: torch.Tensor, n_last: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Read texts, padded on the left, after what is cached; return the last logits and the longer mask."""
        ids, mask_of_texts = left_padded(texts)
        mask = torch.cat([mask, mask_of_texts.to(mask.device)], dim=1)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        logits = self.model(
            input_ids=ids.to(mask.device),
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=min(n_last, ids.shape[1]),
        ).logits
        return logits, mask


def left_padded(texts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids and mask, (texts, longest); padding is masked, so its id is no matter."""
    width = max(map(len, texts))
    ids = torch.zeros(len(texts), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for number, text in enumerate(texts):
        if text:
            ids[number, width - len(text) :] = torch.tensor(text)
            mask[number, width - len(text) :] = 1
    return ids, mask


Chooser = Callable[[torch.Tensor, torch.Tensor, list[int]], torch.Tensor]


def greedy(ids: torch.Tensor, logits: torch.Tensor, numbers: list[int]) -> torch.Tensor:
    """Return the likeliest token of every row."""
    return logits.argmax(dim=-1)


def checked(choose: Chooser, error: Exception) -> Chooser:
    """Return a chooser that raises `error` when the likeliest token's logit is no number (NaN, infinite)."""

    def choose_checked(ids: torch.Tensor, logits: torch.Tensor, numbers: list[int]) -> torch.Tensor:
        if not torch.isfinite(logits.amax(dim=-1)).all():  # −inf, a forbidden token, may stand beside numbers
            raise error
        return choose(ids, logits, numbers)

    return choose_checked


def overheard(choose: Chooser, tell: Callable[[list[int]], None]) -> Chooser:
    """Return a chooser that tells the tokens chosen so far for the first row."""
    chosen: list[int] = []

    def choose_and_tell(ids: torch.Tensor, logits: torch.Tensor, numbers: list[int]) -> torch.Tensor:
        tokens = choose(ids, logits, numbers)
        chosen.append(int(tokens[0]))
        tell(chosen)
        return tokens

    return choose_and_tell


@torch.inference_mode()
def reply(
    reader: "Reader | packing.PackedReader",
    batch: Sequence[Group],
    n_new: int,
    stop: Sequence[int],
    choose: Chooser = greedy,
) -> list[list[int]]:
    """Return up to `n_new` tokens for every row of the batch, in its order, the one that ended the reply included.

    `choose` gets the tokens so far (rows, tokens; a short prompt begins with its first token repeated), the logits
    (rows, vocabulary), and the rows' numbers within the batch; it returns the next tokens.
    """
    rows = [reader.rows[index] for group in batch for index in group.rows]
    logits, cache = reader.read_all(batch, n_new)
    device = logits.device
    width, lengths = max(map(len, rows)), torch.tensor([[len(row)] for row in rows], device=device)
    mask = (torch.arange(width + n_new, device=device) >= width - lengths).long()
    ids = torch.tensor([row[:1] * (width - len(row)) + list(row) for row in rows], device=device)
    stops = torch.tensor(list(stop), device=device)
    replies: list[list[int]] = [[] for _ in rows]
    numbers = list(range(len(rows)))
    ended = torch.zeros(len(rows), dtype=torch.bool, device=device)
    for step in range(n_new):
        tokens = choose(ids, logits, numbers)
        for number, token, over in zip(numbers, tokens.tolist(), ended.tolist(), strict=True):
            if not over:
                replies[number].append(token)
        ended = ended | torch.isin(tokens, stops)
        n_running = int((~ended).sum())
        if not n_running or step == n_new - 1:
            break
        if n_running <= len(numbers) // 2:
            running = (~ended).nonzero().flatten()
            numbers = [numbers[place] for place in running.tolist()]
            ids, tokens, mask, ended = ids[running], tokens[running], mask[running], ended[running]
            for layer in cache.layers:
                layer.keep(running)
        ids = torch.cat([ids, tokens[:, None]], dim=1)
        filled = ids.shape[1]
        logits = reader.model(
            input_ids=tokens[:, None],
            attention_mask=mask[:, :filled],
            position_ids=mask[:, :filled].sum(dim=1, keepdim=True) - 1,
            past_key_values=cache,
            use_cache=True,
        ).logits[:, -1]
    return replies


class _Chosen(LogitsProcessor):
    """Leaves `generate` no choice but the chosen token."""

    def __init__(self, choose: Chooser):
        self.choose = choose

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return 0 for the chosen token of every row and −inf for all others."""
        tokens = self.choose(input_ids, scores, list(range(len(scores))))
        return torch.full_like(scores, -torch.inf).scatter_(1, tokens[:, None], 0.0)


def reply_by_generate(
    model: PreTrainedModel, rows: Sequence[Sequence[int]], n_new: int, stop: Sequence[int], choose: Chooser = greedy
) -> list[list[int]]:
    """Return what `reply` returns, for models with any kind of layers, by Transformers' own loop over padded rows.

    A penalty in the model's own generation settings is not applied, as it is not by `reply`.
    """
    ids, mask = left_padded(rows)
    sequences = model.generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        max_new_tokens=n_new,
        eos_token_id=list(stop) or None,
        pad_token_id=stop[0] if stop else 0,
        logits_processor=LogitsProcessorList([_Chosen(choose)]),
    )
    return sequences[:, ids.shape[1] :].tolist()
