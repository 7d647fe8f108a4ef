"""Fetching: from a mirror, from a real web server on this machine that misbehaves on request, and never half a file."""

import contextlib
import hashlib
import os
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

import build_mirror as build_mirror_script
from judgemerge.core.errors import JudgemergeError
from judgemerge.data import fetching
from judgemerge.data.fetching import build_mirror, fetch, is_right
from judgemerge.data.sources import Source

BODY = b"three\nshort\nlines\n"
WRONG = BODY.replace(b"short", b"other")


class Handler(BaseHTTPRequestHandler):
    """Answers by path; `requests` counts what was asked."""

    requests = Counter()

    def do_GET(self):
        self.requests[self.path] += 1
        name = self.path.rsplit("/", 1)[-1]
        if name == "moved":
            self.send_response(302)
            self.send_header("Location", "/ok")
            self.end_headers()
        elif name == "missing":
            self.answer(404, b"nothing here")
        elif name == "broken" or name == "busy_twice" and self.requests[self.path] <= 2:
            self.answer(503, b"later")
        elif name == "wrong":
            self.answer(200, WRONG)
        elif name == "cut":  # announces everything, sends a part
            self.answer(200, BODY[:7], announced=len(BODY))
        elif name == "cut_silently_once" and self.requests[self.path] == 1:  # announces and sends a part
            self.answer(200, BODY[:7])
        else:
            self.answer(200, BODY)

    def answer(self, status, body, announced=None):
        self.send_response(status)
        self.send_header("Content-Length", str(announced or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    Handler.requests.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def source(address="https://example.org/data/rows.txt", body=BODY):
    return Source("rows", hashlib.sha256(body).hexdigest(), len(body), "MIT", address=address)


def fetch_quickly(*arguments, **settings):
    fetch(*arguments, attempts=3, first_wait=0.001, **settings)


@pytest.mark.parametrize("name", ["ok", "moved", "busy_twice", "cut_silently_once"])
def test_downloads(server, tmp_path, name):
    fetch_quickly(source(f"{server}/{name}"), tmp_path / "sources" / "rows")
    assert (tmp_path / "sources" / "rows").read_bytes() == BODY
    assert os.listdir(tmp_path / "sources") == ["rows"]


@pytest.mark.parametrize(
    ("name", "message", "requests"),
    [
        ("missing", "source 'rows': .*/missing answers HTTP 404; correct the entry", 1),
        (
            "wrong",
            "source 'rows': .*/wrong has 18 bytes with sha256 .* but the catalogue says 18 bytes with sha256 ",
            1,
        ),
        ("broken", "source 'rows': .*/broken failed 3 times, last with: HTTP 503; try again later", 3),
        ("cut", "source 'rows': .*/cut failed 3 times, last with: ", 3),
    ],
)
def test_a_failed_download_leaves_what_was_there(server, tmp_path, name, message, requests):
    destination = tmp_path / "sources" / "rows"
    destination.parent.mkdir()
    destination.write_bytes(b"from before")
    with pytest.raises(JudgemergeError, match=message):
        fetch_quickly(source(f"{server}/{name}"), destination)
    assert destination.read_bytes() == b"from before"
    assert os.listdir(destination.parent) == ["rows"]
    assert Handler.requests[f"/{name}"] == requests


def test_both_digests_are_named(server, tmp_path):
    with pytest.raises(JudgemergeError) as caught:
        fetch_quickly(source(f"{server}/wrong"), tmp_path / "rows")
    assert hashlib.sha256(BODY).hexdigest() in str(caught.value)
    assert hashlib.sha256(WRONG).hexdigest() in str(caught.value)


def test_no_server(server, tmp_path):
    address = server.rsplit(":", 1)[0] + ":9/rows"  # the discard port: nobody listens
    with pytest.raises(JudgemergeError, match="failed 3 times, last with: .*mirror folder"):
        fetch_quickly(source(address), tmp_path / "rows")
    assert not (tmp_path / "rows").exists()


def put(folder, one, body=BODY):
    path = folder / one.mirror_path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def test_a_mirror_is_preferred_to_the_network(server, tmp_path):
    one = source(f"{server}/ok")
    put(tmp_path / "mirror", one)
    fetch(one, tmp_path / "rows", tmp_path / "mirror")
    assert (tmp_path / "rows").read_bytes() == BODY
    assert not Handler.requests


def test_a_gap_in_the_mirror_is_named_and_not_filled_from_the_network(server, tmp_path):
    one = source(f"{server}/ok")
    with pytest.raises(
        JudgemergeError, match=f"the mirror has no {tmp_path}/mirror/.*/ok; put the file of .*/ok there"
    ):
        fetch(one, tmp_path / "rows", tmp_path / "mirror")
    assert not Handler.requests
    fetch(one, tmp_path / "rows", tmp_path / "mirror", fall_back=True)
    assert (tmp_path / "rows").read_bytes() == BODY


@pytest.mark.parametrize("body", [WRONG, BODY[:-1], BODY + b"more", b""])
def test_a_wrong_file_in_the_mirror_is_refused_even_with_a_fall_back(server, tmp_path, body):
    one = source(f"{server}/ok")
    path = put(tmp_path / "mirror", one, body)
    with pytest.raises(JudgemergeError, match=f"source 'rows': {path} has {len(body)} bytes with sha256"):
        fetch(one, tmp_path / "rows", tmp_path / "mirror", fall_back=True)
    assert not (tmp_path / "rows").exists()


def test_a_file_on_this_machine(tmp_path):
    mine = tmp_path / "mine.txt"
    one = source(str(mine))
    with pytest.raises(JudgemergeError, match="mine.txt does not exist; correct its address"):
        fetch(one, tmp_path / "rows")
    mine.write_bytes(BODY)
    fetch(one, tmp_path / "rows", tmp_path / "no mirror")
    assert (tmp_path / "rows").read_bytes() == BODY


def test_new_files_get_the_modes_of_the_umask(tmp_path):
    one = source()
    put(tmp_path / "mirror", one)
    before = os.umask(0o027)
    try:
        fetch(one, tmp_path / "rows", tmp_path / "mirror")
    finally:
        os.umask(before)
    assert (tmp_path / "rows").stat().st_mode & 0o777 == 0o640


def test_build_mirror_writes_what_is_missing_or_wrong(tmp_path):
    good, wrong, absent = (source(f"https://example.org/{name}.txt") for name in ("good", "wrong", "absent"))
    for one in (good, wrong, absent):
        put(tmp_path / "old", one)
    put(tmp_path / "new", good)
    (tmp_path / "new" / wrong.mirror_path).write_bytes(WRONG)
    sources = [good, wrong, absent, source("my own file.txt")]
    written, kept = build_mirror(sources, tmp_path / "new", tmp_path / "old")
    assert [path.name for path in written] == ["wrong.txt", "absent.txt"]
    assert [path.name for path in kept] == ["good.txt"]
    assert all(is_right(one, tmp_path / "new" / one.mirror_path) for one in (good, wrong, absent))
    assert build_mirror(sources, tmp_path / "new")[0] == []


def test_build_mirror_fetches_what_nobody_has_seen_and_names_what_it_cannot_have(tmp_path):
    address = "https://huggingface.co/datasets/a/b/resolve/main/c.parquet"
    unseen = Source("hub", "", 0, "MIT", address=address, unseen=True)
    absent = source("https://example.org/absent.txt")
    put(tmp_path / "old", unseen)
    missing: list[str] = []
    written, _ = build_mirror([absent, unseen], tmp_path / "new", tmp_path / "old", missing)
    assert [path.name for path in written] == ["c.parquet"]
    assert len(missing) == 1 and "absent.txt" in missing[0]


def test_a_file_that_is_replaced_in_a_mirror_is_kept_beside_it(tmp_path):
    wrong = source("https://example.org/wrong.txt")
    put(tmp_path / "old", wrong)
    put(tmp_path / "new", wrong, b"mine")
    build_mirror([wrong], tmp_path / "new", tmp_path / "old")
    path = tmp_path / "new" / wrong.mirror_path
    assert is_right(wrong, path) and path.with_name("wrong.txt.wrong").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("study", "named"),
    [
        ("orpo", ["meta-llama/Llama-3.2-1B-Instruct", "flowaicom/Flow-Judge-v0.1"]),
        ("unified", ["data/pandalm_train.json", "google/gemma-7b"]),
        ("embedder", ["BAAI/bge-"]),
        ("meld", ["data/MELD_pairwise.json"]),
    ],
)
def test_a_mirror_names_what_is_needed_besides(repository, monkeypatch, study, named):
    monkeypatch.chdir(repository)
    file = f"config/studies/{study}.yaml"
    said = "".join(build_mirror_script.left_out(build_mirror_script.read_study(file, downloads=True), file))
    assert all(name in said for name in named)
    assert f"--configfile {file} -- sources" in said


STUDY = """
study: small
suites: {pairs: {benchmarks: [llmbar_gptout, pandalm]}}
judges: [gpt4_llmbar_cot, longer]
"""


def test_build_mirror_script_fetches_what_benchmarks_and_recorded_judges_need(tmp_path, mirror):
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    folder = tmp_path / "mirror"
    assert build_mirror_script.main(str(study), str(folder), str(mirror)).endswith(
        ": 3 files written, 0 were right already"
    )
    assert build_mirror_script.main(str(study), str(folder), str(mirror)).endswith(
        ": 0 files written, 3 were right already"
    )
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 3


def test_a_server_that_hangs_or_drips_ends_in_one_sentence(tmp_path, monkeypatch):
    """A real server that accepts and says nothing, and one that sends a byte now and then."""
    body = bytes(4000)

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/silent":
                over.wait(20)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                for start in range(len(body)):
                    self.wfile.write(body[start : start + 1])
                    if over.wait(0.02):
                        return

        def log_message(self, *_):
            pass

    over = threading.Event()
    monkeypatch.setattr(fetching, "TIMEOUT", httpx.Timeout(0.3))
    monkeypatch.setattr(fetching, "PATIENCE", 0.3)
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        try:
            for path, reason in (("silent", "timed out"), ("drip", r"only \d+ bytes arrived in \d+ seconds")):
                address = f"http://127.0.0.1:{running.server_port}/{path}"
                start = time.monotonic()
                with pytest.raises(JudgemergeError, match=f"failed 3 times, last with: {reason}; try again later"):
                    fetch_quickly(source(address, body), tmp_path / "rows")
                assert time.monotonic() - start < 10
                assert list(tmp_path.iterdir()) == []
        finally:
            over.set()
            running.shutdown()
