"""Fine-tuning an embedding model on one's own documents, and mixing the result with its base (study key `embedding`).

The stages are modules: documents → questions → selection → rewriting → training → retrieval (evaluation) → decisions.
A pair (a question and the chunk that answers it) is one object from its making to its use, so that questions and chunks
cannot drift apart.
"""

from dataclasses import asdict, dataclass, fields
from typing import NamedTuple


@dataclass(frozen=True)
class Chunk:
    """A piece of a document: `id` is unique, `position` counts from 0 within the document.

    `opening` is the first paragraph of the document where that was taken off to be the question; else it is empty.
    """

    id: str
    document: str
    position: int
    text: str
    language: str
    opening: str = ""

    def row(self) -> dict:
        """Return the chunk as a row of a JSON-lines file; without an opening it has no key for one."""
        values = asdict(self)
        return values if self.opening else {name: value for name, value in values.items() if name != "opening"}


@dataclass(frozen=True)
class Pair:
    """A question and the text that answers it; `id` says of which chunk and which of its questions it is."""

    id: str
    document: str
    anchor: str
    positive: str
    language: str

    def row(self) -> dict:
        """Return the pair as a row of a JSON-lines file."""
        return asdict(self)


class EvaluationRow(NamedTuple):
    """A question with its right texts, and the wrong ones it is told from (none: those of all rows).

    `cluster` is what intervals resample: the document, or the right text itself where no document is known.
    """

    id: str
    anchor: str
    positives: list[str]
    negatives: list[str]
    cluster: str


def pair_of(row: dict) -> Pair:
    """Return the pair that a row of a JSON-lines file holds; other keys (scores) are left aside."""
    return Pair(*(row[field.name] for field in fields(Pair)))
