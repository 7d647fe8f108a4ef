"""The demo's synthetic tasks (judgemerge/demo_tasks.py), as item sets like any other.

Truth rule: the majority of three simulated annotators (pairs; no majority: tie) or their median (grades), as with real
benchmarks; the known quality stands in `extra.hidden`. Nothing here was written or judged by a person.

Options: split (base, train or test), n_items, seed, annotator_error (mean error rate of the annotators), habit (how
often they vote without reading).
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from judgemerge.catalogues import check_keys
from judgemerge.demo_tasks import make_items
from judgemerge.items import Item

_REQUIRED = {"split": str, "n_items": int, "seed": int}
_OPTIONAL = {"annotator_error": (int, float), "habit": (int, float)}


def load(paths: dict[str, Path], spec: dict, counts: Counter) -> Iterator[Item]:
    """Yield the items that the catalogue entry asks for; there is no raw file."""
    check_keys(spec["options"], _REQUIRED, _OPTIONAL, f"benchmark '{spec['name']}': options")
    for item in make_items(spec["protocol"], **spec["options"]):
        counts["rows"] += 1
        yield dataclasses.replace(item, benchmark=spec["name"])
