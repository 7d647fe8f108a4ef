"""A judge behind an endpoint in a study: `transformers serve` on this machine answers what the weights answer here."""

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml
from endpoint_server import Answer, reply, serving
from workflow_runs import copy_workflow, runner

from judgemerge.core.files import read_json, read_jsonl

pytestmark = pytest.mark.slow
RESULTS = "results/remote"
TARGETS = [f"{RESULTS}/tables/endpoints.csv", f"{RESULTS}/verdicts/far/pairs.jsonl"]


def study(url, model, folder, **endpoint):
    """Return the settings of a study with the same weights twice: behind an endpoint, and in a folder."""
    return {
        "study": "remote",
        "models": {
            "far": {"endpoint": {"url": url, "model": model, "concurrency": 2, **endpoint}},
            "near": {"path": str(folder)},
        },
        "suites": {"pairs": {"benchmarks": ["demo_pairwise"], "limit": 6}},
        "judges": ["far", "near", "longer"],
        "judging": {"prompts": {"pairwise": "brief_pairwise"}, "dtype": "float32", "batch_tokens": 1},
    }


@pytest.fixture
def workflow(repository, tmp_path):
    """Return (write a study, run Snakemake) in a copy of the workflow."""
    folder = copy_workflow(repository, tmp_path)

    def write(settings):
        (folder / "remote.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")

    return folder, write, lambda *arguments: runner(folder)(*arguments, "--configfile", "remote.yaml")


@pytest.fixture(scope="module")
def served(tiny_models, tmp_path_factory):
    """Return the address of `transformers serve` with a tiny model, as any OpenAI-compatible server."""
    for package in ("fastapi", "uvicorn", "openai"):
        pytest.importorskip(package, reason=f"`transformers serve` needs {package} (group `test` of pyproject.toml)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).parent / "transformers"), "serve", str(tiny_models["base"])]
    command += ["--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    log = tmp_path_factory.mktemp("serve") / "log"
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with open(log, "wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
    try:
        for _ in range(120):
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None, log.read_text()
                time.sleep(0.5)
        else:
            pytest.fail(f"transformers serve did not start: {log.read_text()}")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def test_an_endpoint_answers_what_the_same_weights_answer_here(workflow, served, tiny_models):
    folder, write, run = workflow
    price = {"prompt": 2, "completion": 8}
    write(study(served, str(tiny_models["base"]), tiny_models["base"], price_per_million=price))
    process = run(*TARGETS, f"{RESULTS}/verdicts/near/pairs.jsonl")
    assert process.returncode == 0, process.stderr[-3000:]
    far, near = (list(read_jsonl(folder / RESULTS / "replies" / judge / "pairs.jsonl")) for judge in ("far", "near"))
    assert len(far) == 12 and all(row["reason"] is None for row in far)
    kept = ("benchmark", "item", "order", "reply", "prompt_tokens")
    assert [[row[key] for key in kept] for row in far] == [[row[key] for key in kept] for row in near]
    manifest = read_json(folder / RESULTS / "models" / "far.json")
    assert manifest["digest"] != read_json(folder / RESULTS / "models" / "near.json")["digest"]
    with open(folder / RESULTS / "tables" / "endpoints.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    tokens = [sum(entry[key] for entry in far) for key in ("prompt_tokens", "reply_tokens")]
    assert [int(row["prompt_tokens"]), int(row["reply_tokens"])] == tokens
    assert (row["replies"], row["errors"]) == ("12", "0")
    assert float(row["cost"]) == pytest.approx((2 * tokens[0] + 8 * tokens[1]) / 1e6, abs=1e-6)
    assert "Nothing to be done" in run("--dry-run", *TARGETS).stderr + run("--dry-run", *TARGETS).stdout


def test_errors_are_asked_again_and_the_key_is_nowhere_in_the_results(workflow, tiny_models, monkeypatch):
    folder, write, run = workflow
    monkeypatch.setenv("FAR_KEY", "sk-secret-0123456789")
    with serving(lambda body, n: Answer(b"no sk-secret-0123456789", 500) if n == 3 else reply("Verdict: A")) as server:
        write(study(server.url, "m", tiny_models["base"], api_key_variable="FAR_KEY", attempts=1))
        process = run(*TARGETS)
        assert process.returncode == 0, process.stderr[-3000:]
        rows = list(read_jsonl(folder / RESULTS / "replies" / "far" / "pairs.jsonl"))
        assert [row["reason"] for row in rows if row["reason"]] == ["endpoint_error"]
        verdicts = list(read_jsonl(folder / RESULTS / "verdicts" / "far" / "pairs.jsonl"))
        assert sum(verdict["reason"] == "endpoint_error" for verdict in verdicts) == 1
        asked = len(server.bodies)
        # What the caption of the table says: only what failed is asked again.
        process = run(*TARGETS, "--forcerun", "judge_endpoint")
        assert process.returncode == 0, process.stderr[-3000:]
        assert len(server.bodies) == asked + 1
    assert server.headers[0]["authorization"] == "Bearer sk-secret-0123456789"
    written = [path for path in (folder / "results").rglob("*") if path.is_file()]
    written += [path for path in (folder / ".snakemake").rglob("*") if path.is_file()]
    assert len(written) > 10 and not [path for path in written if b"sk-secret" in path.read_bytes()]


def test_an_endpoint_that_refuses_the_key_ends_with_one_sentence(workflow, tiny_models):
    folder, write, run = workflow
    with serving(lambda body, n: Answer(b"", 401)) as server:
        write(study(server.url, "m", tiny_models["base"]))
        process = run(*TARGETS)
    assert process.returncode != 0
    assert "m at 127.0.0.1: HTTP 401, access is refused; set api_key_variable" in process.stderr
    assert "Traceback" not in process.stderr


MISTAKES = {
    "base": ({"experts": {"e": {"train_on": ["demo_pairwise_train"]}}, "base": "far"}, "experts.e starts from 'far'"),
    "parent": (
        {"merges": {"m": {"method": "linear", "models": {"far": {"weight": 1}, "near": {"weight": 1}}}}},
        "'far'",
    ),
    "mode": ({"judging": {"prompts": {"pairwise": "brief_pairwise_choice"}}}, "gives no log-probabilities"),
}


@pytest.mark.parametrize(("change", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_what_an_endpoint_cannot_be_is_said_before_any_job(workflow, change, sentence):
    _, write, run = workflow
    write(study("http://127.0.0.1:9/v1", "m", ".") | change)
    process = run("--dry-run")
    assert process.returncode != 0
    output = process.stdout + process.stderr
    assert sentence in output and "Traceback" not in output
