"""What every loader needs: rows with checked fields, clusters by prompt, and majorities of votes."""

import collections
import fnmatch
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgemerge.core import files
from judgemerge.core.catalogues import check_keys
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.items import GREATEST_GRADE, Item, Vote
from judgemerge.core.records import read_records, spelled
from judgemerge.data.benchmarks import Entry

KIND_NAMES = {str: "text", int: "a whole number", float: "a number", list: "a list", dict: "an object"}
ABSENT = object()  # what `Row.find` returns where there is no such field; null is a value


@dataclass(frozen=True)
class Row:
    """One record of a raw file; `number` counts from 0.

    A field is a name, or a path into what the record holds: `scores.fluency`, `judgments.0.decision`. A name with dots
    that the record has itself goes before a path.
    """

    file: Path
    number: int
    data: dict

    def find(self, field: str) -> Any:
        """Return the value of a field, ABSENT where the row has no such field."""
        return _find(self.data, field)

    def value(self, field: str) -> Any:
        """Return the value of a field that may be missing: None where it is absent, null or blank."""
        value = self.find(field)
        return None if value is ABSENT or isinstance(value, str) and not value.strip() else value

    def get(self, field: str, kind: type | tuple[type, ...] = str, choices: Collection | None = None) -> Any:
        """Return the value of a field, or raise JudgemergeError when it is absent, of another type or not a choice.

        A boolean is no number, and neither are NaN and infinity. With kind float a whole number is accepted and
        returned as float.
        """
        value = self.find(field)
        if value is ABSENT:
            raise self.error(
                f"has no field '{field}'; it has {', '.join(self.data) or 'none'}; is it the file that the catalogue "
                "names?"
            )
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if type(value) in (int, float) and float in kinds:
            value = self.finite(field, value)
        if type(value) not in kinds:
            names = " or ".join(KIND_NAMES.get(one, one.__name__) for one in kinds)
            raise self.error(f"field '{field}' is {shown(value)}, not {names}")
        if choices is not None and value not in choices:
            raise self.error(f"field '{field}' is {value!r}, not one of {', '.join(map(str, choices))}")
        return value

    def finite(self, field: str, value: float) -> float:
        """Return a number of a field as float, or raise JudgemergeError when it is none: NaN, infinite, 1e400."""
        number = as_finite(value)
        if number is None:
            raise self.error(
                f"field '{field}' is {shown(value)}, which is no finite number; correct or leave out the row"
            )
        return number

    def origin(self, spec: Entry) -> dict[str, Any]:
        """Return where an item of the role `rows` comes from."""
        return {"source": spec.sources["rows"], "row": self.number}

    def error(self, problem: str) -> JudgemergeError:
        """Return the error that names this row."""
        return JudgemergeError(f"{self.file}: row {self.number}: {problem}")


def _find(value: Any, field: str) -> Any:
    if isinstance(value, list):
        index, _, rest = field.partition(".")
        if not index.isdecimal() or int(index) >= len(value):
            return ABSENT
        return _find(value[int(index)], rest) if rest else value[int(index)]
    if not isinstance(value, dict):
        return ABSENT
    if field in value:
        return value[field]
    for position in (at for at, char in enumerate(field) if char == "."):
        inner = _find(value[field[:position]], field[position + 1 :]) if field[:position] in value else ABSENT
        if inner is not ABSENT:
            return inner
    return ABSENT


def as_finite(value: float) -> float | None:
    """Return a number as float; None where it is NaN, infinite or greater than any grade (GREATEST_GRADE)."""
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) <= GREATEST_GRADE else None


def shown(value: Any) -> str:
    """Return how an error shows the value of a field."""
    return json.dumps(value, ensure_ascii=False, default=str)[:60]


def read_rows(path: str | Path, layout: Mapping | None = None) -> Iterator[Row]:
    """Yield the rows of a raw file (`records.read_records` says which files are read).

    `layout` says where rows are that are not simply the file's records; they are numbered as they come:

    * `list`: the field that holds a list of rows; each gets the other fields of its record, too;
    * `keys`: names for the keys of objects in objects, [annotator, item] for {"anna": {"q1": 3, …}, …}; what the last
      key leads to is the row's fields, or its field `value`;
    * `json`: names of fields whose text is JSON, as tables keep lists and objects; they are read as what they say;
    * `where`: field → value (or a list of values, * for any text) that a row must have to be read.
    """
    layout = layout or {}
    for number, data in enumerate(_laid_out(path, layout)):
        if not isinstance(data, dict):
            raise JudgemergeError(f"{path}: row {number} is {type(data).__name__}, not an object with named fields")
        row = _parsed(Row(Path(path), number, data), layout.get("json", ()))
        if is_wanted(row, layout.get("where", {})):
            yield row


