"""Kendall's tau-b of weighted cells, for many columns of weights at once, without a matrix of all pairs.

Concordant minus discordant pairs is the quadratic form w'Sw over the sign products S of all pairs. With n cells, S has
n² entries. Here the values of each side are cut into about √n blocks of neighbouring levels, and a pair is counted

- from a table of block × block sums when it differs in both blocks (there the blocks decide both signs),
- directly, by the signs of its values, when it shares a block of the truth or of the score.

All of it is products of small matrices: n^1.5 operations per column, and exact, since weights are whole numbers.
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

MAX_EXACT_FLOAT32 = 2**24


class PairSigns:
    """The sign products of all pairs of cells; `truth` and `score` are (n_cells,)."""

    def __init__(self, truth: np.ndarray, score: np.ndarray):
        size = max(64, int(np.sqrt(len(truth))))
        truth_block, score_block = _blocks(truth, size), _blocks(score, size)
        self.shape = truth_block.max(initial=-1) + 1, score_block.max(initial=-1) + 1
        places = np.arange(len(truth))
        table = (np.ones(len(truth), np.float32), (truth_block * self.shape[1] + score_block, places))
        self.table = sparse.csr_array(table, shape=(self.shape[0] * self.shape[1], len(truth)))
        self.order = np.sign(np.subtract.outer(places[: self.shape[1]], places[: self.shape[1]])).astype(np.float32)
        self.near = []
        for block, values in ((truth_block, truth), (score_block, score)):
            for members in _members(block):
                if np.ptp(values[members]) == 0:
                    continue  # one level: its pairs are tied
                signs = np.sign(np.subtract.outer(truth[members], truth[members]))
                signs *= np.sign(np.subtract.outer(score[members], score[members]))
                if block is score_block:  # pairs that share both blocks were counted with those of the truth
                    signs *= np.not_equal.outer(truth_block[members], truth_block[members])
                self.near.append((members, signs.astype(np.float32)))

    def difference(self, weights: np.ndarray) -> np.ndarray:
        """Return twice (concordant − discordant) weight of every column: (n_cells, n_columns) → (n_columns,) float64.

        Sums of whole numbers below 2²⁴ are exact in single precision, which is twice as fast; others are taken in
        double precision.
        """
        single = np.all(weights.sum(axis=0) < MAX_EXACT_FLOAT32) and np.all(weights == np.round(weights))
        weights = np.asarray(weights, dtype=np.float32 if single else np.float64)
        total = np.zeros(weights.shape[1])
        for members, signs in self.near:
            member_weights = weights[members]
            total += _dot(member_weights, signs.astype(weights.dtype, copy=False) @ member_weights)
        table = (self.table.astype(weights.dtype) @ weights).reshape(*self.shape, weights.shape[1])
        below = np.zeros(table.shape[1:], dtype=weights.dtype)
        order = self.order.astype(weights.dtype, copy=False)
        for line in table:
            total += 2 * _dot(line, order @ below)
            below += line
        return total


def _dot(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the column-wise inner products in double precision."""
    return np.einsum("ij,ij->j", one, other, dtype=np.float64)


def _blocks(values: np.ndarray, size: int) -> np.ndarray:
    """Return the block of each value, (n_cells,), in the order of the values.

    A level of more than `size` cells is a block of its own; neighbouring smaller ones share a block of at most `size`.
    """
    _, level, n_cells = np.unique(values, return_inverse=True, return_counts=True)
    block_of, block, held = np.zeros(len(n_cells), dtype=int), 0, 0
    for number, n_more in enumerate(n_cells):
        if held and held + n_more > size:
            block, held = block + 1, 0
        block_of[number], held = block, held + n_more
    return block_of[level.reshape(-1)]


def _members(block: np.ndarray) -> Sequence[np.ndarray]:
    """Return the cells of each block."""
    order = np.argsort(block, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(block[order])) + 1) if len(block) else []
