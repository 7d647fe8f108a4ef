"""Everything that uses a GPU, once, in a few minutes: what to run first on a new cluster, in a job with one GPU.

    python tests/gpu/run.py [--size 1b] [--folder DIR] [--mirror DIR] [--only judge_transformers ...]

A random Llama in bfloat16 judges pairs with both backends, is trained (LoRA: plain, with DeepSpeed, on a 4-bit base)
and merged with mergekit. Each step is a process of its own with a time limit; its output is in DIR/<step>.log. A step
is skipped, with the reason, where its package or a GPU is missing. Without a GPU what can run does so on the CPU, on a
tiny model, and the first line says so. The exit status is 1 when a step failed.
"""

import argparse
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "benchmarks")]
PROMPT, PROMPT_ON_CPU = "plain_pairwise", "brief_pairwise"  # replies of 512 and 8 tokens
SECONDS_PER_STEP, SECONDS_PER_STEP_ON_CPU = 150, 400
N_EXAMPLES = 64
SEED = 1


class Failed(Exception):
    """Carries one sentence: what is wrong with what a step made."""


@dataclass(frozen=True)
class Place:
    """Where the steps work, and on what."""

    folder: Path
    size: str
    on_gpu: bool
    mirror: Path | None

    @property
    def model(self) -> Path:
        """The folder of the random Llama."""
        return self.folder / self.size

    @property
    def n_pairs(self) -> int:
        """How many pairs are judged, in both orders."""
        return 16 if self.on_gpu else 2

    def replies(self, backend: str) -> Path:
        """Return where the verdicts of one backend stand."""
        return self.folder / f"{backend}.jsonl"


# --- the steps; each runs in a process of its own, and returns what there is to say ---


def make_model(place: Place) -> str:
    """Write a random Llama in bfloat16, its weights drawn on the GPU."""
    import time_gpu

    n_weights = time_gpu.make_model(place.model, time_gpu.SIZES[place.size])
    return f"{n_weights / 1e9:.2f} billion weights"


def judge(place: Place, backend: str) -> str:
    """Judge synthetic pairs in both orders, by the command that also judges a stream."""
    from judgemerge.synthetic import demo_tasks

    items = demo_tasks.make_items("pairwise", "test", place.n_pairs, seed=SEED)
    pairs = place.folder / "pairs.jsonl"
    records = (
        {"id": item.id, "turns": item.turns, "responses": [list(turns) for turns in item.responses]} for item in items
    )
    pairs.write_text("".join(json.dumps(record) + "\n" for record in records))
    output = place.replies(backend)
    command = [sys.executable, ROOT / "scripts/commands/judge.py", "--model", place.model]
    command += ["--prompt", PROMPT if place.on_gpu else PROMPT_ON_CPU]
    command += ["--dtype", "bfloat16", "--max-prompt-tokens", "2048", "--input", pairs, "--output", output]
    output.unlink(missing_ok=True)
    # The status says whether verdicts were read, and random weights write none.
    said = subprocess.run([*command, "--backend", backend], stderr=subprocess.PIPE, text=True, errors="replace").stderr
    print(said)
    n_replies = len(texts_in(output)) if output.exists() else 0
    if n_replies != 2 * place.n_pairs:
        raise Failed(f"{n_replies} replies to {2 * place.n_pairs} prompts: {said.strip().splitlines()[-1]}")
    return f"{n_replies} replies"


