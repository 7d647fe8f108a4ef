"""Where a job's messages go: all of them into its log, progress and the last sentence also to the terminal."""

import contextlib
import errno
import fcntl
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TextIO

from judgemerge.core.errors import JudgemergeError

_SECONDS_BETWEEN_LOG_LINES = 5.0
_screen: TextIO | None = None
STORAGE = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there, or ask for a larger quota",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EROFS: "make it writable",
    errno.EACCES: "ask for the right to write there",
}


@contextlib.contextmanager
def logged(path: str | Path) -> Iterator[None]:
    """Send standard error (also that of C libraries and child processes) to the log at `path` while the block runs.

    A JudgemergeError ends the process with its one sentence in the log and on the outer standard error; any other error
    also leaves its traceback in the log.

    The log stays locked as long as this process or a tool that it has started lives: a job that is left over from a
    killed Snakemake goes on, and the same job, started again, waits for it before it touches the same files.
    """
    global _screen
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    _screen = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="replace")
    with open(path, "ab") as log:
        _wait_for_lock(log, path)
        os.dup2(log.fileno(), 2)
    try:
        yield
    except JudgemergeError as error:
        print(error, file=sys.stderr)
        print(error, file=_screen)
        sys.exit(1)
    except OSError as error:
        sentence = storage_error(error)
        with contextlib.suppress(OSError):  # the log may lie on the same full disk
            traceback.print_exc(file=sys.stderr)
            print(*[sentence] if sentence else [], file=sys.stderr)
        print(sentence or f"unexpected error, see {path}", file=_screen)
        sys.exit(1)
    except Exception:
        traceback.print_exc(file=sys.stderr)
        print(f"unexpected error, see {path}", file=_screen)
        sys.exit(1)
    finally:
        sys.stderr.flush()
        os.dup2(_screen.fileno(), 2)
        _screen.close()
        _screen = None


def tell(text: str) -> None:
    """Print a sentence into the log and to the outer standard error, as an error that ends a job is printed."""
    print(text, file=sys.stderr)
    if _screen is not None:
        print(text, file=_screen)


def storage_error(error: OSError) -> str | None:
    """Return one sentence for a file system that takes no more or does not let us write, None for other errors."""
    if error.errno not in STORAGE:
        return None
    where = error.filename2 or error.filename or os.getcwd()
    reason = os.strerror(error.errno).lower()
    return f"{where}: {reason}; {STORAGE[error.errno]}, then start again: what is done is kept"


def is_being_written(path: str | Path) -> bool:
    """Return whether a job, or a tool that it has started, holds the log at `path`: it is at work."""
    with open(path, "rb") as log:
        try:
            fcntl.flock(log, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno in (errno.EWOULDBLOCK, errno.EACCES)
    return False


def _wait_for_lock(log: IO, path: str | Path) -> None:
    with contextlib.suppress(OSError):  # a file system without locks; Snakemake's own lock has to do there
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{path}: the same job of a run that was killed is still at work; waiting for it", file=_screen)
            fcntl.flock(log, fcntl.LOCK_EX)


def screen() -> TextIO | None:
    """Return the terminal, None when the job's messages do not go to one."""
    return _screen if _screen is not None and _screen.isatty() else None


def release() -> None:
    """Give standard error back to the terminal, for a process that is about to become one that opens the log anew."""
    if _screen is not None:
        sys.stderr.flush()
        os.dup2(_screen.fileno(), 2)


class Progress:
    """A progress bar on a terminal, and a line in the log every few seconds."""

    def __init__(self, what: str):
        """`what` names the things counted, e.g. `prompts`."""
        self.what = what
        self.last_line = time.monotonic()
        self.bar = None

    def __call__(self, done: int, total: int) -> None:
        """Report that `done` of `total` are finished."""
        now = time.monotonic()
        if done in (0, total) or now - self.last_line > _SECONDS_BETWEEN_LOG_LINES:
            print(f"{done} of {total} {self.what}", file=sys.stderr, flush=True)
            self.last_line = now
        if screen() is None:
            return
        if self.bar is None:
            from tqdm import tqdm

            self.bar = tqdm(total=total, initial=done, unit=self.what[0], desc=self.what, file=screen(), leave=False)
        self.bar.update(done - self.bar.n)
        if done == total:
            self.bar.close()
