"""Bringing raw files here: from a mirror folder or over https, always checked against the catalogue.

With hub.py, packages.py and backends/openai.py the only module of the package that uses the network.
"""

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import httpx
import tenacity

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.data.sources import Source

logger = logging.getLogger(__name__)

ATTEMPTS = 5
FIRST_WAIT = 1.0  # seconds; doubled before every further attempt
LONGEST_WAIT = 60.0
TIMEOUT = httpx.Timeout(30.0, read=60.0)  # seconds, per connection and per piece, not for the whole file
PIECE = 1 << 20
SLOWEST = 1000  # bytes per second, on average, once PATIENCE is over
PATIENCE = 60.0  # seconds


class _TryAgain(Exception):
    """A fault that may pass: a refused or cut connection, a busy server."""


def fetch(
    source: Source,
    destination: str | Path,
    mirror: str | Path | None = None,
    fall_back: bool = False,
    attempts: int = ATTEMPTS,
    first_wait: float = FIRST_WAIT,
) -> None:
    """Write the source to `destination` once its size and sha256 are right; leave no partial file otherwise.

    With a mirror the network is used only when `fall_back` is set and the mirror lacks the file. Waits are in seconds.
    """
    copy = source.copy(mirror)
    if copy is not None and copy.is_file():
        _write_checked(source, destination, str(copy), _read(copy))
        return
    if source.is_local:
        raise JudgemergeError(f"source '{source.key}': {copy} does not exist; correct its address in the catalogue")
    if copy is not None and not fall_back:
        raise JudgemergeError(
            f"source '{source.key}': the mirror has no {copy}; put the file of {source.url} there "
            "(`make mirror` on a machine with internet does), or study without `mirror` to download it"
        )
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_TryAgain),
        stop=tenacity.stop_after_attempt(attempts),
        wait=tenacity.wait_exponential(multiplier=first_wait, max=LONGEST_WAIT),
        before_sleep=tenacity.before_sleep_log(logger, logging.WARNING),
        reraise=True,
    )
    try:
        retrying(_download, source, destination)
    except _TryAgain as error:
        raise JudgemergeError(
            f"source '{source.key}': {source.url} failed {attempts} times, last with: {error}; "
            "try again later or give a mirror folder that holds it"
        ) from None


def is_right(source: Source, path: str | Path) -> bool:
    """Return whether the file exists with the size and sha256 of the catalogue (where that knows them)."""
    path = Path(path)
    if source.unseen:
        return path.is_file()
    return path.is_file() and path.stat().st_size == source.bytes and files.sha256_file(path) == source.sha256


def build_mirror(
    sources: Iterable[Source],
    directory: str | Path,
    mirror: str | Path | None = None,
    missing: list[str] | None = None,
) -> tuple[list[Path], list[Path]]:
    """Lay out a mirror of the sources in `directory`; return the paths written and the paths that were right already.

    A file that is wrong is kept as `<name>.wrong` beside the right one. With `mirror` the files come from another one
    instead of the network. Sources on this machine need no mirror. What cannot be had is added to `missing`, one
    sentence each; without such a list the first one is raised.
    """
    fetched, present = [], []
    for source in sources:
        path = Path(directory) / source.mirror_path
        if source.is_local:
            continue
        if is_right(source, path):
            present.append(path)
            continue
        try:
            _fetch_beside(source, path, mirror)
            fetched.append(path)
        except JudgemergeError as error:
            if missing is None:
                raise
            missing.append(str(error))
    return fetched, present


def _fetch_beside(source: Source, path: Path, mirror: str | Path | None) -> None:
    """Fetch a source to `path`; what lies there is moved out of the way once the right file is here."""
    fresh = path.with_name(f"{path.name}.new")
    fetch(source, fresh, mirror)
    if path.exists():
        path.replace(path.with_name(f"{path.name}.wrong"))
    fresh.replace(path)


def _read(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _download(source: Source, destination: str | Path) -> None:
    try:
        with httpx.stream("GET", source.url, follow_redirects=True, timeout=TIMEOUT) as response:
            if response.status_code == 429 or response.status_code >= 500:
                raise _TryAgain(f"HTTP {response.status_code}")
            if response.status_code != 200:
                raise JudgemergeError(
                    f"source '{source.key}': {source.url} answers HTTP {response.status_code}; "
                    "correct the entry in the catalogue or give a mirror folder that holds the file"
                )
            _write_checked(source, destination, source.url, _in_time(response), retry_short=True)
    except httpx.HTTPError as error:
        raise _TryAgain(str(error) or type(error).__name__) from error


def _in_time(response: httpx.Response) -> Iterator[bytes]:
    """Yield what arrives; a server that only drips would otherwise hold the job for ever."""
    start, n_bytes = time.monotonic(), 0
    for piece in response.iter_bytes():
        n_bytes += len(piece)
        seconds = time.monotonic() - start
        if seconds > PATIENCE and n_bytes < SLOWEST * seconds:
            raise _TryAgain(f"only {n_bytes} bytes arrived in {seconds:.0f} seconds")
        yield piece


def _write_checked(
    source: Source, destination: str | Path, origin: str, pieces: Iterable[bytes], retry_short: bool = False
) -> None:
    with files.atomic_writer(destination, "wb") as file:
        n_bytes, sha256 = _copy(pieces, file)
        if retry_short and n_bytes < source.bytes:
            raise _TryAgain(f"{n_bytes} of {source.bytes} bytes arrived")
        if source.unseen:
            logger.warning(
                "source '%s': %s bytes with sha256 %s, not known to the catalogue", source.key, n_bytes, sha256
            )
        elif (n_bytes, sha256) != (source.bytes, source.sha256):
            raise JudgemergeError(
                f"source '{source.key}': {origin} has {n_bytes} bytes with sha256 {sha256}, but the catalogue says "
                f"{source.bytes} bytes with sha256 {source.sha256}; replace the file or correct the catalogue"
            )


def _copy(pieces: Iterable[bytes], file: IO[bytes]) -> tuple[int, str]:
    digest, n_bytes = hashlib.sha256(), 0
    for piece in pieces:
        file.write(piece)
        digest.update(piece)
        n_bytes += len(piece)
    return n_bytes, digest.hexdigest()