def texts_in(path: Path) -> list[str]:
    """Return the replies in a file of verdicts."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [reply["reply"] for line in lines for reply in line["orders"] if reply["reply"]]


def judge_transformers(place: Place) -> str:
    """Judge with Transformers."""
    return judge(place, "transformers")


def judge_vllm(place: Place) -> str:
    """Judge with vLLM, and count the replies that are those of Transformers."""
    said = judge(place, "vllm")
    ours = place.replies("transformers")
    if not ours.exists():
        return said
    pairs = list(zip(texts_in(place.replies("vllm")), texts_in(ours), strict=True))
    # Among random weights the largest wins by little, so in bfloat16 a long reply rarely stays the same.
    same_start = sum(one[:8] == two[:8] for one, two in pairs)
    return f"{said}, {same_start} begin as with transformers"


def train(place: Place, name: str, own: dict, processes: int = 1) -> str:
    """Train a LoRA with LLaMA-Factory by the file that a study would write, and look at its losses."""
    from judgemerge.prompting.prompts import load_template
    from judgemerge.synthetic import demo_tasks
    from judgemerge.train import llamafactory, training

    work = place.folder / name
    items = demo_tasks.make_items("pairwise", "train", N_EXAMPLES, seed=SEED)
    template = load_template(ROOT / f"config/prompts/{PROMPT}.yaml")
    rows = list(training.rows(items, template, "original"))
    training.write_dataset(work / "data", rows)
    form = llamafactory.load_form(place.model, {"template": "llama3"}, {}, "test-gpu")
    settings = {
        "template": form.name,
        "lora_rank": 8,
        "lora_alpha": 16,
        "per_device_train_batch_size": 4 if place.on_gpu else 1,
    }
    settings = training.expert_settings({}, settings)
    settings |= {
        "max_steps": 8 if place.on_gpu else 2,
        "logging_steps": 1,
        "learning_rate": 1e-4,
        "bf16": place.on_gpu,
        **own,
    }
    recipe = training.training_recipe(place.model, work / "data", work / "output", settings, seed=SEED)
    llamafactory.train(recipe, len(os.sched_getaffinity(0)))
    lines = [json.loads(line) for line in (work / "output/trainer_log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    if not losses or not all(0 < loss < 100 for loss in losses):
        raise Failed(f"the losses are {losses}")
    if not (work / "output/adapter_model.safetensors").exists():
        raise Failed(f"{work}/output: holds no adapter")
    return f"loss {losses[0]:.2f} to {losses[-1]:.2f} in {len(losses)} steps"


def train_lora(place: Place) -> str:
    """Train without DeepSpeed."""
    return train(place, "train_lora", {})


def train_deepspeed(place: Place) -> str:
    """Train with ZeRO-3, in one process that torchrun starts."""
    os.environ |= {"FORCE_TORCHRUN": "1", "NPROC_PER_NODE": "1"}
    if not place.on_gpu:
        os.environ["DS_ACCELERATOR"] = "cpu"
    return train(place, "train_deepspeed", {"deepspeed": str(ROOT / "config/deepspeed/zero3.json")})


def train_4bit(place: Place) -> str:
    """Train on a base in four bits."""
    return train(place, "train_4bit", {"quantization_bit": 4})


def merge(place: Place) -> str:
    """Merge by TIES with mergekit, on the GPU and off it, and compare the weights."""
    import time_merges

    models = time_merges.make_models(place.folder / "parents", 5e8 if place.on_gpu else 3e7)
    for way, options in {"cpu": (), **({"gpu": ("--cuda",)} if place.on_gpu else {})}.items():
        command = time_merges.by_mergekit(models, place.folder / way, "ties", 0.5, options)
        time_merges.measured(command, place.folder / "mergekit.log")
    if not place.on_gpu:
        return "on the CPU alone"
    n_values, largest = time_merges.n_different(place.folder / "gpu", place.folder / "cpu")
    if largest > 0.05:
        raise Failed(f"{n_values} values differ between GPU and CPU, by {largest:.2g} at most")
    return f"{n_values} values differ between GPU and CPU, by {largest:.2g} at most"


def time_judging(place: Place) -> str:
    """Measure the card and the tokens per second of judging (benchmarks/time_gpu.py), on real prompts."""
    command = [sys.executable, ROOT / "benchmarks/time_gpu.py", "--mirror", place.mirror, "--folder", place.folder]
    command += ["--size", place.size, "--pairs", "4", "--tokens", "16", "--runs", "1", "--only", "judging"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    print(done.stdout)
    return next(line for line in reversed(done.stdout.splitlines()) if line.startswith("| judgemerge |"))


# --- which of them run here ---


def lacks(*packages: str) -> str | None:
    """Return why a step cannot run: packages that this environment lacks."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return f"{' and '.join(missing)} not installed: make venv-gpu" if missing else None


def without_vllm(place: Place) -> str | None:
    """Return why vLLM cannot be tried."""
    from judgemerge.judge import interpreters

    return interpreters.missing("vllm")


