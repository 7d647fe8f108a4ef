"""The verdicts of a jury or a cascade on one suite, from the files of its members' verdicts."""

from collections.abc import Mapping, Sequence
from typing import Any

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Verdict, VerdictFile, read_verdicts, verdict_rows
from judgemerge.judge import cascades, failures, juries

Files = Mapping[tuple[str, str], VerdictFile]  # (member, benchmark)


def suite_rows(
    panel: Mapping[str, Any],
    development: Mapping[str, Sequence[str]],
    item_sets: Mapping[str, Sequence[Item]],
    files: Files,
    seed: int,
) -> tuple[list[dict], dict[str, list[dict]]]:
    """Return the rows of verdicts on every benchmark of `development`, and what was fitted, by benchmark.

    `panel` is what `Suites.panel` says. A benchmark that a member could not judge has one row that says so.
    """
    rows, records = [], {}
    for benchmark, fitted_on in development.items():

        def assemble(benchmark: str = benchmark, fitted_on: Sequence[str] = fitted_on) -> None:
            verdicts, record = _assembled(panel, benchmark, fitted_on, item_sets, files, seed)
            rows.extend(verdict_rows(verdicts, benchmark))
            records[benchmark] = record

        if reason := failures.reason_against(assemble):
            rows.append(failures.row(benchmark, reason))
    return rows, records


def _assembled(
    panel: Mapping[str, Any],
    benchmark: str,
    fitted_on: Sequence[str],
    item_sets: Mapping[str, Sequence[Item]],
    files: Files,
    seed: int,
) -> tuple[list[Verdict], list[dict]]:
    members = panel["members"]
    verdicts = _read(members, benchmark, files)
    known = {name: _read(members, name, files) for name in fitted_on}
    items, development = item_sets[benchmark], {name: item_sets[name] for name in fitted_on}
    if panel["kind"] == "cascade":
        promise = cascades.Promise(panel["target"], panel["confidence"])
        return cascades.verdicts_of(members, promise, items, verdicts, development, known, seed)
    weights, record = {}, []
    if panel["rule"] == "weighted":
        weights, record = juries.weights_by_item(items, verdicts, development, known, seed)
    return list(juries.verdicts_of(panel["rule"], items, verdicts, weights)), record


def _read(members: Sequence[str], benchmark: str, files: Files) -> dict[str, list[Verdict]]:
    """Return the verdicts of every member on a benchmark; raises the reason of one that could not judge."""
    verdicts = {}
    for member in members:
        file = files[member, benchmark]
        if reason := failures.reason_of(*file):
            raise JudgemergeError(f"member {member}: {reason}")
        verdicts[member] = list(read_verdicts(*file))
    return verdicts
