"""Recorded judges: verdicts that somebody else published (config/recorded.yaml), read as verdicts on our items.

How a file is read says its format, a module of recorded_formats/. What is here is the same for all: the catalogue, the
refusal of a file that hardly fits, and the counts of what a file holds.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from judgemerge.core.catalogues import check_keys, load_yaml
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.items import Item, read_items, verdict_rows
from judgemerge.data.benchmarks._rows import Row, read_rows
from judgemerge.judge import failures
from judgemerge.judge.recorded_formats import ORDERS, Recorded, names, recorded_format

REQUIRED = {"label": str, "format": str, "benchmarks": dict}
OPTIONAL = {"options": dict, "description": str, "own_models": list}
MINIMUM_SHARE = 0.5
LISTED = 20  # ids of no item that counts.jsonl names


@dataclass(frozen=True)
class RecordedJudge:
    """A judge of config/recorded.yaml: `benchmarks` maps a benchmark to its source keys by role.

    A role may also be {file, …}, with what its format lets differ per role. `own_models` are the names, as benchmarks
    have them, of the models that are the judge or what it was made from.
    """

    name: str
    label: str
    format: str
    benchmarks: dict[str, dict[str, str | dict]]
    options: dict = field(default_factory=dict)
    description: str = ""
    own_models: list[str] = field(default_factory=list)

    def deciding(self, benchmark: str) -> dict:
        """Return what of the entry decides which verdicts on one benchmark come out of the judge's files."""
        options = {"options": self.options} if self.options else {}
        return {"format": self.format, **options, "benchmarks": {benchmark: self.benchmarks[benchmark]}}

    def gives_probabilities(self, benchmark: str) -> bool:
        """Return whether the files on a benchmark say how likely the judge finds its verdicts."""
        form = recorded_format(self.format)
        if not hasattr(form, "has_probabilities"):
            return False
        return any(form.has_probabilities(self.options, role) for role in self.benchmarks[benchmark].values())

    def sources(self, benchmark: str) -> dict[str, str]:
        """Return the raw files on a benchmark: role → key in sources.yaml, or path of a file."""
        roles = self.benchmarks[benchmark]
        return {name: role["file"] if isinstance(role, dict) else role for name, role in roles.items()}


def load_recorded(path: str | Path) -> dict[str, RecordedJudge]:
    """Return the recorded judges of a catalogue by name; an entry that cannot be right raises JudgemergeError."""
    judges = {}
    for name, entry in load_yaml(path).items():
        where = f"{path}: recorded judge '{name}'"
        check_keys(entry, REQUIRED, OPTIONAL, where)
        if entry["format"] not in names():
            raise JudgemergeError(
                f"{where}: unknown format '{entry['format']}'{did_you_mean(entry['format'], names())}"
            )
        check_keys(entry["benchmarks"], {}, dict.fromkeys(entry["benchmarks"], dict), f"{where}: benchmarks")
        form = recorded_format(entry["format"])
        required, optional = form.ROLES
        kind = (str, dict) if hasattr(form, "settings_of") else str
        for benchmark, roles in entry["benchmarks"].items():
            check_keys(roles, dict.fromkeys(required, kind), dict.fromkeys(optional, kind), f"{where}: {benchmark}")
        _minimum_share(entry.get("options", {}), where)
        if hasattr(form, "check"):
            form.check(entry, where)
        judges[name] = RecordedJudge(name=name, **entry)
    return judges


def options_for(judge: dict, benchmark: str, is_sample: bool) -> dict:
    """Return the options that a reader gets: the judge's, what is different for a role, whether items were drawn."""
    roles = {name: role for name, role in judge["benchmarks"][benchmark].items() if isinstance(role, dict)}
    return {**judge.get("options", {}), "drawn": is_sample, "roles": roles}


def read_recorded(
    format: str, paths: dict[str, Path], items: Iterable[Item], options: dict | None = None
) -> list[Recorded]:
    """Return the recorded verdicts on the items, in their order; an item has one per order that the format records.

    A file that hardly fits raises JudgemergeError; see `check_fit`.
    """
    items, options = list(items), options or {}
    paths = {role: Path(path) for role, path in paths.items()}  # the contract of formats, whoever calls
    recorded = list(recorded_format(format).read(paths, items, options))
    check_fit(format, paths, items, recorded, options)
    return recorded


def suite_rows(benchmarks: dict[str, dict], items: dict[str, str]) -> tuple[list[dict], list[dict]]:
    """Return the rows of verdicts on several benchmarks, and of what was counted; `items` are files by benchmark.

    `benchmarks` has {judge, drawn, paths} of each. One that cannot be read has a row that says why.
    """
    rows, counted = [], []
    for benchmark, entry in benchmarks.items():

        def read(benchmark: str = benchmark, entry: dict = entry) -> None:
            options, item_set = options_for(entry["judge"], benchmark, entry["drawn"]), read_items(items[benchmark])
            recorded = read_recorded(entry["judge"]["format"], entry["paths"], item_set, options)
            counts = count_recorded(entry["judge"]["format"], entry["paths"], recorded, item_set, options)
            rows.extend(verdict_rows((one.verdict for one in recorded), benchmark))
            counted.append({"benchmark": benchmark, **counts})

        if reason := failures.reason_against(read):
            rows.append(failures.row(benchmark, reason))
            counted.append(failures.row(benchmark, reason))
    return rows, counted


