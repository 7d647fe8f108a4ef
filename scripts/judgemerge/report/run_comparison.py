"""Two runs of a study: which verdicts flipped, whether agreement fell, what else differs, and whether a gate passes.

Both runs are folders of finished results. Verdicts are paired by judge, benchmark, item and order. Agreement is tested
as everywhere: paired, on the items that are the same in both runs, clustered by prompt, with Holm's correction over all
judges and benchmarks.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.frames import read_table
from judgemerge.core.items import NOT_ASKED, Item, Verdict, read_items, read_verdicts
from judgemerge.evaluate.comparisons import cluster_gains, difference, mcnemar
from judgemerge.evaluate.metrics import metrics_for
from judgemerge.evaluate.multiple_testing import holm
from judgemerge.evaluate.power import detectable_by_test
from judgemerge.evaluate.score import RULES, BenchmarkStatistics, benchmark_statistics
from judgemerge.judge import failures
from judgemerge.report.standings import is_lower_better
from judgemerge.settings.report import Statistics
from judgemerge.study import layout

WORDS = ("description", "about", "display")  # settings that decide no verdict and no number
SIDES = ("A", "B")
LISTED = 40  # differences of one kind that are shown
NAN = math.nan


class Run(NamedTuple):
    """A finished run: its folder, run.json, the suite of every benchmark, and (judge, benchmark) of all verdicts."""

    folder: Path
    record: Mapping[str, Any]
    suites: Mapping[str, str]
    pairs: Sequence[tuple[str, str]]

    def path(self, pattern: str, **names: str) -> Path:
        """Return a file of the run, wherever its folder lies."""
        return self.folder / Path(*Path(pattern.format(study="study", **names)).parts[2:])

    def items(self, benchmark: str) -> dict[str, Item]:
        """Return the items of a benchmark by id."""
        return {item.id: item for item in read_items(self.path(layout.ITEMS, benchmark=benchmark))}

    def verdicts(self, judge: str, benchmark: str) -> list[Verdict] | None:
        """Return the verdicts of a judge on a benchmark; None where it could not judge."""
        path = self.path(layout.VERDICTS, judge=judge, suite=self.suites[benchmark])
        if not path.is_file():
            raise JudgemergeError(f"{path}: is missing, but tables/agreement.csv has the judge; run the study again")
        return None if failures.reason_of(path, benchmark) else list(read_verdicts(path, benchmark))


class Flip(NamedTuple):
    """A verdict that is another one in run B; `change` is `lost` (was right, or nearer), `gained`, or `neither`."""

    judge: str
    benchmark: str
    item: str
    order: str
    a: str
    b: str
    truth: str | float | None
    change: str


class Compared(NamedTuple):
    """One judge on one benchmark in both runs; differences are B − A in `metric`, of `n` items that both have."""

    judge: str
    benchmark: str
    verdicts: int
    flips: Sequence[Flip]
    unreadable: tuple[int, int]
    metric: str = ""
    values: tuple[float, float] = (NAN, NAN)
    difference: float = NAN
    low: float = NAN
    high: float = NAN
    detectable: float = NAN
    p: float = NAN
    p_holm: float = NAN
    mcnemar: float = NAN
    n: int = 0
    untested: str = ""
    absent: int = 0  # verdicts of A on these items that B has not

    @property
    def sign(self) -> int:
        """1 where more of the metric is better, else −1."""
        return -1 if is_lower_better(self.metric) else 1

    def flipped(self, change: str) -> int:
        """Return how many verdicts changed in this way."""
        return sum(flip.change == change for flip in self.flips)


class Inputs(NamedTuple):
    """The items of one benchmark in both runs: the same, with other texts or labels, and in one run alone."""

    benchmark: str
    same: Sequence[Item]
    changed: int
    only_a: int
    only_b: int


class Gate(NamedTuple):
    """What may differ: flips per judge and benchmark (a number, or a share of the verdicts), agreement, items."""

    allowed: float | None = None
    is_share: bool = False
    margin: float | None = None
    other_items: bool = False

    @classmethod
    def of(cls, allow: str | None = None, margin: float | None = None, other_items: bool = False) -> "Gate":
        """Return the gate of what was typed: `12`, or `1%` of the verdicts; a margin in units of the metric."""
        if margin is not None and not (math.isfinite(margin) and margin >= 0):
            raise JudgemergeError(f"--margin is {margin:g}; give how far agreement may fall, 0.02 for example")
        if allow is None:
            return cls(margin=margin, other_items=other_items)
        number, is_share = allow.removesuffix("%"), allow.endswith("%")
        if (
            not number.replace(".", "", 1).isdecimal()
            or not is_share
            and "." in number
            or is_share
            and float(number) > 100
        ):
            raise JudgemergeError(f"--allow is '{allow}'; give how many verdicts may flip (12), or what share (1%)")
        return cls(float(number) / (100 if is_share else 1), is_share, margin, other_items)


class RunComparison(NamedTuple):
    """All that is said of two runs."""

    a: Run
    b: Run
    compared: Sequence[Compared]
    inputs: Sequence[Inputs]
    settings: Sequence[str]
    others: Sequence[str]
    missing: Sequence[str]
    new: Sequence[str]
    confidence: float


# ---- reading ----


def read_run(folder: str | Path) -> Run:
    """Return a finished run; a folder that holds none is refused."""
    folder = Path(folder)
    record_file = folder / "run.json"
    if not record_file.is_file():
        raise JudgemergeError(f"{record_file} is missing; give the folder of a finished study, results/<study>")
    record = files.read_json(record_file)
    suites = {
        name: suite for suite, entry in record["settings"].get("suites", {}).items() for name in entry["benchmarks"]
    }
    table = folder / "tables" / "agreement.csv"
    if not table.is_file():
        raise JudgemergeError(f"{table} is missing; a study that judges nothing has no verdicts to compare")
    agreement = read_table(table)
    agreement = agreement[agreement.rules == RULES]  # papers count people among the judges, too
    pairs = dict.fromkeys(zip(agreement.judge, agreement.benchmark, strict=True))
    return Run(folder, record, suites, [pair for pair in pairs if pair[1] in suites])


def compare_runs(a: Run, b: Run) -> RunComparison:
    """Return what differs between two runs of a study."""
    shared = [pair for pair in a.pairs if pair in set(b.pairs)]
    if not shared:
        raise JudgemergeError(
            f"{a.folder} and {b.folder} have no judge with a benchmark in common; compare two runs of a study"
        )
    statistics = Statistics.of(a.record["settings"].get("statistics", {}))
    inputs, compared, unjudged = [], [], []
    for benchmark in dict.fromkeys(name for _, name in shared):
        both = _inputs(benchmark, a.items(benchmark), b.items(benchmark))
        inputs.append(both)
        judges = [judge for judge, name in shared if name == benchmark]
        verdicts = {judge: (a.verdicts(judge, benchmark), b.verdicts(judge, benchmark)) for judge in judges}
        unjudged += [
            f"{judge} on {benchmark} (could not judge)"
            for judge in judges
            if verdicts[judge][1] is None and verdicts[judge][0] is not None
        ]
        there = {judge: sides for judge, sides in verdicts.items() if None not in sides}
        compared += _compared(both, there, statistics)
    return RunComparison(
        a, b, _with_holm(compared), inputs,
        list(setting_differences(a.record["settings"], b.record["settings"])),
        list(other_differences(a.record, b.record)),
        [*(f"{judge} on {name}" for judge, name in a.pairs if (judge, name) not in set(b.pairs)), *unjudged],
        [f"{judge} on {name}" for judge, name in b.pairs if (judge, name) not in set(a.pairs)],
        statistics.confidence,
    )  # fmt: skip


def _inputs(benchmark: str, a: Mapping[str, Item], b: Mapping[str, Item]) -> Inputs:
    """Return the items that both runs have; what was asked and what is right have to be the same."""
    both = [item for name, item in a.items() if name in b]
    same = [item for item in both if _decisive(item) == _decisive(b[item.id])]
    return Inputs(benchmark, same, len(both) - len(same), len(a) - len(both), len(b) - len(both))


def _decisive(item: Item) -> tuple:
    return (item.protocol, item.turns, item.responses, item.reference, item.truth)


# ---- verdicts ----


def flips_of(
    judge: str, benchmark: str, items: Mapping[str, Item], a: Iterable[Verdict], b: Iterable[Verdict]
) -> tuple[list[Flip], int, int]:
    """Return the verdicts on these items that differ, in the order of run A, how many both runs have, and A alone."""
    of_b = {(one.item, one.order): one for one in b if one.reason not in NOT_ASKED}
    flips, n_both, n_absent = [], 0, 0
    for verdict in a:
        if verdict.item not in items or verdict.reason in NOT_ASKED:
            continue
        other = of_b.get((verdict.item, verdict.order))
        if other is None:
            n_absent += 1
            continue
        n_both += 1
        if (verdict.outcome, verdict.score) != (other.outcome, other.score):
            truth = items[verdict.item].truth
            said = (_said(verdict), _said(other))
            flips.append(
                Flip(judge, benchmark, verdict.item, verdict.order, *said, truth, _change(verdict, other, truth))
            )
    return flips, n_both, n_absent


def _said(verdict: Verdict) -> str:
    """Return a verdict in a word; an error with its reason."""
    return verdict.answer or f"error ({verdict.reason})"


def _change(a: Verdict, b: Verdict, truth: str | float | None) -> str:
    if truth is None:
        return "neither"
    before, after = (_distance(one, truth) for one in (a, b))
    return "neither" if before == after else "lost" if after > before else "gained"


def _distance(verdict: Verdict, truth: str | float) -> float:
    """Return how far a verdict is from the truth: 0 or 1 for a class, the distance of a grade; an error is farthest."""
    if isinstance(truth, str):
        return float(verdict.outcome != truth)
    return math.inf if verdict.score is None else abs(verdict.score - truth)


def _compared(
    inputs: Inputs, verdicts: Mapping[str, tuple[list[Verdict], list[Verdict]]], statistics: Statistics
) -> Iterator[Compared]:
    """Yield what both runs say of every judge; agreement is tested where a verdict differs."""
    items = {item.id: item for item in inputs.same}
    rows = []
    for judge, (a, b) in verdicts.items():
        flips, n_both, n_absent = flips_of(judge, inputs.benchmark, items, a, b)
        unreadable = tuple(sum(one.outcome == "error" and one.item in items for one in side) for side in (a, b))
        rows.append(Compared(judge, inputs.benchmark, n_both, flips, unreadable, absent=n_absent))
    labelled = [item for item in inputs.same if item.truth is not None]
    differing = [row.judge for row in rows if row.flips]
    if not labelled or not differing:
        yield from rows
        return
    by_side = {f"{side}/{judge}": verdicts[judge][place] for judge in differing for place, side in enumerate(SIDES)}
    metrics = metrics_for(labelled[0].protocol, "headline")
    of_all = benchmark_statistics(labelled, by_side, statistics, metrics)
    yield from (_tested(row, of_all, metrics) if row.flips else row for row in rows)


def _tested(row: Compared, statistics: BenchmarkStatistics, metrics: Sequence[str]) -> Compared:
    """Return the row with the test of B − A in the first metric that both runs define."""
    a, b = (statistics.judges[f"{side}/{row.judge}"] for side in SIDES)
    for metric in metrics:
        gap, test = difference(statistics, b, a, metric)
        if math.isfinite(gap):
            break
    else:
        return row._replace(untested=f"{metrics[0]} is undefined in one of the runs")
    benchmark = statistics.benchmark
    exact = mcnemar(cluster_gains(benchmark, b.arrays, a.arrays)) if benchmark.protocol == "pairwise" else NAN
    return row._replace(
        metric=metric,
        values=(a.values[metric], b.values[metric]),
        difference=gap,
        low=test.low,
        high=test.high,
        detectable=detectable_by_test(test, statistics.confidence),
        p=test.p,
        mcnemar=exact,
        n=benchmark.n_items,
        untested="" if math.isfinite(test.p) else "there are too few prompts for a test",
    )


def _with_holm(rows: Sequence[Compared]) -> list[Compared]:
    """Return the rows with p after Holm (1979), over all judges and benchmarks in which a verdict differs."""
    tested = [row for row in rows if math.isfinite(row.p)]
    if not tested:
        return list(rows)
    corrected = iter(holm([row.p for row in tested]))
    return [row._replace(p_holm=float(next(corrected))) if math.isfinite(row.p) else row for row in rows]


# ---- what else differs ----


def setting_differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[str]:
    """Yield `key: value in A → value in B` for every setting that differs and can decide a verdict or a number."""
    of_a, of_b = (_flat({name: value for name, value in side.items() if name not in WORDS}) for side in (a, b))
    for name in dict.fromkeys([*of_a, *of_b]):
        before, after = of_a.get(name, "unset"), of_b.get(name, "unset")
        if before != after:
            yield f"{name}: {before} → {after}"


def _flat(value: Any, path: str = "") -> dict[str, str]:
    if isinstance(value, Mapping) and value:
        parts = [_flat(inner, f"{path}.{name}" if path else str(name)) for name, inner in value.items()]
        return {name: text for part in parts for name, text in part.items()}
    return {path: str(value)}


def other_differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[str]:
    """Yield what else decides results and differs: code, versions of packages, raw files, weights of models."""
    for name, of_a, of_b in (("commit", *(side["git"]["commit"] for side in (a, b))),):
        if of_a != of_b:
            yield f"{name}: {of_a} → {of_b}"
    yield from (
        f"code of {side} is no clean commit"
        for side, record in zip(SIDES, (a, b), strict=True)
        if record["git"]["dirty"] is not False
    )
    digests = [{key: entry["sha256"] for key, entry in side.get("sources", {}).items()} for side in (a, b)]
    for kind, of_a, of_b in (
        ("version", a.get("versions", {}), b.get("versions", {})),
        ("raw file", *digests),
        ("model", a.get("models", {}), b.get("models", {})),
    ):
        for name in dict.fromkeys([*of_a, *of_b]):
            if of_a.get(name) != of_b.get(name):
                yield f"{kind} {name}: {_short(of_a.get(name))} → {_short(of_b.get(name))}"


def _short(value: Any) -> str:
    return "none" if value is None else str(value)[:16]


# ---- the gate ----


def failures_of(comparison: RunComparison, gate: Gate) -> list[str]:
    """Return why the gate does not pass, in sentences; nothing where it does."""
    reasons = [f"B lacks {name}" for name in comparison.missing]
    if not gate.other_items:
        lost = [one for one in comparison.inputs if one.changed or one.only_a]
        reasons += [f"{words}; --other-items lets that pass" for words in _of_inputs(lost)]
    for row in comparison.compared:
        where = f"{row.judge} on {row.benchmark}"
        if row.absent:
            reasons.append(f"{where}: B lacks {row.absent} of {row.absent + row.verdicts} verdicts")
        limit = None if gate.allowed is None else gate.allowed * (row.verdicts if gate.is_share else 1)
        if limit is not None and len(row.flips) > limit + 1e-9:
            reasons.append(f"{where}: {len(row.flips)} of {row.verdicts} verdicts flip, {_allowed(gate)} may")
        reasons += [f"{where}: {reason}" for reason in _fall(row, gate, comparison.confidence)]
    return reasons


def _fall(row: Compared, gate: Gate, confidence: float) -> Iterator[str]:
    """Yield why the agreement of a judge in run B does not pass."""
    if row.untested:
        if not row.sign * row.difference >= 0:
            yield f"agreement cannot be compared, {row.untested}"
    elif gate.margin is not None:
        worst = row.low if row.sign > 0 else -row.high
        if row.metric and worst < -gate.margin:
            yield f"{row.metric} may be worse by {_number(-worst)} (end of the interval), the margin is {gate.margin:g}"
    elif row.metric and row.sign * row.difference < 0 and row.p_holm < 1 - confidence:
        yield f"{row.metric} became worse, {_number(row.difference)}, p after Holm {row.p_holm:.2g}"


def _allowed(gate: Gate) -> str:
    return f"{100 * (gate.allowed or 0):g} %" if gate.is_share else f"{gate.allowed:g}"


# ---- words ----


HEAD = (
    "judge", "benchmark", "verdicts", "flips", "lost", "gained", "unread A", "unread B",
    "metric", "A", "B", "B − A", "interval", "detectable", "p Holm", "McNemar",
)  # fmt: skip


def lines_of(comparison: RunComparison, reasons: Sequence[str], gate: Gate, shown: int = 10) -> Iterator[str]:
    """Yield what is said of two runs: what differs, a row per judge and benchmark, the first flips, the gate."""
    for side, run in zip(SIDES, (comparison.a, comparison.b), strict=True):
        yield f"{side}: {run.folder}, study {run.record['study']}, commit {run.record['git']['commit'] or 'unknown'}"
    yield ""
    yield from _listed("Settings that differ", comparison.settings)
    yield from _listed("Other things that differ", [*comparison.others, *_of_inputs(comparison.inputs)])
    yield from _listed("Only in B", comparison.new)
    differing = [row for row in comparison.compared if row.flips or row.unreadable[0] != row.unreadable[1]]
    if differing:
        yield from _table(differing)
    if n_same := len(comparison.compared) - len(differing):
        yield f"{n_same} of {len(comparison.compared)} judges on a benchmark say the same in both runs"
    flips = [flip for row in comparison.compared for flip in row.flips]
    yield ""
    n_verdicts = sum(row.verdicts for row in comparison.compared)
    yield f"{len(flips)} of {n_verdicts} verdicts flip{':' if flips and shown else '.'}"
    for flip in flips[:shown]:
        yield f"  {flip.judge}  {flip.benchmark}  {flip.item}  {flip.order}: {flip.a} → {flip.b} (truth {flip.truth})"
    if len(flips) > shown > 0:
        yield f"  … and {len(flips) - shown} more; --flips FILE writes all of them"
    yield ""
    yield f"Gate ({_rules(gate, comparison.confidence)}): {'passes' if not reasons else 'does not pass'}"
    yield from (f"  {reason}" for reason in reasons)


def _rules(gate: Gate, confidence: float) -> str:
    flips = "any number of flips" if gate.allowed is None else f"at most {_allowed(gate)} flips per judge and benchmark"
    if gate.margin is None:
        return f"{flips}; no fall in agreement that is shown at {1 - confidence:.2g} after Holm"
    return f"{flips}; agreement {100 * confidence:g} % sure not to fall by more than {gate.margin:g}"


def _listed(title: str, entries: Sequence[str]) -> Iterator[str]:
    if not entries:
        return
    yield f"{title}:"
    yield from (f"  {entry}" for entry in entries[:LISTED])
    if len(entries) > LISTED:
        yield f"  … and {len(entries) - LISTED} more"
    yield ""


def _of_inputs(inputs: Iterable[Inputs]) -> Iterator[str]:
    for one in inputs:
        counts = {"with other texts or truth": one.changed, "only in A": one.only_a, "only in B": one.only_b}
        parts = [f"{n} {words}" for words, n in counts.items() if n]
        if parts:
            yield f"items of {one.benchmark}: {', '.join(parts)}; compared are the other {len(one.same)}"


def _table(rows: Sequence[Compared]) -> Iterator[str]:
    cells = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(HEAD))]
    for row in cells:
        padded = (
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(padded).rstrip()


def _cells(row: Compared) -> tuple[str, ...]:
    counts = (row.verdicts, len(row.flips), row.flipped("lost"), row.flipped("gained"), *row.unreadable)
    interval = f"{_number(row.low)} to {_number(row.high)}" if math.isfinite(row.low) else ""
    numbers = (
        *map(_number, (*row.values, row.difference)),
        interval,
        _number(row.detectable),
        _p(row.p_holm),
        _p(row.mcnemar),
    )
    return (row.judge, row.benchmark, *map(str, counts), row.metric, *numbers)


def _number(value: float) -> str:
    return f"{value + 0.0:.3f}" if math.isfinite(value) else ""


def _p(value: float) -> str:
    return "" if not math.isfinite(value) else "<.001" if value < 0.001 else f"{value:.3f}".lstrip("0")
