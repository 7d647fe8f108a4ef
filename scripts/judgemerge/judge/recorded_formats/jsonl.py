"""Read verdicts of your own, or of any file of rows whose fields are named in the catalogue entry.

Roles: `original`, and `swapped` when both orders were judged; both may be the same file. JSON lines, a JSON list or
object, CSV, TSV or Parquet, plain or gzipped.

    options:
      fields:                # names, or paths: judgments.0.decision
        item: key            # the item's id ([question, turn] joins fields); without it, row n of the file belongs to
                             # row n of the benchmark's file
        pair: [model_a, model_b]   # as in the benchmark's entry: `first` is the first of them, in either order. With
                             # one file in both roles, a row that names them as the benchmark does is `original`, the
                             # other way round `swapped`
        verdict: choice      # of pairs; or [score_a, score_b]: the higher one wins, equal ones are a tie
        score: grade         # of single answers, in place of `verdict`; may be written as text
        reply: why           # optional
      labels: {A: first, B: second, C: tie, garbage: null}   # word → class (or number, of a score); null: an error
      positions: shown       # what `first` means in the swapped file: shown first, or the `benchmark`'s first
      rows: {list: samples, keys: [judge, item], where: {judge: gpt-4}}   # where rows are; see _rows.read_rows
      minimum_share: 0.5     # see `check_fit` of recorded.py

A role is a file, or {file, fields, labels, rows} with what is different for that benchmark and order. A value that is
not among the labels, null, and NaN are errors `unparsed`, never a tie; counts.json lists them. A verdict without a
probability (absent, null, NaN) counts like any other, only not where probabilities are looked at.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from judgemerge.core.catalogues import check_keys
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import CLASSES, LONE_SURROGATE, SWAPPED, Item, Verdict
from judgemerge.core.probabilities import grade_name, renamed
from judgemerge.core.records import spelled
from judgemerge.data.benchmarks import _fields
from judgemerge.data.benchmarks._rows import Row, as_finite, check_layout, read_rows
from judgemerge.judge.recorded_formats import ORDERS, Recorded
from judgemerge.judge.recorded_formats._joins import by_key, not_recorded

ROLES = (("original",), ("swapped",))
PROTOCOLS = {"verdict": "pairwise", "score": "pointwise"}
FIELDS = {
    "item": (str, list),
    "pair": list,
    "verdict": (str, list),
    "score": str,
    "reply": str,
    "probability": (str, dict),
}
ROUNDED = 0.01  # by how much probabilities that were written with few digits may sum to more than 1
OF_A_ROLE = {"fields": dict, "labels": dict, "rows": dict}
RowsOf = Callable[[Path, Mapping | None], Iterator[Row]]  # rows of a file by its `rows`; other formats have their own


def check(entry: dict, where: str) -> None:
    """Refuse an entry that cannot be right."""
    optional = {**OF_A_ROLE, "positions": str, "minimum_share": (int, float)}
    check_keys(entry.get("options", {}), {}, optional, f"{where}: options")
    for benchmark, roles in entry["benchmarks"].items():
        for role, value in roles.items():
            if isinstance(value, dict):
                check_keys(value, {"file": str}, OF_A_ROLE, f"{where}: {benchmark}: {role}")
            _check_settings(settings_of(entry.get("options", {}), value), where)
    positions = entry.get("options", {}).get("positions")
    if any(
        _needs_positions(roles, entry.get("options", {})) for roles in entry["benchmarks"].values()
    ) and positions not in ("shown", "benchmark"):
        raise JudgemergeError(
            f"{where}: options.positions is '{positions}'; say `shown` when `first` in the swapped file is the "
            "response that was shown first, `benchmark` when it is the benchmark's first"
        )


def settings_of(options: Mapping, role: object) -> dict:
    """Return fields, labels and rows of one role: the judge's, with what the role itself has in their place."""
    of_role = role if isinstance(role, Mapping) else {}
    fields = dict(options.get("fields", {}))
    if {"verdict", "score"} & of_role.get("fields", {}).keys():
        fields = {name: value for name, value in fields.items() if name not in ("verdict", "score")}
    return {
        "fields": fields | of_role.get("fields", {}),
        "labels": of_role.get("labels", options.get("labels", {})),
        "rows": of_role.get("rows", options.get("rows", {})),
    }