def check_fit(format: str, paths: dict, items: Sequence[Item], recorded: Sequence[Recorded], options: dict) -> None:
    """Refuse a file of which too little belongs to the items, or too little of what belongs to them is understood.

    Both shares have to reach `options.minimum_share` (default 0.5): of the rows, or of the items where they are fewer,
    those that belong together; and of the values in these rows, null and NaN aside, those that the labels know. A slip
    in the catalogue would be booked as the judge's errors.
    """
    least = _minimum_share(options, "options")
    mend = "or set options.minimum_share to less in config/recorded.yaml"
    for role, path in paths.items():
        mine = _of_role(recorded, role)
        rows = sum(1 for _ in _rows(format, role, path, options))
        n_joined = len({one.row for one in mine if one.row is not None})
        if items and n_joined < least * min(rows, len(items)):
            raise JudgemergeError(
                f"{path}: {_misfit(n_joined, rows, _unknown(format, role, path, items, options), items)}; correct the "
                f"file or the field of the id, {mend}"
            )
        values = Counter(one.value for one in mine if one.value not in (None, "NaN"))
        n_read = sum(one.verdict.outcome != "error" for one in mine)
        if values and n_read < least * (n_read + values.total()):
            listed = ", ".join(f"{value!r:.60} ({n} times)" for value, n in values.most_common(5))
            raise JudgemergeError(
                f"{path}: {n_read} of {n_read + values.total()} verdicts are understood, not {listed}; correct "
                f"options.labels{_known(format, role, options)}, {mend}"
            )


def _misfit(n_joined: int, rows: int, unknown: Sequence[str], items: Sequence[Item]) -> str:
    """Return how few rows belong to an item, and what ids look like on both sides."""
    called = f"items are called {_some([item.id for item in items])}"
    if unknown and not n_joined:
        return f"none of its ids ({_some(unknown)}) is an item; {called}"
    return f"{n_joined} of {rows} rows belong to an item{f', not {_some(unknown)}; {called}' if unknown else ''}"


def _known(format: str, role: str, options: dict) -> str:
    labels = _settings(format, role, options).get("labels", {})
    as_booleans = any(isinstance(key, bool) for key in labels)
    hint = ", in which YAML made booleans of words without quotes" if as_booleans else ""
    return f" ({', '.join(map(str, labels))}{hint})" if labels else ""


def _settings(format: str, role: str, options: dict) -> dict:
    """Return what a format lets differ per role (fields, labels, rows), nothing where it lets nothing differ."""
    form = recorded_format(format)
    return form.settings_of(options, options.get("roles", {}).get(role)) if hasattr(form, "settings_of") else {}


def _minimum_share(options: dict, where: str) -> float:
    share = options.get("minimum_share", MINIMUM_SHARE)
    if type(share) not in (int, float) or not 0 <= share <= 1:
        raise JudgemergeError(f"{where}: minimum_share is {share!r}, not a number from 0 to 1")
    return share


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(names[:3])} …"


def _of_role(recorded: Iterable[Recorded], role: str) -> list[Recorded]:
    """Return what was read from the file of a role, which holds one order, or both."""
    return [one for one in recorded if role not in ORDERS or one.verdict.order == role]


def _rows(format: str, role: str, path: Path, options: dict) -> Iterator[Row]:
    form = recorded_format(format)
    if hasattr(form, "rows"):
        return form.rows(path)
    if hasattr(form, "samples"):
        return form.samples(path, _settings(format, role, options).get("rows"), options)
    return read_rows(path, _settings(format, role, options).get("rows"))


def _unknown(format: str, role: str, path: Path, items: Iterable[Item], options: dict) -> list[str]:
    form = recorded_format(format)
    ids = {item.id for item in items}
    return form.unknown_ids(role, path, ids, options) if hasattr(form, "unknown_ids") else []


def _n_joined(role: str, paths: dict[str, Path], rows: dict[str, list[Row]], recorded: Sequence[Recorded]) -> int:
    """Return how many rows of a role belong to an item, in whichever order the same file is read."""
    alike = [other for other, path in paths.items() if path == paths[role] and len(rows[other]) == len(rows[role])]
    return len({one.row for other in alike for one in _of_role(recorded, other) if one.row is not None})


def count_recorded(
    format: str,
    paths: dict[str, Path],
    recorded: Iterable[Recorded],
    items: Sequence[Item] = (),
    options: dict | None = None,
) -> dict:
    """Return what was counted on the way: `outcomes` on the items, and the `rows` and verdict `values` of each role.

    The outcome of an error is its reason. Values are counted as they stand in the file, also in rows that belong to no
    item; formats whose verdict is not a field of the row have none. `not_joined` are the rows of each role that belong
    to no item, with the first `unknown_ids`; `unmapped` are the values that no label explains, which are errors.
    """
    recorded, options, paths = list(recorded), options or {}, {role: Path(path) for role, path in paths.items()}
    outcomes = Counter(one.verdict.reason or one.verdict.outcome for one in recorded)
    rows = {role: list(_rows(format, role, path, options)) for role, path in paths.items()}
    fields = getattr(recorded_format(format), "VERDICT_FIELDS", ())
    values = {
        role: Counter(str(row.data[name]) for row in held for name in fields if name in row.data)
        for role, held in rows.items()
    }
    counts = {
        "outcomes": dict(outcomes),
        "rows": {role: len(held) for role, held in rows.items()},
        "values": {role: dict(counted) for role, counted in values.items() if counted},
    }
    for role, path in paths.items():
        mine = _of_role(recorded, role)
        n_joined = _n_joined(role, paths, rows, recorded)
        if items and len(rows[role]) > n_joined:
            counts.setdefault("not_joined", {})[role] = len(rows[role]) - n_joined
            unknown = _unknown(format, role, path, items, options)[:LISTED]
            counts.setdefault("unknown_ids", {})[role] = unknown
        unmapped = Counter(one.value for one in mine if one.value is not None)
        if unmapped:
            counts.setdefault("unmapped", {})[role] = dict(unmapped.most_common())
    return counts
