"""The demo's synthetic tasks (judgemerge/synthetic/demo_tasks.py), as item sets like any other.

Truth rule: the majority of three simulated annotators (pairs; no majority: tie) or their median (grades), as with real
benchmarks; the known quality stands in `extra.hidden`. Nothing here was written or judged by a person.

Options: split (base, train or test), n_items, seed, annotator_error (mean error rate of the annotators), habit (how
often they vote without reading), preferences (pairs only: the better response first, ties left out and counted, so
that there may be fewer items than n_items), dimensions (items also carry what MELD's targets need: scores that fit the
truth, and a sentence of feedback).
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from judgemerge.core.catalogues import check_keys
from judgemerge.core.items import SWAPPED, Item, Vote
from judgemerge.data.benchmarks import Entry
from judgemerge.data.benchmarks.meld_training import explained
from judgemerge.prompting.dimensions import Scores
from judgemerge.synthetic.demo_tasks import GRADES, better, make_items

_REQUIRED = {"split": str, "n_items": int, "seed": int}
_OPTIONAL = {"annotator_error": (int, float), "habit": (int, float), "preferences": bool, "dimensions": bool}


def load(paths: dict[str, Path], spec: Entry, counts: Counter) -> Iterator[Item]:
    """Yield the items that the catalogue entry asks for; there is no raw file."""
    check_keys(spec.options, _REQUIRED, _OPTIONAL, f"benchmark '{spec.name}': options")
    options = dict(spec.options)
    preferences, scored = options.pop("preferences", False), options.pop("dimensions", False)
    for item in make_items(spec.protocol, **options):
        counts.update(rows=1)
        extra = item.extra | (_scored(item) if scored else {})
        item = dataclasses.replace(item, benchmark=spec.name, extra=extra)
        if not preferences:
            yield item
        elif item.truth == "tie":
            counts.update(ties_left_out=1)
        else:
            yield item if item.truth == "first" else _turned(item)


def _scored(item: Item) -> dict[str, str]:
    """Return scores per dimension and feedback that say what the item's truth says; both dimensions score alike."""
    if item.protocol == "pointwise":
        return explained([_scores(item.truth)], f"It deserves {item.truth:g}.")
    grades = [GRADES[n_good] for n_good in item.extra["n_good"]]
    if better(*item.extra["n_good"]) != item.truth:  # the annotators erred: what is said of the answers fits their vote
        grades = {"first": [8, 3], "second": [3, 8], "tie": [5, 5]}[item.truth]
    text = {"first": "Response A is better.", "second": "Response B is better.", "tie": "Both are alike."}
    return explained([_scores(grade) for grade in grades], text[item.truth])


def _scores(grade: float) -> Scores:
    return Scores({"Rule": grade, "Form": grade}, grade)


def _turned(item: Item) -> Item:
    """Return the same pair with its responses, votes and truth the other way round."""
    extra = {"hidden": SWAPPED[item.extra["hidden"]], "n_good": item.extra["n_good"][::-1]}
    votes = tuple(Vote(vote.annotator, SWAPPED[vote.vote]) for vote in item.votes)
    return dataclasses.replace(
        item, responses=item.responses[::-1], votes=votes, truth=SWAPPED[item.truth], extra=item.extra | extra
    )