def has_probabilities(options: Mapping, role: object) -> bool:
    """Return whether a role's file says how likely verdicts are."""
    return "probability" in settings_of(options, role)["fields"]


def _needs_positions(roles: Mapping, options: Mapping) -> bool:
    settings = {role: settings_of(options, value) for role, value in roles.items()}
    files = {role: value["file"] if isinstance(value, Mapping) else value for role, value in roles.items()}
    return "swapped" in roles and not _is_by_pair(files, settings)


def _is_by_pair(files: Mapping[str, object], settings: Mapping[str, dict]) -> bool:
    """Return whether a row's order is the one in which it names the pair: both roles are one file, read alike."""
    if set(files) != set(ORDERS) or "pair" not in settings["original"]["fields"]:
        return False
    return files["original"] == files["swapped"] and settings["original"] == settings["swapped"]


def _check_settings(settings: dict, where: str) -> None:
    fields = settings["fields"]
    if not fields:
        raise JudgemergeError(f"{where}: options has no fields; name the fields with the item and with the verdict")
    check_keys(fields, {}, FIELDS, f"{where}: options.fields")
    if len(PROTOCOLS.keys() & fields.keys()) != 1:
        raise JudgemergeError(f"{where}: options.fields needs either verdict (of pairs) or score (of single answers)")
    if isinstance(fields.get("verdict"), list) and len(fields["verdict"]) != 2:
        raise JudgemergeError(f"{where}: options.fields.verdict: two scores are two fields, one per response; name two")
    _fields.check_pair(fields, "item", where)
    if "pair" in fields and "score" in fields:
        raise JudgemergeError(f"{where}: options.fields has pair and score; a score is about one response, delete pair")
    _check_probability(fields, f"{where}: options.fields.probability")
    check_layout(settings["rows"], f"{where}: options.rows")
    if "item" not in fields and "where" in settings["rows"]:
        raise JudgemergeError(
            f"{where}: options.fields has no item, and options.rows.where takes rows out, so that no row number fits; "
            "name the field with the item's id"
        )
    _labels(settings, where)


def _check_probability(fields: Mapping, where: str) -> None:
    """Refuse a map from verdicts to fields in which something is no verdict, or no name of a field."""
    if not isinstance(fields.get("probability"), dict):
        return
    for answer, name in fields["probability"].items():
        is_grade = type(answer) in (int, float) and as_finite(answer) is not None
        if not (answer in CLASSES if "verdict" in fields else is_grade):
            expected = ", ".join(CLASSES) if "verdict" in fields else "a grade"
            raise JudgemergeError(f"{where} has the key {answer!r}, not {expected}")
        if not isinstance(name, str):
            raise JudgemergeError(f"{where}: the field of {answer} is {name!r}; give its name")


def _labels(settings: dict, where: str) -> dict:
    protocol = "pairwise" if "verdict" in settings["fields"] else "pointwise"
    labels = _fields.label_map(settings["labels"], protocol, where)
    return labels or (_fields.OUR_WORDS if protocol == "pairwise" else {})


def read(paths: dict[str, Path], items: list[Item], options: dict, rows_of: RowsOf = read_rows) -> Iterator[Recorded]:
    """Yield the verdicts on the items, in their order; `options.roles` says what is different for a role."""
    settings = {role: settings_of(options, options.get("roles", {}).get(role)) for role in paths}
    by_pair = _is_by_pair(paths, settings)
    rows = {
        role: _rows(paths[role], settings[role], items, options, role if by_pair else None, rows_of) for role in paths
    }
    labels = {role: _labels(settings[role], str(paths[role])) for role in paths}
    for item in items:
        for order in (order for order in ORDERS if order in rows):
            fields = settings[order]["fields"]
            row = rows[order].get(item.id if "item" in fields else str(item.origin["row"]))
            if row is None:
                yield from not_recorded(item, (order,))
                continue
            back = order == "swapped" and not by_pair and options["positions"] == "shown"
            turned = _fields.is_turned(row, fields, item.models)
            yield _recorded(item, order, row, fields, labels[order], back != turned)