def without_4bit(place: Place) -> str | None:
    """Return why a 4-bit base cannot be trained on."""
    return lacks("bitsandbytes") or (None if place.on_gpu else "LLaMA-Factory trains on 4-bit bases on GPUs alone")


def never(place: Place) -> None:
    """Return nothing: the step always runs."""


STEPS: dict[Callable[[Place], str], Callable[[Place], str | None]] = {
    make_model: never,
    judge_transformers: never,
    judge_vllm: without_vllm,
    train_lora: never,
    train_deepspeed: lambda place: lacks("deepspeed"),
    train_4bit: without_4bit,
    merge: never,
    time_judging: lambda place: None if place.mirror else 'no real prompts: give ARGS="--mirror DIR" (make mirror)',
}


def card() -> str | None:
    """Return the GPU and what torch was built for, None without one."""
    import torch

    if not torch.cuda.is_available():
        return None
    free, total = torch.cuda.mem_get_info()
    name = f"{torch.cuda.get_device_name()}, {free / 1e9:.0f} of {total / 1e9:.0f} GB free"
    return f"{name}, torch {torch.__version__} for CUDA {torch.version.cuda}"


def run_step(name: str, arguments: list[str], log: Path, seconds: int) -> tuple[bool, str]:
    """Run one step as a process of so many seconds at most; return whether it did well, and the last line it wrote."""
    command = [sys.executable, __file__, *arguments, "--step", name]
    variables = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    places = [str(ROOT / "scripts"), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables |= {"PYTHONPATH": os.pathsep.join(places), "HF_HUB_OFFLINE": "1"}
    with open(log, "w+", encoding="utf-8", errors="replace") as file:
        streams = {"stdout": file, "stderr": subprocess.STDOUT, "start_new_session": True}
        process = subprocess.Popen(command, cwd=ROOT, env=variables, **streams)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # a training or vLLM that it has started as well
            process.wait()
            return False, f"not done after {seconds} s"
        file.seek(0)
        lines = [line.strip() for line in file.read().splitlines() if line.strip()]
    return status == 0, lines[-1] if lines else "said nothing"


def run_all(place: Place, arguments: list[str], only: list[str]) -> int:
    """Run the steps that can run here, print a line for each, and return how many failed."""
    n_failed, begun = 0, time.monotonic()
    seconds = SECONDS_PER_STEP if place.on_gpu else SECONDS_PER_STEP_ON_CPU
    for step, reason_against in STEPS.items():
        name = step.__name__
        if only and name not in only:
            continue
        if reason := reason_against(place):
            print(f"skipped {name:20}        {reason}", flush=True)
            continue
        start, log = time.monotonic(), place.folder / f"{name}.log"
        well, said = run_step(name, arguments, log, seconds)
        n_failed += not well
        where = "" if well else f" ({log})"
        print(
            f"{'passed' if well else 'FAILED'}  {name:20} {time.monotonic() - start:5.0f} s {said}{where}", flush=True
        )
    print(f"{n_failed} failed, {time.monotonic() - begun:.0f} s")
    return n_failed


def main() -> int:
    """Read the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["8b", "1b", "tiny"], help="of the model (1b; without a GPU tiny)")
    parser.add_argument("--folder", type=Path, help="of models and logs, kept; unset: a new one, kept on failure")
    parser.add_argument("--mirror", type=Path, help="raw files (make mirror), to measure with real prompts")
    names = [step.__name__ for step in STEPS]
    parser.add_argument("--only", nargs="+", choices=names, default=[])
    parser.add_argument("--step", choices=names, help=argparse.SUPPRESS)
    options = parser.parse_args()
    gpu = card()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="test-gpu-"))
    place = Place(folder, options.size or ("1b" if gpu else "tiny"), gpu is not None, options.mirror)
    if options.step:
        try:
            print(next(step for step in STEPS if step.__name__ == options.step)(place))
        except Failed as failure:
            print(failure)
            return 1
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    print(gpu or "CPU run: no GPU here, and nothing below is about one.")
    arguments = ["--folder", str(folder), "--size", place.size]
    arguments += ["--mirror", str(place.mirror)] if place.mirror else []
    n_failed = run_all(place, arguments, options.only)
    if not n_failed and not options.folder:
        shutil.rmtree(folder)
    return bool(n_failed)


if __name__ == "__main__":
    sys.exit(main())
