"""The page of labelling as a server of this machine: one page, and what it asks of the desk.

It listens on 127.0.0.1 alone and asks nothing of anybody. Whoever else works on the machine can reach that address,
and so can pages of other sites in the same browser; what is said to the desk is therefore refused without the key that
the printed address ends with, and without the name of this machine as host. The key stands behind the #, which browsers
keep to themselves. It stays the same when the server is started again, so that an open page goes on.
"""

import contextlib
import fcntl
import json
import os
import secrets
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.label.desk import Conflict, Desk
from judgemerge.label.page import Page

HOST = "127.0.0.1"
FIRST_PORT, PORTS = 8502, 20  # `make page` has 8501
LARGEST = 10_000  # bytes of what a page may say at once
PATIENCE = 60  # seconds that a connection may be silent
HOSTS = ("127.0.0.1", "localhost", "[::1]")  # before the port, which a tunnel may change
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Address(NamedTuple):
    """Where a desk is: kept beside the votes, so that a server that was killed comes back to the same place."""

    port: int
    key: str

    @property
    def url(self) -> str:
        """The address that opens the page."""
        return f"http://{HOST}:{self.port}/#key={self.key}"


@contextlib.contextmanager
def sole_desk(path: Path) -> Iterator[Address | None]:
    """Hold the lock of a desk, and yield where it was before; a second server of the same votes is refused.

    The system gives the lock back however a server ends.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise JudgemergeError(
            f"{path}: labels cannot be kept here ({error.strerror}); name another folder (DIR=…)"
        ) from None
    with open(descriptor, "r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            place = earlier_address(path)
            where = f"at {place.url}" if place else "by another command"
            raise JudgemergeError(f"{path.parent} is open already {where}; label there, or stop that first") from None
        except OSError:  # a disk without locks: people have to mind themselves that there is one server
            pass
        yield earlier_address(path)


def earlier_address(path: Path) -> Address | None:
    """Return where a desk was; None where its file is new or broken, which costs nothing but the old address."""
    with contextlib.suppress(JudgemergeError, OSError):
        row = files.read_json(path)
        if isinstance(row, dict) and type(row.get("port")) is int and isinstance(row.get("key"), str):
            return Address(row["port"], row["key"])
    return None


def keep_address(path: Path, address: Address) -> None:
    """Write where the desk is into the file whose lock is held: in place, for the lock belongs to this very file."""
    with open(path, "r+", encoding="utf-8") as file:
        file.truncate()
        json.dump(address._asdict(), file)


def opened(desk: Desk, port: int | None, earlier: Address | None) -> "Server":
    """Return the server at a port: the one that is wanted, else the earlier one, else the first that is free."""
    key = earlier.key if earlier else secrets.token_urlsafe(18)
    wanted = [port] if port else [*([earlier.port] if earlier else []), *range(FIRST_PORT, FIRST_PORT + PORTS)]
    page = Page.of()
    for number in wanted:
        with contextlib.suppress(OSError, OverflowError):
            return Server(number, key, desk, page)
    listed = f"port {port} is" if port else f"ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1} are"
    raise JudgemergeError(f"{listed} not to be had on {HOST}; name another one: --port 9000")


class Server(socketserver.ThreadingTCPServer):
    """Serves one desk on this machine."""

    daemon_threads = True
    allow_reuse_address = True  # a server that was killed comes back at once
    request_queue_size = 32

    def __init__(self, port: int, key: str, desk: Desk, page: Page):
        self.key, self.desk, self.page = key, desk, page
        self._connections: set[socket.socket] = set()
        super().__init__((HOST, port), Handler)

    @property
    def address(self) -> Address:
        """Where it is."""
        return Address(self.server_address[1], self.key)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread of its own, and remember it until it ends."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Let go of the port, and of browsers that keep a connection for what they may ask next."""
        super().server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that went away in the middle of an answer, and all of anything else."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Refused(Exception):
    """What is not answered: status and one sentence."""

    def __init__(self, status: HTTPStatus, sentence: str):
        self.status, self.sentence = status, sentence
        super().__init__(sentence)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection of a page."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    server_version, sys_version = "judgemerge", ""

    def do_GET(self) -> None:
        """Give the page, or what it asks of the desk."""
        self._answer({"/about": self._about, "/state": self._state, "/item": self._item})

    def do_POST(self) -> None:
        """Keep a vote, or take one back."""
        self._answer({"/vote": self._vote, "/undo": self._undo})

    def _about(self) -> dict[str, Any]:
        return self.server.desk.about()

    def _state(self) -> dict[str, Any]:
        return self.server.desk.state(self._query("who"))

    def _item(self) -> dict[str, Any]:
        label = self._query("label")
        return self.server.desk.item(self._query("who"), int(label) if label.isdecimal() and len(label) < 10 else label)

    def _vote(self) -> dict[str, Any]:
        said = self._said()
        seconds = said.get("seconds")
        seconds = seconds if type(seconds) in (int, float) else None
        return self.server.desk.vote(said.get("who"), said.get("label"), said.get("choice"), seconds)

    def _undo(self) -> dict[str, Any]:
        said = self._said()
        return self.server.desk.undo(said.get("who"), said.get("label"))

    def _answer(self, answers: dict) -> None:
        """Send what the path asks for, or one sentence with a status."""
        self.address = urlsplit(self.path)
        try:
            self._check_host()
            if self.command == "GET" and self.address.path == "/":
                self._send(HTTPStatus.OK, self.server.page.html, "text/html; charset=utf-8")
                return
            if self.command == "GET" and self.address.path == "/favicon.ico":
                self._send(HTTPStatus.NO_CONTENT, b"", "image/x-icon")
                return
            if self.address.path not in answers:
                raise Refused(HTTPStatus.NOT_FOUND, "there is nothing at this address")
            self._check_key()
            status, value = HTTPStatus.OK, answers[self.address.path]()
        except Refused as refused:
            self.close_connection = True  # what it wanted to say was perhaps not read
            status, value = refused.status, {"error": refused.sentence}
        except Conflict as conflict:
            status, value = HTTPStatus.CONFLICT, {"error": str(conflict)}
        except JudgemergeError as error:
            status, value = HTTPStatus.BAD_REQUEST, {"error": str(error)}
        except OSError as error:  # a full disk: nothing was kept, and the page asks again
            status, value = HTTPStatus.INSUFFICIENT_STORAGE, {"error": f"it cannot be written: {error.strerror}"}
        # Half of a surrogate pair stays the escape that it is in JSON.
        self._send(status, json.dumps(value).encode(), "application/json")

    def _check_host(self) -> None:
        """Refuse a page of another site whose name was made to mean this machine."""
        host = self.headers.get("Host", "")
        name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
        if name.lower() not in HOSTS:
            raise Refused(HTTPStatus.FORBIDDEN, "this machine is called localhost or 127.0.0.1 here")

    def _check_key(self) -> None:
        """Refuse whoever does not know the key; its header also keeps out forms and scripts of other sites."""
        given = self.headers.get("X-Label-Key", "")
        if not secrets.compare_digest(given.encode("utf-8", "replace"), self.server.key.encode()):
            raise Refused(HTTPStatus.FORBIDDEN, "the key is wrong; open the address that `make label` has printed")

    def _query(self, name: str) -> str:
        return parse_qs(self.address.query).get(name, [""])[0]

    def _said(self) -> dict[str, Any]:
        """Return what the page says, a small JSON object."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"say it in at most {LARGEST} bytes")
        try:
            value = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "that is no JSON object")
        return value

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Security-Policy": self.server.page.policy}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a terminal is no place for what people vote."""


def serve(server: Server) -> None:
    """Answer until somebody stops it with Ctrl-C or an end signal; what was said last is kept before it ends."""
    threading.Thread(target=_prepare, daemon=True).start()
    try:
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        server.desk.settle()


def _prepare() -> None:
    """Load what agreement is computed with while people label: it takes seconds."""
    with contextlib.suppress(ImportError):
        import judgemerge.label.agreement  # noqa: F401
