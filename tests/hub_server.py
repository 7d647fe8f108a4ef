"""A hub on this machine that speaks the protocol of huggingface_hub as far as pushing goes, and keeps what it gets.

Repositories are made, files are announced (preupload), large ones go through LFS (batch, upload, verify), and a commit
puts all of them in their place. Whoever has no token is turned away. Clients with hf_xet send large files in another
way, which HF_HUB_DISABLE_XET turns off.
"""

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

TOKEN = "hf_of_a_test"
LARGE = (".safetensors", ".gguf")


class Hub:
    """The repositories of the hub: whether they are private, and their files; and the commits that were made."""

    def __init__(self):
        self.private: dict[str, bool] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.objects: dict[str, bytes] = {}
        self.verified: set[str] = set()
        self.commits: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _handler(self):
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self._answer(b"")

            def do_POST(self):
                self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

            do_PUT = do_POST

            def _answer(self, body: bytes) -> None:
                status, value, code = hub.answer(self.command, self.path.partition("?")[0], body, self.headers)
                text = json.dumps(value).encode()
                self.send_response(status)
                if code:
                    self.send_header("X-Error-Code", code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        return Handler

    def answer(self, method: str, path: str, body: bytes, headers) -> tuple[int, dict, str | None]:
        """Return status, answer and error code of one request."""
        if path.startswith("/objects/"):  # a signed address: it takes no token
            self.objects[path.removeprefix("/objects/")] = body
            return 200, {}, None
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"error": "Invalid credentials"}, None
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path == "/api/validate-yaml":
            return _validate(json.loads(body)["content"])
        if path.endswith(".git/info/lfs/objects/batch"):
            return 200, self._batch(json.loads(body)), None
        if path == "/verify":
            self.verified.add(json.loads(body)["oid"])
            return 200, {}, None
        _, _, kind, owner, name, *rest = path.split("/")
        repo = f"{kind}/{owner}/{name}"
        if repo not in self.private:
            return 404, {"error": "Repository not found"}, "RepoNotFound"
        if not rest:
            return 200, {"id": f"{owner}/{name}", "private": self.private[repo], "tags": [], "siblings": []}, None
        if rest[0] == "preupload":
            wanted = [file["path"] for file in json.loads(body)["files"]]
            modes = {name: "lfs" if name.endswith(LARGE) else "regular" for name in wanted}
            told = [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in modes.items()]
            return 200, {"files": told}, None
        if rest[0] != "commit":
            return 404, {"error": f"{path} is not spoken here"}, None
        return 200, self._commit(repo, body), None

    def _create(self, asked: dict) -> tuple[int, dict, str | None]:
        repo = f"{asked.get('type') or 'model'}s/{asked['organization']}/{asked['name']}"
        self.private[repo], self.files[repo] = asked["visibility"] == "private", {}
        return 200, {"url": f"{self.url}/{asked['organization']}/{asked['name']}"}, None

    def _batch(self, asked: dict) -> dict:
        def actions(oid: str) -> dict:
            return {"upload": {"href": f"{self.url}/objects/{oid}"}, "verify": {"href": f"{self.url}/verify"}}

        return {"transfer": "basic", "objects": [{**one, "actions": actions(one["oid"])} for one in asked["objects"]]}

    def _commit(self, repo: str, body: bytes) -> dict:
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                self.commits.append(value["summary"])
            elif line["key"] == "file":
                self.files[repo][value["path"]] = base64.b64decode(value["content"])
            else:
                content = self.objects[value["oid"]]
                assert hashlib.sha256(content).hexdigest() == value["oid"] in self.verified
                self.files[repo][value["path"]] = content
        return {"success": True, "commitOid": "0" * 40, "commitUrl": f"{self.url}/{repo}/commit/{'0' * 40}"}


def _validate(card: str) -> tuple[int, dict, str | None]:
    """Return whether a card has metadata that the hub takes: YAML with a licence."""
    metadata = yaml.safe_load(card.split("---\n")[1])
    wrong = [] if metadata.get("license") else [{"message": '"license" is required'}]
    return (400 if wrong else 200), {"errors": wrong, "warnings": []}, None


@contextlib.contextmanager
def serving_hub() -> Iterator[Hub]:
    """Yield a running hub."""
    hub = Hub()
    thread = threading.Thread(target=hub.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.server.shutdown()
        hub.server.server_close()
