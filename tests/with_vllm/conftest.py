"""What the tests of the real vLLM share: its environment, models, jobs. `make test-vllm` runs them, `make test` never.

pytest runs in the environment of everything else, vLLM in its own, so that both kinds of weights' readers are compared
as a study has them.
"""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from judgemerge.core import files, models
from judgemerge.core.files import read_jsonl
from judgemerge.core.items import write_items
from judgemerge.synthetic.demo_tasks import make_items

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
PYTHONS = {"transformers": sys.executable}


@pytest.fixture(scope="session")
def vllm_python() -> str:
    """Return the Python of vLLM's environment: JUDGEMERGE_VLLM_PYTHON, or that of .venv-vllm."""
    python = os.environ.get("JUDGEMERGE_VLLM_PYTHON") or str(REPOSITORY / ".venv-vllm/bin/python")
    if not Path(python).is_file():
        pytest.fail(f"{python}: vLLM has no environment; make it with `make venv-vllm`")
    return python


@pytest.fixture(scope="session")
def start(vllm_python):
    """Return a function that starts a program of this folder with the Python of a backend, on a description."""

    def begin(program: str, backend: str, description: dict, folder: Path, **variables: str) -> subprocess.Popen:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{program}.json"
        files.write_json(path, description)
        python = {"transformers": sys.executable, "vllm": vllm_python}[backend]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VLLM_")}
        environment |= {"PYTHONPATH": str(REPOSITORY / "scripts"), "HF_HUB_OFFLINE": "1", **variables}
        command = [python, str(HERE / f"{program}.py"), str(path)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=environment, text=True, start_new_session=True, **pipes)

    return begin


@dataclasses.dataclass
class Done:
    """What a job left."""

    folder: Path
    process: subprocess.Popen
    stdout: str
    stderr: str

    @property
    def replies(self) -> list[dict]:
        """The rows of the job's output."""
        return list(read_jsonl(self.folder / "replies.jsonl"))

    @property
    def log(self) -> str:
        """The job's log."""
        return (self.folder / "job.log").read_text(encoding="utf-8")

    @property
    def stored(self) -> list[str]:
        """The lines of the store."""
        return [
            line for path in self.folder.glob("store/*/*.jsonl") for line in path.read_text().splitlines(keepends=True)
        ]


@pytest.fixture(scope="session")
def judge(start):
    """Return a function that runs a job of judge_suite to its end."""

    def run(backend: str, folder: Path, model: Path, items: Sequence[Path], prompts: Sequence[str], **how) -> Done:
        process = start("job", backend, described(backend, folder, model, items, prompts, **how), folder)
        stdout, stderr = process.communicate(timeout=1200)
        return Done(folder, process, stdout, stderr)

    return run


def described(backend, folder, model, items, prompts, **how) -> dict:
    """Return the description of a job; prompts are names of config/prompts."""
    manifest = folder / "model.json"
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(manifest, models.describe(model))
    paths = {"folder": folder, "manifest": manifest, "model": model}
    return {
        **{name: str(path) for name, path in paths.items()},
        "items": [str(path) for path in items],
        "prompts": [str(REPOSITORY / "config" / "prompts" / f"{name}.yaml") for name in prompts],
        "backend": backend,
        **how,
    }


@pytest.fixture(scope="session")
def ask(start):
    """Return a function that asks one backend several things (session.py)."""

    def run(backend: str, folder: Path, model: Path, steps: list[dict], **settings) -> list:
        settings = {
            "dtype": "float32",
            "batch_tokens": 4096,
            "threads": 1,
            "max_prompt_tokens": 1000,
            "max_new_tokens": 64,
            **settings,
        }
        asked = {"backend": backend, "model": str(model), "settings": settings, "steps": steps}
        process = start("session", backend, asked, folder / backend)
        stdout, stderr = process.communicate(timeout=1200)
        assert process.returncode == 0, stderr[-3000:]
        return json.loads(stdout)

    return run


@pytest.fixture(scope="session")
def items(tmp_path_factory) -> list[Path]:
    """Return files of items: pairs and single answers of the demo's tasks."""
    folder = tmp_path_factory.mktemp("items")
    for protocol in ("pairwise", "pointwise"):
        made = make_items(protocol, "test", n_items=12, seed=3)
        write_items(folder / f"{protocol}.jsonl", made)
    return sorted(folder.glob("*.jsonl"))


@pytest.fixture(scope="session")
def real_model() -> Path:
    """Return the folder of a model that somebody trained (JUDGEMERGE_REAL_MODEL), or skip."""
    folder = os.environ.get("JUDGEMERGE_REAL_MODEL")
    if not folder:
        pytest.skip("needs the folder of a small real model in JUDGEMERGE_REAL_MODEL")
    return Path(folder)


@pytest.fixture(scope="session")
def turn_over(tiny_models, tmp_path_factory) -> Path:
    """Return a model whose template ends turns with a token that no list and no setting names, and which writes it.

    It says that token wherever the tiny model would say the token that it says most often.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("models") / "turn_over"
    shutil.copytree(tiny_models["base"], folder)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hello."}], tokenize=False, add_generation_prompt=True
    )
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
    said = model.generate(ids, max_new_tokens=40, do_sample=False)[0, ids.shape[1] :].tolist()
    often = max(said, key=said.count)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|turn_over|>"]})
    tokenizer.chat_template = tokenizer.chat_template.replace("<|eot_id|>", "<|turn_over|>").replace(
        "{% set loop_messages = messages %}",
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
        "{% set loop_messages = messages %}",
    )
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        model.lm_head.weight[len(tokenizer) - 1] = model.lm_head.weight[often] * 1.01
        model.lm_head.weight[often] = 0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
