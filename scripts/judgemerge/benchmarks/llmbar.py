"""LLMBar (Zeng et al. 2024, arXiv:2310.07641): which of two outputs follows an instruction.

Truth: `label` 1 = first, 2 = second (single votes are not released); there are no ties, so a tie verdict is never
right. Published measure: accuracy, the mean of the two orders; no F1 is published, and the published kappas are wrong
(LLMBar's script reads every winner "2" as 0). The five subsets (Natural, Neighbor, GPTInst, GPTOut, Manual) are five
benchmarks of the catalogue.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from judgemerge.benchmarks._rows import cluster_of, read_rows
from judgemerge.items import Item

CLASS_OF = {1: "first", 2: "second"}


def load(paths: dict[str, Path], spec: dict, counts: Counter) -> Iterator[Item]:
    """Yield the items of role `rows` (a dataset.json or a result.json, which has the same fields); counts rows."""
    for row in read_rows(paths["rows"]):
        counts["rows"] += 1
        prompt = row.get("input")
        yield Item(
            id=str(row.number),
            benchmark=spec["name"],
            protocol="pairwise",
            turns=(prompt,),
            responses=((row.get("output_1"),), (row.get("output_2"),)),
            truth=CLASS_OF[row.get("label", int, CLASS_OF)],
            cluster=cluster_of(prompt),
            origin={"source": spec["sources"]["rows"], "row": row.number},
        )
