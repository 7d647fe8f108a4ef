"""What `make test-vllm` and `make test-gpu` start, here with Transformers, so that neither falls behind the rest."""

import json
import subprocess
import sys

from judgemerge.core import files, models
from judgemerge.core.files import read_jsonl
from judgemerge.core.items import write_items
from judgemerge.synthetic.demo_tasks import make_items


def test_the_script_of_the_rule_runs_as_the_tests_of_vllm_start_it(repository, tiny_models, tmp_path):
    write_items(tmp_path / "pairs.jsonl", make_items("pairwise", "test", n_items=2, seed=3))
    files.write_json(tmp_path / "model.json", models.describe(tiny_models["base"]))
    job = {"folder": str(tmp_path), "manifest": str(tmp_path / "model.json"), "model": str(tiny_models["base"])}
    job |= {"items": [str(tmp_path / "pairs.jsonl")], "backend": "transformers"}
    job |= {"prompts": [str(repository / "config" / "prompts" / "brief_pairwise.yaml")]}
    (tmp_path / "job.json").write_text(json.dumps(job), encoding="utf-8")
    command = [sys.executable, repository / "tests" / "with_vllm" / "job.py", tmp_path / "job.json"]
    variables = {"PYTHONPATH": str(repository / "scripts"), "PATH": ""}
    process = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr + (tmp_path / "job.log").read_text(encoding="utf-8")
    replies = list(read_jsonl(tmp_path / "replies.jsonl"))
    assert len(replies) == 4 and all(row["prompt_tokens"] > 0 for row in replies), replies


def test_the_script_for_a_new_cluster_judges_on_a_cpu(repository, tmp_path):
    command = [sys.executable, repository / "tests" / "gpu" / "run.py", "--folder", tmp_path]
    command += ["--only", "make_model", "judge_transformers"]
    process = subprocess.run(command, env={"CUDA_VISIBLE_DEVICES": "", "PATH": ""}, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stdout.startswith("CPU run: no GPU here") and "4 replies" in process.stdout
