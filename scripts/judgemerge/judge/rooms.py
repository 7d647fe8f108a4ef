"""Where the keys and values of replies lie: beside those of their prompts, so that a new token copies nothing."""

from collections.abc import Iterable

import torch
from transformers.cache_utils import CacheLayerMixin


class Room(CacheLayerMixin):
    """Keys and values (rows, heads, tokens, size of a head) with room for the reply: adding a token copies nothing."""

    is_sliding = False

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, n_rows: int, width: int, n_new: int):
        """Make room for `width` tokens of prompts, filled already, and `n_new` of replies; as these tensors."""
        super().__init__()
        self.filled = width
        self.is_initialized = True
        self.keys, self.values = (
            tensor.new_empty(n_rows, tensor.shape[1], width + n_new, tensor.shape[3]) for tensor in (keys, values)
        )

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Do nothing: the room is there."""

    def put(self, rows: slice, layer: CacheLayerMixin, places: torch.Tensor) -> None:
        """Copy what a slice of rows has computed; `places`, (rows, width), says where each token lies there."""
        for room, filled in ((self.keys, layer.keys), (self.values, layer.values)):
            index = places[:, None, :, None].expand(-1, filled.shape[1], -1, filled.shape[3])
            torch.gather(filled, 2, index, out=room[rows, :, : self.filled])

    def put_row(self, row: int, length: int, parts: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Copy the keys and values of a row's tokens, of which there are `length`, part after part."""
        place = self.filled - length
        for tensor in (self.keys, self.values):
            tensor[row, :, :place] = 0  # masked, but what is no number would be none with a weight of 0 either
        for keys, values in parts:
            end = place + keys.shape[2]
            self.keys[row, :, place:end], self.values[row, :, place:end] = keys[0], values[0]
            place = end

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs):
        """Add the newest token's keys and values and return all of them."""
        end = self.filled + key_states.shape[-2]
        self.keys[:, :, self.filled : end] = key_states
        self.values[:, :, self.filled : end] = value_states
        self.filled = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all rows but these."""
        self.keys, self.values = self.keys[rows], self.values[rows]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return length and offset that the mask must have."""
        return self.filled + query_length, 0

    def get_seq_length(self) -> int:
        """Return how many tokens there are."""
        return self.filled

    def get_max_cache_shape(self) -> int:
        """Return −1: no sliding window."""
        return -1
