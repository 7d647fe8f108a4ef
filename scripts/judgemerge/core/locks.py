"""Locks on files, which the system gives back however a process ends."""

import contextlib
import fcntl
import sys
from pathlib import Path
from typing import TextIO


def wait_for(descriptor: int, sentence: str, to: TextIO | None = None) -> None:
    """Lock an open file; while another process has it locked, print why this one waits (to standard error).

    Where the file system has no locks nothing is locked: Snakemake's own lock has to do there.
    """
    with contextlib.suppress(OSError):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(sentence, file=to or sys.stderr)
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def is_held(path: str | Path) -> bool:
    """Return whether a process has locked a file; nobody has where it is not there or cannot be read."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # EACCES: the same, on some network file systems
            return True
    return False
