"""Running the command-line tools of others."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from judgemerge.core import logs
from judgemerge.core.errors import JudgemergeError


class Stopped(Exception):
    """The tool was ended because it was asked for, not because it failed."""


def run_tool(command: list[str], threads: int, stop: Callable[[], bool] | None = None, **environment: str) -> None:
    """Run `command` with `threads` CPU threads and no model hub; its output goes to standard error and to the terminal.

    `stop` is asked whenever the tool has printed something; a yes ends the tool and raises Stopped. Raises
    JudgemergeError with the tool's last line when it fails, and when there is no such tool. A job that is asked to end
    takes its tool along.
    """
    settings = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONHASHSEED": "0",  # mergekit and others go through sets
        **environment,
    }
    try:
        process = subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise JudgemergeError(
            f"{command[0]} is not installed here; run `make venv`, or let Snakemake make it with --sdm conda"
        ) from None
    try:
        with _ending_cleanly():
            _follow(process, command[0], stop)
    finally:
        if process.poll() is None:  # interrupted here: the tool must not go on writing
            _end(process)


def _end(process: subprocess.Popen) -> None:
    """End a tool and all that it has started: torchrun's workers have sessions of their own, and outlive it."""
    import psutil

    tool = psutil.Process(process.pid)
    tree = [*tool.children(recursive=True), tool]
    for part in tree:
        with suppress(psutil.NoSuchProcess):
            part.kill()
    psutil.wait_procs(tree, timeout=10)
    process.wait()


def end_cleanly() -> None:
    """Let a request to end (SIGTERM) raise SystemExit, so that what was begun is cleaned up."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


@contextmanager
def _ending_cleanly() -> Iterator[None]:
    """Let a request to end raise SystemExit for a while, where nobody has said yet what it does."""
    in_main = threading.current_thread() is threading.main_thread()  # no other thread may say it
    if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    end_cleanly()
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _follow(process: subprocess.Popen, name: str, stop: Callable[[], bool] | None) -> None:
    """Pass on what a tool prints until it ends; raise if it failed, or when `stop` says so."""
    tail = b""
    # read1 returns what is there: progress bars redraw with \r and have no line ends to wait for.
    while chunk := process.stdout.read1(65536):
        tail = (tail + chunk)[-4096:]
        for stream in (sys.stderr, logs.screen()):
            if stream is not None:
                stream.write(chunk.decode(errors="replace"))
                stream.flush()
        if stop is not None and stop():
            _end(process)
            raise Stopped(Path(name).name)
    if process.wait() != 0:
        lines = [line for line in tail.decode(errors="replace").replace("\r", "\n").splitlines() if line.strip()]
        last = lines[-1].strip() if lines else "it printed nothing"
        raise JudgemergeError(f"{Path(name).name} ended with code {process.returncode}: {last}; the log holds the rest")
