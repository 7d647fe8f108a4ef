"""Snakemake started by a fork: a process that has imported it once forks for every start, which saves 1.5 CPU seconds.

Every start is a process of its own, in its own folder and environment, as after `python -m snakemake`.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

TIMED_OUT = 1000


class Server:
    """A process that has imported Snakemake, and starts it as often as it is asked to."""

    def __init__(self):
        self.process: subprocess.Popen | None = None

    def run(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: int
    ) -> subprocess.CompletedProcess:
        """Run Snakemake with these arguments in `folder`; return the process with its output as text."""
        if self.process is None:
            command = [sys.executable, __file__]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with tempfile.TemporaryDirectory() as outputs:
            request = {"arguments": arguments, "folder": str(folder), "environment": dict(environment)}
            print(json.dumps(request | {"outputs": outputs, "timeout": timeout}), file=self.process.stdin, flush=True)
            code = int(self.process.stdout.readline())
            texts = [Path(outputs, name).read_text(encoding="utf-8") for name in ("stdout", "stderr")]
        if code == TIMED_OUT:
            raise subprocess.TimeoutExpired(list(arguments), timeout, *texts)
        return subprocess.CompletedProcess(["snakemake", *arguments], code, *texts)


def serve() -> None:
    """Answer requests, a line of JSON each, with the exit code of the Snakemake that is forked for it."""
    import jsonschema  # noqa: F401
    import snakemake.cli
    import snakemake.executors.local
    import snakemake.report  # noqa: F401

    signal.signal(signal.SIGALRM, _give_up)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _move_to(request)
            snakemake.cli.main(request["arguments"])
        print(_exit_code(child, request["timeout"]), flush=True)


def _give_up(*_: object) -> None:
    raise TimeoutError


def _exit_code(child: int, timeout: int) -> int:
    """Wait for a child; one that takes too long is killed with all that it started."""
    signal.alarm(timeout)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except TimeoutError:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return TIMED_OUT
    finally:
        signal.alarm(0)


def _move_to(request: Mapping) -> None:
    """Give this process the folder, the environment and the output files that a request names."""
    os.setsid()
    files = [os.devnull, *(os.path.join(request["outputs"], name) for name in ("stdout", "stderr"))]
    for number, file in enumerate(files):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), number)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[0] = request["folder"]
    sys.argv = ["snakemake", *request["arguments"]]


if __name__ == "__main__":
    serve()
