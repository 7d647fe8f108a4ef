"""Tools started by a fork: a process that has imported a tool forks for every start, and saves 1 to 10 CPU seconds.

Every start is a process of its own, with the folder, environment, standard streams and exit code of a usual one. In the
place of the tool stands a client of the same name, which is ended with what it started, and the other way round. The
clients lie in one folder, and what they start takes the `python` there for its own: scripts of Snakemake's jobs start
by a fork, too, with the packages imported that most of them need. Nothing of judgemerge is: checkouts differ.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

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
import fork_server
fork_server.ask({address!r})
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


# ---- the client ----


def ask(address: str) -> None:
    """Let the server run the tool with the arguments and streams of this process, and end as it does."""
    if Path(address).stem == "python" and not sys.argv[1].endswith(".py"):  # an option: only scripts are run by a fork
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    socket.send_fds(connection, [b"."], [0, 1, 2])
    request = {"arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}
    connection.sendall(json.dumps(request).encode() + b"\n")
    answers = connection.makefile("rb")
    child = int(answers.readline())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: os.kill(child, number))
    code = int(answers.readline())
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


# ---- the server ----


def serve(name: str, address: str) -> Any:
    """Fork for every client until standard input is closed."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    print(flush=True)
    children: set[int] = set()
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        module, *_ = map(importlib.import_module, TOOLS[name])
        gc.freeze()  # or every process looks through all of this once more before it ends
        child = os.fork()
        if child == 0:
            listener.close()
            _become(connection, name, str(Path(address).with_name("python")))
            return module.main()
        connection.close()
        children = {one for one in {*children, child} if not os.waitpid(one, os.WNOHANG)[0]}
    for child in children:
        os.waitpid(child, 0)
    return None


def _become(connection: socket.socket, name: str, python: str) -> None:
    """Become the process that the client asks for, and leave one behind that tells it how that ended."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    request = json.loads(connection.makefile("rb").readline())
    child = os.fork()
    if child:
        for stream in streams:
            os.close(stream)
        _watch(connection, child)
    connection.close()
    os.setsid()
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


def main() -> None:
    """Run a script as `python` does."""
    del sys.argv[0]
    sys.path[0] = os.path.dirname(os.path.realpath(sys.argv[0]))
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    runpy.run_path(sys.argv[0], run_name="__main__")


def _watch(connection: socket.socket, child: int) -> None:
    """Send the number of a process and, when it has ended, its exit code; end it when the client has gone."""
    connection.sendall(b"%d\n" % child)
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if select.select([connection], [], [], 0.02)[0]:
            os.killpg(child, signal.SIGKILL)
            os._exit(0)
    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(ended[1]))
    os._exit(0)


if __name__ == "__main__":
    sys.exit(serve(*sys.argv[1:]))