def _rows(
    path: Path, settings: dict, items: list[Item], options: dict, order: str | None, rows_of: RowsOf
) -> dict[str, Row]:
    """Return the rows of a file by item id, or by row number where it has no ids; with `order` those of that order."""
    fields = settings["fields"]
    answer = next(name for name in PROTOCOLS if name in fields)
    if items and PROTOCOLS[answer] != items[0].protocol:
        right_name = next(name for name, protocol in PROTOCOLS.items() if protocol == items[0].protocol)
        raise JudgemergeError(
            f"{path}: options.fields names a {answer}, but {items[0].benchmark} is {items[0].protocol}; "
            f"name the field with the {right_name}"
        )
    models = {item.id: item.models for item in items} if order else {}

    def is_wanted(row: Row) -> bool:
        named = models.get(id_of(row, fields))
        return named is not None and _fields.is_turned(row, fields, named) == (order == "swapped")

    every = rows_of(path, settings["rows"])
    rows = by_key(filter(is_wanted, every) if order else every, lambda row: id_of(row, fields))
    likely = fields.get("probability", {})
    missing = [*_fields.names_of(fields[answer]), *([fields["reply"]] if "reply" in fields else [])]
    missing += [likely] if isinstance(likely, str) else likely.values()
    _fields.refuse_unknown(missing, list(rows.values()), "options.fields")
    if "item" not in fields and len(rows) > len(items) and not options.get("drawn"):
        raise JudgemergeError(
            f"{path}: {len(rows)} verdicts for {len(items)} items; without ids they can only be matched by number, so "
            "give all items of the benchmark, or name the field with the id in options.fields.item"
        )
    return rows


def id_of(row: Row, fields: Mapping) -> str:
    """Return the id of the item that a row is about, or the row's number where the file has no ids."""
    return LONE_SURROGATE.sub("\ufffd", _fields.id_of(row, "item", fields))  # as in the items


def _recorded(item: Item, order: str, row: Row, fields: dict, labels: dict, back: bool) -> Recorded:
    protocol = item.protocol
    value = _fields.raw_answer(row, fields["verdict" if protocol == "pairwise" else "score"])
    reply = _fields.joined_text(row, fields["reply"], blank=True) if "reply" in fields else None
    try:
        answer = None if value is None and "null" not in labels else _fields.meaning_of(value, labels, protocol)
    except LookupError:
        answer = None
    if answer is None:
        is_known = value is None or spelled(value) in labels  # the labels themselves may say that it is no verdict
        verdict = Verdict(item.id, order, "error", reason="unparsed")
        return Recorded(verdict, reply, row=row.number, value=None if is_known else spelled(value))
    likely = _probabilities(row, fields, answer)
    if protocol == "pointwise":
        return Recorded(Verdict(item.id, order, "score", score=answer, probabilities=likely), reply, row=row.number)
    if back:
        answer, likely = SWAPPED[answer], renamed(likely, SWAPPED)
    return Recorded(Verdict(item.id, order, answer, probabilities=likely), reply, row=row.number)


def _probabilities(row: Row, fields: Mapping, answer: str | float) -> dict[str, float] | None:
    """Return what a row says of how likely verdicts are, as the row orders the pair; None where it says nothing."""
    names = fields.get("probability", {})
    names = {answer: names} if isinstance(names, str) else names
    likely = {
        str(key) if key in CLASSES else grade_name(key): _fields.share(row, name)
        for key, name in names.items()
        if row.value(name) is not None
    }
    if sum(likely.values()) > 1 + ROUNDED:
        raise row.error(f"the probabilities in {', '.join(names.values())} sum to {sum(likely.values()):.6g}, not 1")
    return likely or None


def unknown_ids(role: str, path: Path, item_ids: set[str], options: dict, rows_of: RowsOf = read_rows) -> list[str]:
    """Return the ids of a file that are no item's, as far as the file has ids."""
    settings = settings_of(options, options.get("roles", {}).get(role))
    if "item" not in settings["fields"]:
        return []
    ids = (id_of(row, settings["fields"]) for row in rows_of(path, settings["rows"]))
    return [name for name in ids if name not in item_ids]
