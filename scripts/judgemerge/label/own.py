"""What was labelled as a benchmark of one's own: items with the votes of their annotators, and its catalogue entry."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from judgemerge.core.items import Item
from judgemerge.label.votes import LabelVote

RUBRIC = ("rubric", "criterion")  # what prompts with a rubric show of an item's own


def own_rows(items: Mapping[str, Item], votes: Sequence[LabelVote]) -> Iterator[dict[str, Any]]:
    """Yield the items that have a vote, in the order of their ids, with these votes in place of their own."""
    by_unit: dict[str, list[dict[str, Any]]] = {}
    for vote in votes:
        by_unit.setdefault(vote.item, []).append({"annotator": vote.annotator, "vote": vote.vote})
    for unit in sorted(by_unit):
        item = items[unit]
        row = {"id": unit, "prompt": item.turns, "responses": item.responses, "cluster": item.cluster}
        more = {"models": item.models or None, "category": item.category, "reference": item.reference}
        more |= {name: item.extra.get(name) for name in RUBRIC}
        yield row | {name: value for name, value in more.items() if value is not None} | {"votes": by_unit[unit]}


def catalogue_entry(name: str, path: Path, of: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the entry of config/benchmarks.yaml that makes a benchmark of the rows."""
    sides = range(len(rows[0]["responses"]))
    is_pairwise = len(sides) == 2
    fields = {name: name for name in ("id", "prompt", "responses", "cluster")}
    fields["responses"] = [f"responses.{side}" for side in sides]
    if any("models" in row for row in rows):
        fields["models"] = [f"models.{side}" for side in sides]
    fields |= {key: key for key in ("category", "reference") if any(key in row for row in rows)}
    if extra := [key for key in RUBRIC if any(key in row for row in rows)]:
        fields["extra"] = extra
    annotators = {vote["annotator"] for row in rows for vote in row["votes"]}
    people = "one person" if len(annotators) == 1 else f"{len(annotators)} people"
    return {
        name: {
            "loader": "jsonl",
            "protocol": "pairwise" if is_pairwise else "pointwise",
            "description": f"{len(rows)} item{'s' * (len(rows) > 1)} of {of}, labelled by {people}",
            "truth": "majority of the votes, an even split being a tie" if is_pairwise else "mean of the votes",
            "sources": {"rows": str(path)},
            "options": {"fields": fields | {"votes": "votes", "vote": "vote", "annotator": "annotator"}},
        }
    }
