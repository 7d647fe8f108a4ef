"""Which prompts are computed together, and what of them only once; on token ids, without any model.

A *row* is a list of token ids. All rows of a call may begin alike (the instructions), and so may the rows of a *group*
(the question of a pair that is shown in both orders). What is shared is computed once and its keys and values copied.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

# A shared beginning of fewer tokens is not worth a pass of its own.
SHORTEST = 16


@dataclass(frozen=True)
class Group:
    """Rows, by their indexes, that begin with the same `shared` tokens; in a group of one that is all but its tail."""

    rows: tuple[int, ...]
    shared: int


def common(one: Sequence[int], two: Sequence[int]) -> int:
    """Return how many tokens two rows begin with alike."""
    end = min(len(one), len(two))
    if one[:end] == two[:end]:
        return end
    return next(place for place in range(end) if one[place] != two[place])


def shared_by_all(rows: Sequence[Sequence[int]], tails: Sequence[int]) -> int:
    """Return how many tokens all rows begin with, their tails left out; 0 when it is not worth a pass."""
    if len(rows) < 2:
        return 0
    longest = min(len(row) - tail for row, tail in zip(rows, tails, strict=True))
    shared = min(longest, common(min(rows), max(rows)))  # the first and the last in order differ first
    return shared if shared >= SHORTEST else 0


def single_rows(rows: Sequence[Sequence[int]], tails: Sequence[int]) -> list[Group]:
    """Return a group for each row."""
    return [Group((index,), len(row) - tails[index]) for index, row in enumerate(rows)]


def groups(rows: Sequence[Sequence[int]], tails: Sequence[int], prefix: int, most: int) -> list[Group]:
    """Return groups of rows that share a beginning beyond the `prefix` of all, none of more than `most` tokens.

    Neighbours in sorted order share the most. A row joins the group before it when that does not lessen what is saved,
    which is (rows − 1) × shared tokens.
    """
    result: list[Group] = []
    widest = 0
    for single in sorted(single_rows(rows, tails), key=lambda group: rows[group.rows[0]]):
        (index,) = single.rows
        if result:
            last = result[-1]
            n_rows, wide = len(last.rows) + 1, max(widest, len(rows[index]))
            shared = min(last.shared, single.shared, common(rows[last.rows[-1]], rows[index]))
            saved, saved_before = (n_rows - 1) * (shared - prefix), (n_rows - 2) * (last.shared - prefix)
            if shared - prefix >= SHORTEST and saved >= saved_before and wide * n_rows <= most:
                result[-1], widest = Group((*last.rows, index), shared), wide
                continue
        result.append(single)
        widest = len(rows[index])
    return result


def batches(rows: Sequence[Sequence[int]], groups_of_rows: Sequence[Group], most: int, n_new: int) -> list[list[Group]]:
    """Return groups in batches, longest rows first, each batch of at most `most` tokens with padding and replies.

    The split depends on the rows alone. A group that exceeds the budget is a batch of its own.
    """
    width = {group: max(len(rows[index]) for index in group.rows) for group in groups_of_rows}
    result: list[list[Group]] = []
    widest = n_rows = 0
    for group in sorted(groups_of_rows, key=lambda group: (-width[group], min(group.rows))):
        n_rows += len(group.rows)
        if result and (widest + n_new) * n_rows <= most:
            result[-1].append(group)
        else:
            result.append([group])
            widest, n_rows = width[group], len(group.rows)
    return result


def without(batch: Sequence[Group], skip: Collection[int]) -> list[Group]:
    """Return the groups of a batch without the rows that are known."""
    rest = (replace(group, rows=tuple(index for index in group.rows if index not in skip)) for group in batch)
    return [group for group in rest if group.rows]


def slices(rows: Sequence[Sequence[int]], batch: Sequence[Group], prefix: int, most: int) -> Iterator[list[Group]]:
    """Yield the groups of a batch in parts of at most `most` tokens beyond the prefix, so that little is padded."""
    part: list[Group] = []
    n_tokens = 0
    for group in batch:
        size = sum(len(rows[index]) - group.shared for index in group.rows) + group.shared - prefix
        if part and n_tokens + size > most:
            yield part
            part, n_tokens = [], 0
        part.append(group)
        n_tokens += size
    if part:
        yield part


def columns(rows: Sequence[Sequence[int]], part: Sequence[Group], prefix: int) -> int:
    """Return in how many columns the beginnings of groups are best computed: with the fewest tokens, padding counted.

    What does not fit there is computed with the rest, once for each row.
    """
    if all(len(group.rows) == 1 for group in part):
        return 0
    n_rows = sum(len(group.rows) for group in part)

    def cost(width: int) -> int:
        rest = max(len(rows[index]) - min(group.shared, prefix + width) for group in part for index in group.rows)
        return len(part) * width + n_rows * rest

    return min(sorted({0, *(group.shared - prefix for group in part)}), key=cost)
