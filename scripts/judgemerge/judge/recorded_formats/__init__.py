"""Formats of recorded verdicts: one module per way in which others publish what their judges said.

A format is a module of this package; `format` in config/recorded.yaml is its name, and nothing else registers it. It
has

* `ROLES`: the roles of the files that it wants, and of those that it can do without, as two tuples;
* `read(paths, items, options) -> Iterator[Recorded]`: `paths` gives a file per role, `options` are the judge's. It
  yields one `Recorded` per item and available order, the verdict mapped back to the benchmark's order. Rows are joined
  to items by number or id (`_joins.by_key`), and texts must agree wherever the file has them (`_joins.check_text`). A
  reply that cannot be read is an error `unparsed`, never a tie; an item without a row is an error `not_recorded`;
* optionally `VERDICT_FIELDS`: the fields whose values counts.json lists, also of rows that belong to no item;
* optionally `rows(path) -> Iterator[Row]`, where a file is none that `benchmarks/_rows.read_rows` reads, or
  `samples(path, layout, options) -> Iterator[Row]`, where the judge's options decide what a row is (`layout` is
  `options.rows`);
* optionally `has_probabilities(options, role)`: whether a file says how likely verdicts are, which `read` then gives;
* optionally `check(entry, where)`: refuses an entry of the catalogue that cannot be right.

Imports nothing heavy: the Snakefile checks the catalogue.
"""

from dataclasses import dataclass, field
from types import ModuleType

from judgemerge.core.items import Verdict
from judgemerge.core.registry import Modules

ORDERS = ("original", "swapped")
FORMATS = Modules(__name__, "format of recorded verdicts", needs=("ROLES", "read"))


@dataclass(frozen=True)
class Recorded:
    """A verdict, the reply it was read from (null when the file has none) and what else the file says of it.

    `row` is the number of the row that has it, None where there is none. `value` is how an answer that is none of ours
    is written in the file; a format that knows it makes label maps that do not fit show.
    """

    verdict: Verdict
    reply: str | None = None
    extra: dict = field(default_factory=dict)
    row: int | None = None
    value: str | None = None


def names() -> list[str]:
    """Return the names of the formats."""
    return list(FORMATS.names)


def recorded_format(name: str) -> ModuleType:
    """Return the module of that format; one without `ROLES` and `read` raises JudgemergeError."""
    return FORMATS.load(name)
