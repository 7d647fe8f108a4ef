"""PandaLM test set (Wang et al. 2023, arXiv:2306.05087): 999 pairs of 7B-model replies, three annotators each.

Truth: the majority of the three annotators, 0 = tie, 1 = first, 2 = second; there is no three-way split. Tie is a
class. Published F1: macro over the three classes.

The prompt is the instruction, then a blank line and the input when there is one; both are kept in `extra`. Six
responses are JSON booleans in the file and become "True" or "False" (`extra.converted` names them). All 999 rows are
kept, 99 of them exact duplicates; equal prompts share a cluster.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from judgemerge.benchmarks._rows import Row, cluster_of, majority, read_rows
from judgemerge.items import Item, Vote

CLASS_OF = {0: "tie", 1: "first", 2: "second"}
ANNOTATORS = ("annotator1", "annotator2", "annotator3")
RESPONSES = ("response1", "response2")


def load(paths: dict[str, Path], spec: dict, counts: Counter) -> Iterator[Item]:
    """Yield the items of role `rows`; counts rows, votes, unanimous items and converted booleans."""
    for row in read_rows(paths["rows"]):
        item = _item(row, spec)
        counts["rows"] += 1
        counts["votes"] += len(item.votes)
        counts["unanimous"] += len({vote.vote for vote in item.votes}) == 1
        counts["booleans_converted"] += len(item.extra.get("converted", ()))
        yield item


def _item(row: Row, spec: dict) -> Item:
    instruction, context = row.get("instruction"), row.get("input")
    prompt = f"{instruction}\n\n{context}" if context else instruction
    votes = tuple(Vote(name, CLASS_OF[row.get(name, int, CLASS_OF)]) for name in ANNOTATORS)
    models = tuple(row.get("cmp_key").split("_"))
    if len(models) != 2:
        raise row.error(f"field 'cmp_key' is '{row.get('cmp_key')}', not two model names joined by _")
    converted = [name for name in RESPONSES if type(row.get(name, (str, bool))) is bool]
    return Item(
        id=str(row.get("idx", int)),
        benchmark=spec["name"],
        protocol="pairwise",
        turns=(prompt,),
        responses=tuple((str(row.data[name]),) for name in RESPONSES),
        models=models,
        votes=votes,
        truth=majority(votes),
        category=row.get("motivation_app"),
        cluster=cluster_of(prompt),
        origin={"source": spec["sources"]["rows"], "row": row.number},
        extra={"instruction": instruction, "input": context} | ({"converted": converted} if converted else {}),
    )
