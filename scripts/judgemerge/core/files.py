"""Reading and writing files so that a crash leaves either the old file or the new one, never half of it."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from judgemerge.core.errors import JudgemergeError


@contextlib.contextmanager
def atomic_writer(path: str | Path, mode: str = "w") -> Iterator[IO]:
    """Yield a file that replaces `path` when the block ends without an error.

    The new file gets the modes that the umask asks for, so that results on shared storage stay readable by the group
    (mkstemp alone would give 0600).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~current_umask())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def current_umask() -> int:
    """Return the process umask (which can only be read by setting it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def version(path: str | Path) -> tuple[str | Path, int, int]:
    """Return what a file is known by until it changes: the path, the time of its last change, its bytes."""
    status = os.stat(path)
    return path, status.st_mtime_ns, status.st_size


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    with atomic_writer(path) as file:
        file.write(json_line(value, indent=1))


def read_json(path: str | Path) -> Any:
    """Return the parsed JSON file; a broken one is named with its line."""
    return parse_json(Path(path).read_bytes(), path)


def parse_json(data: bytes, path: str | Path) -> Any:
    """Return the JSON value of `data`, what `path` holds; a byte-order mark is passed over."""
    try:
        return json.loads(data.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise JudgemergeError(
            f"{path}: line {error.lineno} is not JSON ({error.msg}); fetch or write the file again"
        ) from None
    except (ValueError, RecursionError):  # no UTF-8, a number of thousands of digits, a list in a list in a …
        raise _no_json(path) from None


def _no_json(path: str | Path) -> JudgemergeError:
    return JudgemergeError(f"{path}: is not JSON in UTF-8; fetch or write the file again")


def write_jsonl(path: str | Path, rows: Iterable[dict]) -> int:
    """Write one compact JSON object per line, atomically; return the number of lines."""
    n_rows = 0
    with atomic_writer(path) as file:
        for row in rows:
            file.write(json_line(row, separators=(",", ":")))
            n_rows += 1
    return n_rows


def json_line(value: Any, **settings: Any) -> str:
    """Return the value as one line of JSON that UTF-8 can hold: half of a surrogate pair stays the escape it was."""
    text = json.dumps(value, ensure_ascii=False, **settings) + "\n"
    return text if is_writable(text) else json.dumps(value, **settings) + "\n"


def is_writable(text: str) -> bool:
    """Return whether UTF-8 can hold a text; it cannot where half of a surrogate pair stands alone."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def read_jsonl(path: str | Path, start: bytes = b"") -> Iterator[dict]:
    """Yield the objects of a JSON-lines file; a broken line is named by its number, a row that is no object by its.

    Lines that do not begin with `start` are passed over unread.
    """
    with open(path, "rb") as file:
        lines = (line if line.startswith(start) else b"" for line in file) if start else file
        for number, value in enumerate(parse_jsonl(lines, path)):
            if not isinstance(value, dict):
                raise JudgemergeError(
                    f"{path}: row {number} is {type(value).__name__}, not an object with named fields; correct it"
                )
            yield value


def parse_jsonl(lines: Iterable[bytes], path: str | Path) -> Iterator[Any]:
    """Yield the values of JSON lines, the content of `path`; a byte-order mark is passed over."""
    for number, line in enumerate(lines, 1):  # decoded line by line, so that what is no text has a line, too
        if not line.strip():
            continue
        try:
            value = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except json.JSONDecodeError as error:
            if number == 1 and not line.decode("utf-8-sig").strip():
                continue  # a byte-order mark alone
            raise JudgemergeError(
                f"{path}: line {number} is not JSON ({error.msg}); fetch or write the file again"
            ) from None
        except (ValueError, RecursionError):
            raise _no_json(f"{path}: line {number}") from None
        yield value


def sha256_file(path: str | Path) -> str:
    """Return the hexadecimal sha256 of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_text(*parts: str) -> str:
    """Return the hexadecimal sha256 of the parts, each preceded by its length so that no two lists collide."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode(errors="surrogatepass")
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()


def make_group_readable(folder: str | Path) -> None:
    """Give every file below `folder` the modes that the umask asks for (safetensors 0.8.0 writes 0600)."""
    mask = current_umask()
    for path in Path(folder).rglob("*"):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)
