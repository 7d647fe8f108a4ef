"""The server of the page: who may speak to it, what it answers, and that there is one of it."""

import http.client
import json
import socket

import pytest
from label_cases import serving

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.label.page import Page
from judgemerge.label.server import Address, earlier_address, keep_address, opened, sole_desk


@pytest.fixture
def server(part):
    with serving(part().desk) as started:
        yield started


def ask(server, method, path, body=None, **headers):
    """Return status, headers and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.address.port, timeout=10)
    given = {"Host": f"127.0.0.1:{server.address.port}", "X-Label-Key": server.key} | headers
    data = json.dumps(body) if isinstance(body, dict | list) else body
    connection.request(method, path, data, {name: value for name, value in given.items() if value is not None})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return (
        response.status,
        response.headers,
        json.loads(text) if response.headers["Content-Type"][-4:] == "json" else text,
    )


def test_the_page_may_load_nothing_but_itself(server):
    status, headers, page = ask(server, "GET", "/", **{"X-Label-Key": None})
    assert status == 200 and page == Page.of().html
    policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'" and policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in str(policy) and policy["script-src"].startswith("'sha256-")
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
    assert b"src=" not in page and b"url(" not in page and b"@import" not in page


@pytest.mark.parametrize("path", ["/about", "/state?who=a", "/item?who=a&label=1"])
@pytest.mark.parametrize("key", [None, "", "wrong", "ü"])
def test_nothing_is_told_without_the_key(server, path, key):
    status, _, answer = ask(server, "GET", path, **{"X-Label-Key": key})
    assert status == 403 and answer == {"error": "the key is wrong; open the address that `make label` has printed"}
    said = {"who": "a", "label": 1, "choice": "left"}
    assert ask(server, "POST", "/vote", said, **{"X-Label-Key": key})[0] == 403
    assert not server.desk.votes.path.exists()


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:1", 200), ("localhost:9000", 200), ("LOCALHOST", 200), ("[::1]:80", 200), ("evil.example", 403),
     ("127.0.0.1.evil.example:80", 403), ("", 403), ("[::1].evil.example", 200)],
)  # fmt: skip
def test_only_names_of_this_machine_are_answered(server, host, status):
    # The last one is no name that a browser can send.
    assert ask(server, "GET", "/about", Host=host)[0] == status


def test_a_vote_is_kept_and_taken_back(server):
    said = {"who": "Anna", "label": 3, "choice": "tie", "seconds": 2.5}
    status, _, state = ask(server, "POST", "/vote", said)
    assert status == 200 and state["last"] == {"label": 3, "words": "Equally good"}
    assert ask(server, "GET", "/state?who=anna")[2] == state
    assert ask(server, "POST", "/vote", said | {"choice": "left"})[0] == 409
    assert len(list(files.read_jsonl(server.desk.votes.path))) == 1
    assert ask(server, "POST", "/undo", {"who": "anna", "label": 3})[2]["last"] is None
    assert ask(server, "GET", "/item?who=anna&label=3")[2]["label"] == 3


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/elsewhere", None, 404),
        ("GET", "/../../etc/passwd", None, 404),
        ("POST", "/about", {}, 404),
        ("GET", "/vote", None, 404),
        ("GET", "/state", None, 400),
        ("GET", "/item?who=a&label=x", None, 400),
        ("GET", f"/item?who=a&label={'9' * 5000}", None, 400),
        ("GET", "/item?who=a&label=-1", None, 400),
        ("POST", "/vote", [1], 400),
        ("POST", "/vote", "[" * 9000, 400),
        ("POST", "/vote", "{", 400),
        ("POST", "/vote", {"who": "a", "label": 1}, 400),
        ("POST", "/vote", {"who": "a" * 20_000, "label": 1, "choice": "left"}, 413),
        ("POST", "/undo", {"who": "a", "label": 99}, 400),
        ("PUT", "/vote", {}, 501),
    ],
)
def test_what_no_page_asks_is_refused_in_a_sentence(server, method, path, body, status):
    given, _, answer = ask(server, method, path, body)
    assert given == status
    assert status == 501 or (set(answer) == {"error"} and answer["error"])
    assert not server.desk.votes.path.exists()


def test_a_full_disk_is_told_and_the_vote_comes_again(server, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    said = {"who": "Anna", "label": 3, "choice": "tie"}
    with monkeypatch.context() as patched:
        patched.setattr(files, "write_jsonl", full)
        status, _, answer = ask(server, "POST", "/vote", said)
        assert status == 507 and answer["error"] == "it cannot be written: No space left on device"
    assert ask(server, "POST", "/vote", said)[0] == 200


def test_there_is_one_server_of_a_file_of_votes(part, tmp_path):
    path = tmp_path / "set.desk.json"
    with sole_desk(path) as earlier:
        assert earlier is None
        with serving(part().desk) as server:
            keep_address(path, server.address)
            assert path.stat().st_mode & 0o077 == 0  # the key is nobody else's
            with pytest.raises(
                JudgemergeError, match=f"is open already at http://127.0.0.1:{server.address.port}/#key="
            ):
                sole_desk(path).__enter__()
            address = server.address
    with sole_desk(path) as earlier, serving(part().desk, earlier) as server:
        assert server.address == earlier == address


@pytest.mark.parametrize("text", ["", "{", "[]", '{"port": "1", "key": "a"}', '{"port": 1}'])
def test_a_broken_address_costs_nothing_but_the_address(tmp_path, text):
    path = tmp_path / "set.desk.json"
    path.write_text(text)
    assert earlier_address(path) is None
    with sole_desk(path) as earlier:
        assert earlier is None
        keep_address(path, Address(8502, "k"))
    assert earlier_address(path) == Address(8502, "k")


def test_a_port_that_is_taken_is_named_or_passed_over(part):
    desk = part().desk
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(JudgemergeError, match=f"port {port} is not to be had on 127.0.0.1"):
            opened(desk, port, None)
        with serving(desk, Address(port, "the same key")) as server:
            assert server.address.port != port and server.key == "the same key"
    for nonsense in (-1, 70_000):
        with pytest.raises(JudgemergeError, match="is not to be had"):
            opened(desk, nonsense, None)
