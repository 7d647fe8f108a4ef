"""What vLLM leaves when it cannot go on: replies stored so far, and one sentence."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
from conftest import Done, described
from safetensors.torch import load_file, save_file

from judgemerge.core.files import read_jsonl

BRIEF = ["brief_pairwise", "brief_pointwise"]
SLOW = {"prompts": ["plain_pairwise", "plain_pointwise"], "max_prompt_tokens": 2000}


def children(pid: int) -> dict[int, str]:
    """Return the processes below one, with their command lines."""
    rows = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True).stdout.splitlines()
    below, found = {pid}, {}
    for row in rows:
        number, parent, arguments = row.split(None, 2)
        if int(parent) in below:
            below.add(int(number))
            found[int(number)] = arguments
    return found


def wait_for(condition, process=None, seconds=300, every=0.05):
    """Wait until a condition holds; a process that it depends on must not end before."""
    end = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(every)


def lines_in(folder: Path) -> list[str]:
    return [line for path in folder.glob("store/*/*.jsonl") for line in path.read_text().splitlines(keepends=True)]


def failed(done) -> str:
    """Return why a job failed: the one sentence that its outputs, its log and the terminal have."""
    (row,) = read_jsonl(done.folder / "replies.jsonl")
    assert done.process.returncode == 0  # the rule's job ends well, so that other judges go on
    assert done.stderr == f"{row['failed']}\n" and done.stdout == ""
    assert row["failed"] in done.log and "\n" not in row["failed"]
    return row["failed"]


def test_a_killed_job_keeps_what_was_answered_and_asks_the_rest(start, judge, items, tiny_models, tmp_path):
    model, folder = tiny_models["base"], tmp_path / "killed"
    process = start("job", "vllm", described("vllm", folder, model, items, **SLOW), folder)
    wait_for(lambda: len(lines_in(folder)) > 2, process)
    below = children(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = lines_in(folder)
    assert 2 < len(kept) < 36 and not (folder / "replies.jsonl").exists()
    assert all(json.loads(line)["prompt"] for line in kept)
    # No process of vLLM lives on with the weights.
    wait_for(lambda: not any(Path(f"/proc/{number}/cmdline").exists() for number in below), seconds=60)

    done = judge("vllm", folder, model, items, **SLOW)
    assert done.process.returncode == 0, done.log[-3000:]
    assert lines_in(folder)[: len(kept)] == kept and len(lines_in(folder)) == len(done.replies) == 36
    other = judge("transformers", tmp_path / "other", model, items, **SLOW)
    assert [row["reply"] for row in done.replies] == [row["reply"] for row in other.replies]


def test_a_process_that_dies_ends_the_job_with_one_sentence(start, items, tiny_models, tmp_path):
    folder = tmp_path / "dies"
    job = described("vllm", folder, tiny_models["base"], items, **SLOW)
    # As on a GPU: without one, our own process computes.
    process = start("job", "vllm", job, folder, VLLM_ENABLE_V1_MULTIPROCESSING="1")
    wait_for(lambda: len(lines_in(folder)) > 2, process)
    # The one that holds the weights; numbers of processes say nothing, they start anew after the largest.
    worker = max(psutil.Process(process.pid).children(recursive=True), key=lambda child: child.memory_info().rss)
    worker.kill()
    stdout, stderr = process.communicate(timeout=120)
    done = Done(folder, process, stdout, stderr)
    sentence = failed(done)
    assert "a process of vLLM died" in sentence and "what was answered is kept" in sentence
    assert len(lines_in(folder)) > 2


def test_weights_that_are_incomplete(judge, items, tiny_models, tmp_path):
    """vLLM's own check passes over linear layers, and would compute with whatever is in memory."""
    model = tmp_path / "incomplete"
    shutil.copytree(tiny_models["base"], model)
    tensors = load_file(model / "model.safetensors")
    del tensors["model.layers.1.mlp.down_proj.weight"]
    save_file(tensors, model / "model.safetensors", {"format": "pt"})
    sentence = failed(judge("vllm", tmp_path / "job", model, items, BRIEF))
    assert sentence.startswith(f"{model}: the weights lack the tensor model.layers.1.mlp.down_proj.weight; get the")


def test_more_memory_than_there_is(judge, items, tiny_models, tmp_path):
    sentence = failed(judge("vllm", tmp_path / "job", tiny_models["base"], items, BRIEF, batch_tokens=10**9))
    assert "vLLM cannot load the model (ValueError: " in sentence and "judging.batch_tokens" in sentence


def test_a_model_that_vllm_does_not_know(judge, items, tiny_models, tmp_path):
    model = tmp_path / "unknown"
    shutil.copytree(tiny_models["base"], model)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "architectures": ["LlamaForNobodyKnowsWhat"]}))
    sentence = failed(judge("vllm", tmp_path / "job", model, items, BRIEF))
    assert "LlamaForNobodyKnowsWhat" in sentence and "backend: transformers" in sentence


def test_a_number_of_gpus_that_does_not_divide_the_heads(judge, items, tiny_models, tmp_path):
    sentence = failed(judge("vllm", tmp_path / "job", tiny_models["base"], items, BRIEF, gpus=3))
    assert "set judging.gpus to a number that divides" in sentence


def test_a_prompt_that_is_too_long_is_an_error_of_its_own(judge, items, tiny_models, tmp_path):
    limit = 85
    done = {
        name: judge(name, tmp_path / name, tiny_models["base"], items, BRIEF, max_prompt_tokens=limit)
        for name in ("transformers", "vllm")
    }
    expected, found = (
        [(row["item"], row["order"], row["reason"], row["reply"]) for row in one.replies] for one in done.values()
    )
    assert found == expected
    assert {reason for _, _, reason, _ in found} == {None, "prompt_too_long"}


def test_a_command_writes_nothing_but_verdicts_to_standard_output(vllm_python, tiny_models, repository):
    record = {"prompt": "2+2?", "response_a": "4", "response_b": "5"}
    command = [vllm_python, str(repository / "scripts/commands/judge.py"), "--model", str(tiny_models["base"])]
    command += ["--backend", "vllm", "--prompt", "brief_pairwise", "--dtype", "float32", "--threads", "1"]
    done = subprocess.run(command, input=json.dumps(record), capture_output=True, text=True, timeout=600)
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["id"] == "1", done.stderr[-2000:]
