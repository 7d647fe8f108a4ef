"""Records of raw files: JSON, JSON lines, CSV, TSV and Parquet, each of them plain or gzipped.

A name that ends in .csv or .tsv (or .csv.gz, .tsv.gz) says what the file is; any other file is known by how it begins,
because a fetched file has no suffix. Cells of CSV and TSV are text. A byte-order mark is no part of the text. Numbers
are as the file has them: whether NaN may stand somewhere says the reader of the field.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError

TABLES = (".csv", ".tsv")
csv.field_size_limit(2**31 - 1)  # a cell may hold a whole answer; the module's own limit is 131,072 characters


def read_records(path: str | Path) -> Iterator[Any]:
    """Yield the records of a raw file, in order: objects as a rule, whatever else a list or a line of JSON holds.

    A file that is one JSON object, over several lines or on one, is one record.
    """
    path = Path(path)
    try:
        with _opened(path) as file:
            start = file.read(4096)
            file.seek(0)
            yield from _reader(path, start)(file, path)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise JudgemergeError(f"{path}: is not a whole gzip file ({error}); fetch it again") from None


def _opened(path: Path) -> IO[bytes]:
    with open(path, "rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if is_gzip else open(path, "rb")


def _reader(path: Path, start: bytes):
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    text = start.decode("utf-8", errors="ignore").lstrip("\ufeff \t\r\n")
    if start.startswith(b"PAR1"):
        return _parquet
    if suffix in TABLES or _is_table(text):
        return _table
    if text.startswith("["):
        return _json_list
    return _json_object if text.partition("\n")[0].strip() == "{" else _json_lines


def _is_table(text: str) -> bool:
    """Return whether a file without a telling name begins like a table: a header of names, and no JSON."""
    header, _, rest = text.partition("\n")
    names = header.strip().split(_delimiter(header))
    return header[:1] not in "[{\"'" and bool(rest) and len(names) > 1 and all(name.strip() for name in names)


def _delimiter(header: str) -> str:
    return max("\t,;", key=header.count)


def _json_list(file: IO[bytes], path: Path) -> Iterator:
    return iter(files.parse_json(file.read(), path))


def _json_object(file: IO[bytes], path: Path) -> Iterator:
    return iter([files.parse_json(file.read(), path)])


def _json_lines(file: IO[bytes], path: Path) -> Iterator:
    return files.parse_jsonl(file, path)


def _table(file: IO[bytes], path: Path) -> Iterator[dict]:
    try:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        first = text.readline()
        delimiter = _delimiter(first)
        names = next(csv.reader([first], delimiter=delimiter, strict=True), [])
        if len(set(names)) < len(names) or not all(name.strip() for name in names):
            raise JudgemergeError(f"{path}: the header has a column twice or without a name; name every column once")
        for number, cells in enumerate(line for line in csv.reader(text, delimiter=delimiter, strict=True) if line):
            if len(cells) != len(names):
                raise JudgemergeError(
                    f"{path}: row {number}: {len(cells)} cells, but the header has {len(names)} names; correct the row"
                )
            yield dict(zip(names, cells, strict=True))
    except csv.Error as error:
        raise JudgemergeError(f"{path}: is no table of cells ({error}); fetch or write the file again") from None
    except UnicodeDecodeError:
        raise JudgemergeError(f"{path}: is not text in UTF-8; fetch or write the file again") from None


def _parquet(file: IO[bytes], path: Path) -> Iterator[dict]:
    try:
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise JudgemergeError(
            f"{path}: reading Parquet needs the package pyarrow; install it or convert the file"
        ) from None
    try:
        for batch in pyarrow.parquet.ParquetFile(file).iter_batches(batch_size=1000):
            yield from map(_plain, batch.to_pylist())
    except (pyarrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise JudgemergeError(f"{path}: is not a whole Parquet file ({reason}); fetch it again") from None


def _plain(value: Any) -> Any:
    """Return the value as JSON has it: dates and bytes, which Parquet knows and JSON does not, as text."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return float(value) if type(value).__name__ == "Decimal" else str(value)


def spelled(value: Any) -> str:
    """Return how a value of a file is written, in one way for 1, 1.0, "1" and " 1 ", and in one for true and "True".

    Keys of YAML are spelled the same way. Null is `null`, what is no text, number or boolean is its JSON.
    """
    if isinstance(value, str):
        text = value.strip()
        return text.lower() if text.lower() in ("true", "false") else _numeral(text)
    if isinstance(value, float):
        return _numeral(repr(value)) if value == value else "NaN"
    return json.dumps(value, ensure_ascii=False, default=str)


def _numeral(text: str) -> str:
    """Return a whole number without the `.0` that a table writes once a column has a hole; any other text as it is."""
    whole, point, rest = text.partition(".")
    is_whole = point and not rest.strip("0") and whole.lstrip("+-").isdecimal()
    return whole if is_whole else text