def counted_rows(
    paths: Mapping[str, Path], counts: collections.Counter, layout: Mapping | None = None
) -> Iterator[Row]:
    """Yield the rows of the role `rows`, and count them."""
    for row in read_rows(paths["rows"], layout):
        counts.update(rows=1)
        yield row


def item_of(row: Row, spec: Entry, prompt: str, responses: Iterable[str], **fields: Any) -> Item:
    """Return the item of one row with one turn; unless given its id is the row's number, its cluster the prompt's."""
    about = {"id": str(row.number), "protocol": spec.protocol, "cluster": cluster_of(prompt), **fields}
    texts = tuple((response,) for response in responses)
    return Item(**about, benchmark=spec.name, turns=(prompt,), responses=texts, origin=row.origin(spec))


def check_layout(layout: object, where: str) -> None:
    """Raise JudgemergeError unless `layout` is one that `read_rows` takes."""
    check_keys(layout, {}, {"list": str, "keys": list, "json": list, "where": dict}, where)


def _laid_out(path: str | Path, layout: Mapping) -> Iterator[Any]:
    for number, record in enumerate(read_records(path)):
        records = _by_keys(record, tuple(layout["keys"]), {}) if "keys" in layout else (record,)
        if "list" not in layout:
            yield from records
            continue
        for one in records:
            row = Row(Path(path), number, one if isinstance(one, dict) else {})
            others = {name: value for name, value in row.data.items() if name != layout["list"]}
            yield from (
                {**others, **inner} if isinstance(inner, dict) else inner for inner in row.get(layout["list"], list)
            )


def _by_keys(value: Any, names: tuple[str, ...], cache: dict) -> Iterator[Any]:
    """Yield one row per value that lies below as many keys as there are names."""
    if not names:
        yield {**cache, **(value if isinstance(value, dict) else {"value": value})}
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _by_keys(inner, names[1:], {**cache, names[0]: key})
    else:
        yield value  # no object: read_rows says so


def _parsed(row: Row, fields: Collection[str]) -> Row:
    """Return the row with what stands as JSON in the text of these fields; a blank text is null."""
    cache = {}
    for field in fields:
        if isinstance(row.data.get(field), str):
            text = row.value(field)
            try:
                cache[field] = text if text is None else json.loads(text)
            except ValueError:
                raise row.error(f"field '{field}' is {shown(text)}, which is no JSON; correct options.rows") from None
    return Row(row.file, row.number, {**row.data, **cache}) if cache else row


def is_wanted(row: Row, conditions: Mapping) -> bool:
    """Return whether a row has one of the values that `where` names in each of its fields."""
    for field, values in conditions.items():
        value = row.find(field)
        texts = [spelled(one) for one in (values if isinstance(values, list) else [values])]
        if value is ABSENT or not any(fnmatch.fnmatchcase(spelled(value), _pattern(text)) for text in texts):
            return False
    return True


def _pattern(text: str) -> str:
    """Return a pattern in which * alone is special."""
    return text.replace("[", "[[]").replace("?", "[?]")


def normalise(text: str) -> str:
    """Return the text with case and white space folded."""
    return " ".join(text.casefold().split())


def cluster_of(prompt: str) -> str:
    """Return the cluster of a prompt: a digest that is equal for prompts that are equal after `normalise`."""
    return files.sha256_text(normalise(prompt))[:16]


def majority(votes: Collection[Vote]) -> str:
    """Return the class with most votes; an even split at the top is a tie."""
    counted = collections.Counter(vote.vote for vote in votes).most_common()
    if len(counted) > 1 and counted[0][1] == counted[1][1]:
        return "tie"
    return counted[0][0]


def form_of(spec: Entry, forms: Mapping[str, Any]) -> Any:
    """Return what `forms` holds for the option `form`, or raise JudgemergeError."""
    form = spec.options.get("form")
    if form not in forms:
        raise JudgemergeError(f"{spec.where}: unknown option form '{form}'{did_you_mean(str(form), forms)}")
    return forms[form]


def checked_options(spec: Entry, **types: Collection | type | tuple[type, ...]) -> dict:
    """Return the options of a catalogue entry; each is of a type, or one of the values, that `known` gives."""
    where = f"{spec.where}: options"
    options = {name: value for name, value in spec.options.items() if value is not None}
    for name, value in options.items():
        if name not in types:
            raise JudgemergeError(f"{where} has the unknown key '{name}'{did_you_mean(name, types)}")
        allowed = types[name]
        is_type = isinstance(allowed, type) or isinstance(next(iter(allowed)), type)
        if not isinstance(value, allowed) if is_type else value not in allowed:
            names = allowed.__name__ if isinstance(allowed, type) else ", ".join(map(str, allowed))
            raise JudgemergeError(f"{where}: {name} is {value!r}, not {names}")
    return options
