"""What rows of tokens begin with alike, as a tree: every beginning that several rows have is one segment; no model.

Rows of a batch share more than one beginning: the instructions, a question asked of many pairs, and a first response
that is compared with several others. A row is the chain of segments from the beginning to its own last one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from judgemerge.judge.batching import SHORTEST, common

NO_PARENT = -1


@dataclass(frozen=True)
class Segment:
    """The tokens `start` to `end` of the rows that all hold them; `parent` is the place of the segment before."""

    rows: tuple[int, ...]
    start: int
    end: int
    parent: int

    @property
    def is_last(self) -> bool:
        """Whether a row ends here: what it shares with no other row, its tail at least."""
        return len(self.rows) == 1


def segments(
    rows: Sequence[Sequence[int]], chosen: Sequence[int], tails: Sequence[int], prefix: int, sharing: bool = True
) -> list[Segment]:
    """Return the tree of the chosen rows beyond their `prefix`, each segment right after its parent's family before it.

    The last `tails[row]` tokens of a row are in its own last segment. Without `sharing` there is one segment a row.
    """
    result: list[Segment] = []
    if not sharing:
        return [Segment((row,), prefix, len(rows[row]), NO_PARENT) for row in chosen]
    waiting = [(sorted(chosen, key=lambda row: rows[row]), prefix, NO_PARENT)]
    while waiting:
        family, start, parent = waiting.pop()
        if len(family) == 1:
            result.append(Segment(tuple(family), start, len(rows[family[0]]), parent))
            continue
        shared = min(common(rows[family[0]], rows[family[-1]]), *(len(rows[row]) - tails[row] for row in family))
        if shared - start >= SHORTEST:
            result.append(Segment(tuple(family), start, shared, parent))
            start, parent = shared, len(result) - 1
        waiting += [(part, start, parent) for part in reversed(list(_parted(rows, tails, family, shared)))]
    return result


def _parted(
    rows: Sequence[Sequence[int]], tails: Sequence[int], family: Sequence[int], shared: int
) -> Iterator[list[int]]:
    """Yield runs of a family in order that go on alike after `shared` tokens; a row whose tail begins there alone."""
    part: list[int] = []
    for row in family:
        alone = len(rows[row]) - tails[row] <= shared
        if part and (
            alone or len(rows[part[0]]) - tails[part[0]] <= shared or rows[part[0]][shared] != rows[row][shared]
        ):
            yield part
            part = []
        part.append(row)
    yield part


def slices(tree: Sequence[Segment], most: int) -> Iterator[range]:
    """Yield the places of segments that are read together, in order: at most `most` tokens, or a single segment."""
    first = n_tokens = 0
    for place, segment in enumerate(tree):
        size = segment.end - segment.start
        if place > first and n_tokens + size > most:
            yield range(first, place)
            first, n_tokens = place, 0
        n_tokens += size
    if first < len(tree):
        yield range(first, len(tree))


def path(tree: Sequence[Segment], place: int) -> list[int]:
    """Return the places of the segments from the beginning to `place`."""
    result = []
    while place != NO_PARENT:
        result.append(place)
        place = tree[place].parent
    return result[::-1]
