"""How papers count: the published protocol of each family of benchmarks, in one module per family.

A benchmark names its module with `published` in config/benchmarks.yaml. A module has `rows(case) -> Iterator[Row]`,
whose docstring says how the paper counts ties, unread verdicts and averages. Where the paper averages over benchmarks
it also has AVERAGES (name of the average → benchmarks it is the plain mean of) and AVERAGED (the metrics). Nothing else
registers it.

Where a published definition is wrong, the module gives both: the published value (rules `published`) with a note that
says in one sentence what is wrong, and ours (rules `house`) with an interval. Published values have no interval, as in
the papers. A metric has the name that it has in agreement.csv; what it is restricted to stands in brackets, such as
`accuracy_both[Code]`. The judge HUMANS is the people among themselves.

Imports nothing heavy: the Snakefile asks for the names of PROTOCOLS.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from judgemerge.core.items import Item, Verdict
from judgemerge.core.registry import Modules
from judgemerge.settings.report import Statistics

HUMANS = "humans"
COUNTS = ("truths", "unanimous", "split", "unread", "comparisons", "majority_comparisons")  # metrics that are no shares


@dataclass(frozen=True)
class Case:
    """What a paper's rules are applied to: the items of one benchmark and the verdicts of every judge on them.

    `counts` holds, by recorded judge, what its file says of itself (`recorded.count_recorded`). `settings`
    is the study's section `statistics`, for the intervals of house rows.
    """

    items: Sequence[Item]
    verdicts: Mapping[str, Sequence[Verdict]]
    counts: Mapping[str, Mapping] = field(default_factory=dict)
    settings: Statistics = field(default_factory=Statistics)


@dataclass(frozen=True)
class Row:
    """One value: of `n` things, `errors` of which had no readable verdict."""

    judge: str
    metric: str
    value: float
    n: int
    errors: int = 0
    note: str = ""
    rules: str = "published"
    ci_low: float = math.nan
    ci_high: float = math.nan


PROTOCOLS = Modules(__name__, "published protocol", needs=("rows(case)",))
