"""Where a job's messages go: all of them into its log, progress and the last sentence also to the terminal."""

import contextlib
import errno
import gc
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from judgemerge.core import locks
from judgemerge.core.advances import OneLine, in_words
from judgemerge.core.errors import JudgemergeError

_SECONDS_BETWEEN_LOG_LINES = 5.0
_screen: TextIO | None = None
_one_line: OneLine | None = None  # what tools see in place of the terminal
_output = 1  # file descriptor of the standard output outside the block
_start = 0  # which start of the job this is
START = "JUDGEMERGE_START"  # the same for the process that this one becomes
STORAGE = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there, or ask for a larger quota",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EROFS: "make it writable",
    errno.EACCES: "ask for the right to write there",
}


@contextlib.contextmanager
def logged(path: str | Path) -> Iterator[None]:
    """Send standard output and error (also of C libraries and child processes) to the log at `path` in the block.

    A JudgemergeError ends the process with its one sentence in the log and on the outer standard error; any other error
    also leaves its traceback in the log.

    A job that is left over from a killed Snakemake goes on, and the same job, started again, waits for it before it
    touches the same files. Of several that wait only the one that was started last goes on.
    """
    global _screen, _output
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    _flush()
    _screen = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="replace")
    _output = os.dup(1)
    with open(path, "ab") as log:
        lock = _lock_when_alone(path)
        os.dup2(log.fileno(), 1)
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
        _flush()
        os.dup2(_screen.fileno(), 2)
        os.dup2(_output, 1)
        os.close(_output)
        _screen.close()
        _screen = None
        if lock is not None:
            os.close(lock)
        gc.freeze()  # or Python looks once more through all that was imported, before it ends: a second with torch


def _flush() -> None:
    """Write what is buffered to where it belongs, before that is exchanged."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # none, closed, or a full disk
            stream.flush()


class Overheard:
    """What a library and its processes write: it goes on to standard error, and the last lines are remembered.

    A library that keeps its work in processes of its own says there, and only there, why they ended. What goes on to
    write after the block, to the end of this process too, still goes where standard error led to at first.
    """

    def __init__(self, most_lines: int = 500):
        """Remember at most so many lines."""
        self._lines: deque[str] = deque(maxlen=most_lines)
        self._entrance: TextIO | None = None

    @contextlib.contextmanager
    def of_children(self) -> Iterator[None]:
        """Let standard output and error of this process, and of what it starts in the block, for good, be heard."""
        if self._entrance is None:
            exit_, entrance = os.pipe()
            self._entrance = os.fdopen(entrance, "w", buffering=1, encoding="utf-8", errors="replace")
            threading.Thread(target=self._listen, args=(exit_, os.dup(2)), daemon=True).start()
        _flush()
        own = os.dup(1), os.dup(2)
        os.dup2(self._entrance.fileno(), 1)
        os.dup2(self._entrance.fileno(), 2)
        try:
            # A logger that is made here keeps the stream that it finds.
            with contextlib.redirect_stdout(self._entrance), contextlib.redirect_stderr(self._entrance):
                yield
        finally:
            _flush()
            for number, descriptor in enumerate(own, 1):
                os.dup2(descriptor, number)
                os.close(descriptor)

    def last_lines(self, seconds: float = 5.0) -> list[str]:
        """Return the last lines, when nothing has come for half a second, or after some seconds."""
        heard, end = None, time.monotonic() + seconds
        while self._entrance is not None and heard != (heard := list(self._lines)) and time.monotonic() < end:
            time.sleep(0.5)
        return list(self._lines)

    def _listen(self, exit_: int, copy: int) -> None:
        with open(exit_, "rb") as stream, open(copy, "wb", buffering=0) as log:
            for line in stream:
                self._lines.append(line.decode("utf-8", "replace").rstrip())
                with contextlib.suppress(OSError):  # a full disk must not stop the children
                    log.write(line)


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
    """Return whether the job with the log at `path` is at work."""
    return locks.is_held(lock_of(path))


def lock_of(log: str | Path) -> Path:
    """Return the file that a job holds while it is at work; not its log, which Snakemake removes before every start.

    It holds how often the job was started.
    """
    log = Path(log)
    return log.with_name(f".{log.name}.lock")


def _lock_when_alone(path: str | Path) -> int | None:
    """Wait for the same job of an earlier run and return the open lock; None where there can be none.

    Ends this process where the job was started once more while it waited: the run that this one is of was killed, too.
    """
    global _start
    try:
        lock = os.open(lock_of(path), os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        return None
    _start = int(os.environ.pop(START, 0)) or _last_start(lock) + 1
    if _start > _last_start(lock):
        with contextlib.suppress(OSError):  # a full disk: the job itself will say so
            os.pwrite(lock, b"%d" % _start, 0)
    waiting = f"{path}: the same job of a run that was killed is still at work; waiting for it"
    locks.wait_for(lock, waiting, _screen)
    if _last_start(lock) > _start:
        print(f"{path}: the same job was started again since, and is left to that run", file=_screen)
        sys.exit(1)
    return lock


def _last_start(lock: int) -> int:
    return int(os.pread(lock, 20, 0) or 0)


def screen() -> TextIO | OneLine | None:
    """Return the terminal, None when the job's messages do not go to one."""
    if _screen is None or not _screen.isatty():
        return None
    return _one_line or _screen


@contextlib.contextmanager
def in_one_line(name: str) -> Iterator[None]:
    """Let tools that run in the block show one line on the terminal, how far they are; the log has everything."""
    global _one_line
    terminal = screen()
    if terminal is None:
        yield
        return
    _one_line = OneLine(_screen, name)
    try:
        yield
    finally:
        _one_line.close()
        _one_line = None


def release() -> None:
    """Give the standard streams back, for a process that is about to become one that opens the log anew."""
    if _screen is not None:
        _flush()
        os.dup2(_output, 1)
        os.dup2(_screen.fileno(), 2)
        os.environ[START] = str(_start)


class Progress:
    """A progress bar on a terminal, and a line in the log every few seconds, with the time that the rest will take."""

    def __init__(self, what: str):
        """`what` names the things counted, e.g. `prompts`."""
        self.what = what
        self.last_line = time.monotonic()
        self.begin: tuple[float, int] | None = None  # when how many were finished: the first, before weights are loaded
        self.bar = None

    def __call__(self, done: int, total: int) -> None:
        """Report that `done` of `total` are finished."""
        now = time.monotonic()
        if done in (0, total) or now - self.last_line > _SECONDS_BETWEEN_LOG_LINES:
            print(f"{done} of {total} {self.what}{self._rest(done, total, now)}", file=sys.stderr, flush=True)
            self.last_line = now
        self.begin = self.begin or (now, done)
        if screen() is None:
            return
        if self.bar is None:
            from tqdm import tqdm

            self.bar = tqdm(total=total, initial=done, unit=self.what[0], desc=self.what, file=screen(), leave=False)
        self.bar.update(done - self.bar.n)
        if done == total:
            self.bar.close()

    def _rest(self, done: int, total: int, now: float) -> str:
        begin, done_before = self.begin or (now, done)
        if done in (done_before, total):
            return ""
        return f", about {in_words((total - done) * (now - begin) / (done - done_before))} left"
