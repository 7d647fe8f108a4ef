"""Which prompts are computed together, and what of them only once."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgemerge.judge import batching


def made(n_pairs, seed=0, prefix=20):
    """Return rows like those of pairs in both orders: instructions, a question, two responses that change places."""
    draw = random.Random(seed)
    start = [draw.randrange(5, 90) for _ in range(prefix)]
    rows = []
    for _ in range(n_pairs):
        question, one, two = (
            [draw.randrange(5, 90) for _ in range(draw.randrange(low, high))]
            for low, high in ((17, 60), (3, 80), (3, 80))
        )
        rows += [start + question + [1] + one + [2] + two, start + question + [1] + two + [2] + one]
    return rows


token_rows = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=60), min_size=1, max_size=30)


@given(token_rows, st.integers(1, 400))
def test_every_row_is_in_one_group_and_shares_what_the_group_says(rows, most):
    tails = [1] * len(rows)
    prefix = batching.shared_by_all(rows, tails)
    assert all(row[:prefix] == rows[0][:prefix] and len(row) > prefix for row in rows)
    found = batching.groups(rows, tails, prefix, most)
    assert sorted(itertools.chain.from_iterable(group.rows for group in found)) == list(range(len(rows)))
    for group in found:
        members = [rows[index] for index in group.rows]
        assert prefix <= group.shared < min(map(len, members))
        assert len({tuple(row[: group.shared]) for row in members}) == 1
        assert len(members) == 1 or max(map(len, members)) * len(members) <= most
        assert len(members) == 1 or group.shared - prefix >= batching.SHORTEST


def test_both_orders_of_a_pair_are_a_group():
    rows = made(12)
    tails = [1] * len(rows)
    prefix = batching.shared_by_all(rows, tails)
    found = batching.groups(rows, tails, prefix, 10_000)
    assert prefix == 20
    assert sorted(sorted(group.rows) for group in found) == [[place, place + 1] for place in range(0, 24, 2)]


def test_tails_are_never_shared():
    rows = [[*range(40), 7, 8], [*range(40), 7, 9], [*range(40), 7, 9, 9]]
    assert batching.shared_by_all(rows, [1, 1, 1]) == 41
    assert batching.shared_by_all(rows, [12, 1, 1]) == 30
    (group,) = batching.groups(rows, [2, 5, 1], 0, 1000)
    assert group.shared == 37
    assert batching.shared_by_all([[1] * 15] * 3, [1, 1, 1]) == 0, "too short to be worth a pass"
    assert batching.shared_by_all([[1] * 50], [1]) == 0, "shared with nobody"


@pytest.mark.parametrize("budget", [1, 100, 700, 10_000])
def test_batches_hold_every_group_once_within_the_budget(budget):
    rows = made(60)
    found = batching.groups(rows, [1] * len(rows), 20, budget)
    split = batching.batches(rows, found, budget, n_new=8)
    assert sorted(index for batch in split for group in batch for index in group.rows) == list(range(len(rows)))
    widths = []
    for batch in split:
        members = [rows[index] for group in batch for index in group.rows]
        widths.append(max(map(len, members)))
        assert len(batch) == 1 or (widths[-1] + 8) * len(members) <= budget
    assert widths == sorted(widths, reverse=True)
    # Greedy: the next group did not fit any more.
    for batch, following, width in zip(split, split[1:], widths, strict=False):
        n_rows = sum(len(group.rows) for group in batch) + len(following[0].rows)
        assert (width + 8) * n_rows > budget


def test_no_prompts_need_no_batch():
    assert batching.groups([], [], 0, 100) == []
    assert batching.batches([], [], 100, 8) == []


def test_known_rows_leave_their_group_and_then_their_batch():
    batch = [batching.Group((3, 4), 30), batching.Group((7,), 12)]
    assert batching.without(batch, {4, 7}) == [batching.Group((3,), 30)]
    assert batching.without(batch, {3, 4, 7}) == []


def test_slices_keep_the_order_and_the_limit():
    rows = made(40)
    found = batching.groups(rows, [1] * len(rows), 20, 10_000)
    (batch,) = batching.batches(rows, found, 10**6, 0)
    parts = list(batching.slices(rows, batch, 20, 700))
    assert [group for part in parts for group in part] == batch
    for part in parts:
        n_tokens = sum(group.shared - 20 + sum(len(rows[i]) - group.shared for i in group.rows) for group in part)
        assert len(part) == 1 or n_tokens <= 700


def test_columns_take_the_fewest_tokens():
    rows = [[0] * 20 + [1] * 30 + [2] * 10, [0] * 20 + [1] * 30 + [3] * 10, [0] * 20 + [4] * 12]
    groups = [batching.Group((0, 1), 50), batching.Group((2,), 31)]
    # 30 columns for two groups and 10 for three rows, or 11 and 29, or 0 and 40.
    assert batching.columns(rows, groups, 20) == 30
    assert batching.columns(rows, groups[1:], 20) == 0
