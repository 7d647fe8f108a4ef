"""Downloads from the model hub, played by a server on this machine: which files of a repository are fetched."""

import http.server
import json
import os
import subprocess
import sys
import threading
from urllib.parse import unquote, urlsplit

import pytest

REVISION = "a" * 40
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
OTHERS = (
    "README.md",
    "consolidated.safetensors",
    "fp16/model.safetensors",
    "adapter/adapter_config.json",
    "onnx/config.json",
    "pytorch_model.bin",
    "model-00001-of-00009.safetensors",
)
WANTED = ("config.json", "tokenizer.json", "tokenizer.model", "chat_template.jinja", "1_Pooling/config.json", *SHARDS)
INDEX = json.dumps({"weight_map": {"x": SHARDS[0], "y": SHARDS[1]}})


@pytest.fixture
def repository_files():
    """Return the files of the served repository; a test may change them."""
    return {**dict.fromkeys((*WANTED, *OTHERS), "{}"), "model.safetensors.index.json": INDEX}


@pytest.fixture
def hub(repository_files):
    """Serve one repository as the hub does: its tree, its revision, and its files; yield the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = unquote(urlsplit(self.path).path)
            if "/tree/" in path:
                rows = [{"type": "file", "path": n, "size": len(t), "oid": "0"} for n, t in repository_files.items()]
                return self.answer(json.dumps(rows))
            if path.startswith("/api/"):
                siblings = [{"rfilename": name} for name in repository_files]
                return self.answer(json.dumps({"id": "o/m", "_id": "1", "sha": REVISION, "siblings": siblings}))
            return self.answer(repository_files[path.partition(f"/resolve/{REVISION}/")[2]])

        do_HEAD = do_GET

        def answer(self, text):
            body = text.encode()
            self.send_response(200)
            for name, value in (
                ("ETag", f'"{hash(text)}"'),
                ("X-Repo-Commit", REVISION),
                ("Content-Length", len(body)),
            ):
                self.send_header(name, str(value))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def download(address, folder, repository):
    code = f"from judgemerge.data import hub; hub.download('o/m', '{REVISION}', {str(folder)!r}, 'models')"
    environment = {
        **os.environ,
        "HF_ENDPOINT": address,
        "PYTHONPATH": str(repository / "scripts"),
        "HF_HUB_OFFLINE": "0",
    }
    environment |= {"HF_HOME": str(folder) + ".home"}
    process = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return process, {name for name in found if not name.startswith(".cache")}


def test_only_the_files_that_make_up_the_model_are_downloaded(hub, tmp_path, repository):
    process, found = download(hub, tmp_path / "model", repository)
    assert process.returncode == 0, process.stderr
    assert found == {*WANTED, "model.safetensors.index.json"}


def test_without_an_index_the_single_file_is_downloaded(hub, tmp_path, repository, repository_files):
    del repository_files["model.safetensors.index.json"]
    repository_files["model.safetensors"] = "{}"
    process, found = download(hub, tmp_path / "model", repository)
    assert process.returncode == 0, process.stderr
    assert found == {*WANTED, "model.safetensors"} - {*SHARDS}


def test_a_hub_that_cannot_be_reached_is_one_sentence(tmp_path, repository):
    process, _ = download("http://127.0.0.1:9", tmp_path / "model", repository)
    assert process.returncode != 0
    last = process.stderr.strip().splitlines()[-1]
    assert last.startswith(
        "judgemerge.core.errors.JudgemergeError: models: 'o/m' at aaaaaaaa could not be downloaded ("
    )
