"""What stands in the place of a tool that starts by a fork (fork_server.py); it imports as little as it can."""

import json
import os
import signal
import socket
import sys


def ask(address: str) -> None:
    """Let the server run the tool with the arguments and streams of this process, and end as it does."""
    is_python = os.path.basename(address).startswith("python")
    if is_python and not sys.argv[1].endswith(".py"):  # an option: only scripts are run by a fork
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
        if code not in (-signal.SIGKILL, -signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)
