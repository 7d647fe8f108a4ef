"""Where the cost of a judge on a benchmark is written down, and how it is read."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from judgemerge.judge.pairs_from_grades import SUFFIX
from judgemerge.report.table import Pair, Study
from judgemerge.study.layout import REPLIES, TIMING, Layout

if TYPE_CHECKING:
    from judgemerge.evaluate.judging_costs import Cost

Places = dict[str, dict[str, dict[str, Any]]]  # judge → benchmark → what `read_cost` takes


def cost_places(study: Study, pairs: Sequence[Pair], with_seconds: bool = True) -> Places:
    """Return for (judge, benchmark) the files that say what asking cost; of recorded judges and baselines none.

    A table without seconds is the same after every run.
    """
    places: Places = {}
    for judge, benchmark in dict.fromkeys(pairs):
        places.setdefault(judge, {})[benchmark] = _place(study, judge, benchmark, with_seconds)
    return places


def cost_files(places: Places) -> list[str]:
    """Return the files that `read_cost` reads."""
    entries = [entry for by_benchmark in places.values() for entry in by_benchmark.values()]
    paths = [entry.get(role) for entry in entries for role in ("replies", "timing")]
    return list(dict.fromkeys(path for path in paths if path))


def _place(study: Study, judge: str, benchmark: str, with_seconds: bool) -> dict[str, Any]:
    layout, kind = Layout(study.name), study.kind(judge)
    if kind not in ("model", "derived"):
        return {"kind": kind}
    suite, model = study.suite_of(benchmark), judge
    if kind == "derived":
        suite, model = f"{suite}{SUFFIX}", study.judges_from_grades[judge]
    place = {"kind": kind, "replies": layout.path(REPLIES, model, suite), "sides": 2 if kind == "derived" else 1}
    is_endpoint = model in study.models_by_origin("endpoint")
    return place if is_endpoint or not with_seconds else {**place, "timing": layout.path(TIMING, model, suite)}


def read_cost(place: Mapping[str, Any], benchmark: str, n_items: int) -> "Cost":
    """Return the cost of one judge on a benchmark of so many items."""
    from judgemerge.core import files
    from judgemerge.evaluate import judging_costs
    from judgemerge.judge import failures
    from judgemerge.prompting.parsing import read_replies

    if "replies" not in place:
        is_baseline = place["kind"] == "baseline"
        return judging_costs.Cost(0.0, 0.0) if is_baseline else judging_costs.Cost(note=judging_costs.NOT_ASKED_HERE)
    if reason := failures.reason_of(place["replies"]):
        return judging_costs.Cost(note=reason)
    timing = files.read_json(place["timing"]) if "timing" in place else None
    return judging_costs.measured(read_replies(place["replies"], benchmark), n_items, timing, place["sides"])
