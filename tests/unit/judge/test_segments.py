"""What rows begin with alike, as a tree of segments."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgemerge.judge import batching, segments

token_rows = st.lists(st.lists(st.integers(0, 2), min_size=2, max_size=60), min_size=1, max_size=30)


def tokens_of(rows, tree, place):
    """Return the tokens of the chain of segments that ends at a place."""
    chain = [tree[one] for one in segments.path(tree, place)]
    return [token for one in chain for token in rows[one.rows[0]][one.start : one.end]]


@given(token_rows, st.integers(1, 2), st.booleans())
def test_every_row_is_the_chain_of_its_segments_and_its_tail_is_its_own(rows, tail, sharing):
    tails = [tail] * len(rows)
    prefix = batching.shared_by_all(rows, tails)
    tree = segments.segments(rows, range(len(rows)), tails, prefix, sharing)
    ends = {one.rows[0]: place for place, one in enumerate(tree) if one.is_last}
    assert sorted(ends) == list(range(len(rows))) and sum(one.is_last for one in tree) == len(rows)
    for row, place in ends.items():
        assert tokens_of(rows, tree, place) == rows[row][prefix:]
        assert tree[place].end - tree[place].start >= tail
    for place, one in enumerate(tree):
        assert one.parent < place, "what comes before is read before"
        assert one.is_last or one.end - one.start >= batching.SHORTEST
        assert {tuple(rows[row][: one.end]) for row in one.rows} == {tuple(rows[one.rows[0]][: one.end])}


def both_orders(n_questions=4, n_responses=4, seed=1):
    """Return rows of all pairs of responses to some questions: instructions, question, one response, the other."""
    draw = random.Random(seed)

    def some(n_tokens):
        return [draw.randrange(5, 10_000) for _ in range(n_tokens)]

    start, rows = some(20), []
    for _ in range(n_questions):
        question, responses = some(30), [some(40) for _ in range(n_responses)]
        rows += [start + question + one + two for one in responses for two in responses if one is not two]
    return rows


def test_instructions_a_question_and_a_first_response_are_each_there_once():
    rows = both_orders()
    tree = segments.segments(rows, range(len(rows)), [1] * len(rows), 20)
    sizes = [one.end - one.start for one in tree]
    assert sorted(map(len, {one.rows for one in tree if not one.is_last})) == [3] * 16 + [12] * 4
    assert sum(sizes) == 4 * 30 + 16 * 40 + 48 * 40


def test_slices_are_in_order_and_hold_no_more_than_they_may():
    rows = both_orders()
    tree = segments.segments(rows, range(len(rows)), [1] * len(rows), 20)
    for most in (1, 100, 10_000):
        parts = list(segments.slices(tree, most))
        assert [place for part in parts for place in part] == list(range(len(tree)))
        sizes = [sum(tree[place].end - tree[place].start for place in part) for part in parts]
        assert all(size <= most or len(part) == 1 for size, part in zip(sizes, parts, strict=True))
    assert list(segments.slices([], 100)) == []


@pytest.mark.parametrize("rows", [[[1] * 50] * 3, [[1] * 50, [1] * 30, [1] * 40]], ids=["equal", "nested"])
def test_a_row_that_another_begins_with_still_has_an_end(rows):
    tree = segments.segments(rows, range(3), [2, 2, 2], 0)
    assert sorted(one.rows[0] for one in tree if one.is_last) == [0, 1, 2]
    assert sum(one.end - one.start for one in tree) < 70
