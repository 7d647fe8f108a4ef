"""Tools started by a fork: a process that has imported a tool forks for every start, and saves 1 to 10 CPU seconds.

Every start is a process of its own, with the folder, environment, standard streams and exit code of a usual one. In the
place of the tool stands a client of the same name, which is ended with what it started, and the other way round. The
clients lie in one folder, and what they start takes the `python` there for its own: scripts of Snakemake's jobs start
by a fork, too, with the packages imported that most of them need. Nothing of judgemerge is: checkouts differ.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import logging
import multiprocessing.util
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

# Where the tool begins, and what else it imports when it runs.
TOOLS = {
    "python": (
        *("__main__", "snakemake.script", "pandas", "scipy.stats", "statsmodels.stats.multitest", "sklearn.metrics"),
        *("seaborn", "matplotlib.pyplot", "jsonschema", "transformers.models.llama.modeling_llama"),
    ),
    "snakemake": ("snakemake.cli", "jsonschema", "snakemake.executors.local", "snakemake.report"),
    "mergekit-yaml": ("mergekit.scripts.run_yaml",),
    "llamafactory-cli": ("llamafactory.cli", "llamafactory.launcher", "llamafactory.train.tuner"),
}
# What judgemerge.core.processes.run_tool gives to tools, as far as they read it when they are imported.
WHEN_IMPORTED = {"HF_HUB_OFFLINE": "1", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "DISABLE_VERSION_CHECK": "1"}
CLIENT = """#!{python} -IS
import sys
sys.path.insert(0, {tests!r})
import fork_client
fork_client.ask({address!r})
"""


@functools.cache
def tools() -> Path:
    """Return the folder with the clients of all tools; their servers end with this process."""
    folder = Path(tempfile.mkdtemp(prefix="judgemerge"))
    atexit.register(shutil.rmtree, folder)
    for name in TOOLS:
        atexit.register(stop, start(name, folder))
    return folder


def python() -> str:
    """Return the Python whose scripts start by a fork; not for tests of what an interpreter does as it starts."""
    return str(tools() / "python")


def start(name: str, folder: Path) -> subprocess.Popen:
    """Put the client of a tool into `folder` and start its server, which imports the tool when it is first asked for.

    The server ends when its standard input is closed: at `stop`, or with this process.
    """
    client, address = folder / name, str(folder / f"{name}.socket")
    here = Path(__file__)
    client.write_text(CLIENT.format(python=sys.executable, tests=str(here.parent), address=address), encoding="utf-8")
    client.chmod(0o755)
    environment = {**os.environ, **WHEN_IMPORTED}
    command = [sys.executable, str(here), name, address]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    server.stdout.readline()  # it listens
    return server


def stop(server: subprocess.Popen) -> None:
    """Let a server end when the tools that it started have; their CPU time counts as that of children."""
    server.stdin.close()
    server.wait()


# ---- the server ----


def serve(name: str, address: str) -> None:
    """Fork for every client until standard input is closed, then wait for what runs."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    print(flush=True)
    waiting: list[Any] = [listener, sys.stdin]
    running: dict[int, tuple[int, socket.socket]] = {}  # process and client by the descriptor that tells its end
    while waiting or running:
        clients = [connection for _, connection in running.values()]
        ready = select.select([*waiting, *running, *clients], [], [])[0]
        for ended in running.keys() & set(ready):
            _tell_end(ended, *running.pop(ended))
        for child, connection in running.values():
            if connection in ready:  # the client has gone
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child, signal.SIGKILL)
        if sys.stdin in ready:
            waiting = []
        elif listener in ready:
            connection, _ = listener.accept()
            _, streams, _, _ = socket.recv_fds(connection, 1, 3)
            request = json.loads(connection.makefile("rb").readline())
            module, *_ = map(importlib.import_module, TOOLS[name])
            gc.freeze()  # or every process looks through all of this once more before it ends
            child = os.fork()
            if child == 0:
                for other in (listener, connection, *clients):
                    other.close()
                _become(name, request, streams, str(Path(address).with_name("python")))
                _end(module.main)
            for stream in streams:
                os.close(stream)
            connection.sendall(b"%d\n" % child)
            running[os.pidfd_open(child)] = child, connection


def _tell_end(ended: int, child: int, connection: socket.socket) -> None:
    """Send a client the exit code of its process, unless it has gone."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with connection, contextlib.suppress(OSError):
        connection.sendall(b"%d\n" % code)
    os.close(ended)


def _become(name: str, request: dict, streams: list[int], python: str) -> None:
    """Become the process that the client asks for."""
    os.setsid()
    _forget_exits()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if "torch" in sys.modules:  # which has read the variable when it was imported
        sys.modules["torch"].set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count()))
    sys.path[0] = os.path.dirname(sys.executable)
    sys.argv = [os.path.join(sys.path[0], name), *request["arguments"]]
    sys.executable = python


def _forget_exits() -> None:
    """Leave to the server what is to happen when it ends: what imported packages asked for takes .05 s each time."""
    atexit._clear()
    weakref.finalize._registry.clear()
    weakref.finalize._registered_with_atexit = False  # until somebody asks for one in this process
    atexit.register(logging.shutdown)
    atexit.register(multiprocessing.util._exit_function)


def _end(run: Callable[[], Any]) -> NoReturn:
    """End this process as Python does after `run`, but leave all that was imported: taking it apart costs .4 s."""
    code: Any = 1
    try:
        code = run()
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # waits for threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit((code or 0) & 0xFF)


def main() -> None:
    """Run a script as `python` does."""
    del sys.argv[0]
    sys.path[0] = os.path.dirname(os.path.realpath(sys.argv[0]))
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    serve(*sys.argv[1:])
