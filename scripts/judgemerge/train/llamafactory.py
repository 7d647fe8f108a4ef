"""Calling LLaMA-Factory's command line with a recipe."""

import importlib.util
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from judgemerge.core import files, imports, logs
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.processes import run_tool
from judgemerge.prompting import chat_templates
from judgemerge.train import trained_forms, training


def train(recipe: dict, threads: int, watch: Callable[[Path], bool] | None = None) -> None:
    """Run one training (`llamafactory-cli train`): `processes` of the recipe on each of its `nodes`.

    `watch` is called with the output folder whenever something was printed; once it says yes, the training is ended and
    processes.Stopped raised.
    """
    stop = (lambda: watch(Path(recipe["output_dir"]))) if watch else None
    if lacking := [name for name in training.gpu_packages(recipe) if importlib.util.find_spec(name) is None]:
        raise JudgemergeError(
            f"the training asks for {' and '.join(lacking)}, which this environment lacks; run `make venv-gpu` once, "
            "start Snakemake with --sdm conda, or set deepspeed: none and no quantization_bit"
        )
    nodes = recipe.get("nodes", 1)
    recipe, environment = distributed(recipe)
    launcher = []
    if nodes > 1:
        launcher, meeting = over_nodes(nodes, threads)
        environment |= meeting
    _run("train", recipe, threads, launcher, stop, **environment)
    files.make_group_readable(recipe["output_dir"])  # safetensors writes 0600; others of the group may go on with it


def load_form(
    folder: str | Path, settings: Mapping, chat: Mapping, where: str, longer: Sequence[chat_templates.Messages] = ()
) -> trained_forms.Form:
    """Return the checked form of a training on the model in `folder` (trained_forms.of)."""
    imports.transformers()
    from transformers import AutoTokenizer

    fast = settings.get("use_fast_tokenizer", True)
    tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=fast, padding_side="right", trust_remote_code=False)
    return trained_forms.of(tokenizer, folder, settings, chat, where, longer)


def export(recipe: dict, threads: int) -> None:
    """Fold an adapter into its base (`llamafactory-cli export`)."""
    _run("export", recipe, threads)


# Keys of a recipe that LLaMA-Factory does not know, and how scripts/train/llamafactory_worker.py is told of them.
WORKER = Path(__file__).resolve().parents[2] / "train" / "llamafactory_worker.py"
ADDED = {
    "split_experts": "JUDGEMERGE_SPLIT_EXPERTS",
    "orpo_nll": "JUDGEMERGE_ORPO_NLL",
    "leave_out_spare_ends": "JUDGEMERGE_LEAVE_OUT_SPARE_ENDS",
}


def program(recipe: dict) -> tuple[dict, list[str], dict[str, str]]:
    """Return the recipe without the keys of our own, the command that runs it, and the environment that has them."""
    added = {ADDED[key]: str(recipe[key]) for key in ADDED if recipe.get(key, "answer") != "answer"}
    plain = {key: value for key, value in recipe.items() if key not in ADDED}
    return plain, [sys.executable, str(WORKER)] if added else ["llamafactory-cli"], added


def distributed(recipe: dict) -> tuple[dict, dict[str, str]]:
    """Return the recipe without `processes` and `nodes`, and the environment for LLaMA-Factory to start that many."""
    n_processes, nodes = recipe.get("processes", 1), recipe.get("nodes", 1)
    plain = {key: value for key, value in recipe.items() if key not in ("processes", "nodes")}
    if n_processes * nodes == 1:
        return plain, {}
    environment = {"FORCE_TORCHRUN": "1", "NPROC_PER_NODE": str(n_processes)}
    if nodes == 1:
        return plain, environment
    # The first process of all prepares the examples; the others, on whichever node, read what it has written.
    return {**plain, "data_shared_file_system": True}, {**environment, "NNODES": str(nodes)}


def over_nodes(nodes: int, threads: int) -> tuple[list[str], dict[str, str]]:
    """Return what starts a command once on each node of this SLURM job, and the address at which they meet.

    The script of a job runs on the first of its nodes, and srun counts nodes from there (SLURM_NODEID). What the step
    gets of each node is what the job has there.
    """
    if "SLURM_JOB_ID" not in os.environ:
        raise JudgemergeError(
            f"the training runs on {nodes} nodes (`nodes` in the study), for which it needs a SLURM job; "
            "call Snakemake with --profile slurm, or set nodes: 1"
        )
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    launcher = ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", f"--cpus-per-task={threads}"]
    launcher += ["--kill-on-bad-exit=1", "sh", "-c", 'NODE_RANK=$SLURM_NODEID exec "$@"', "node"]
    return launcher, {"MASTER_ADDR": socket.gethostname(), "MASTER_PORT": str(port)}


def _run(
    verb: str,
    recipe: dict,
    threads: int,
    launcher: Iterable[str] = (),
    stop: Callable[[], bool] | None = None,
    **environment: str,
) -> None:
    # Other nodes see the recipe only where they see the results.
    with tempfile.TemporaryDirectory(dir=Path(recipe["output_dir"]).parent if launcher else None) as folder:
        path = Path(folder, f"{verb}.yaml")
        plain, command, added = program(recipe)
        path.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
        command = [*launcher, *command, verb, str(path)]
        # DISABLE_VERSION_CHECK: the check insists on audio and vision packages that text never touches.
        with logs.in_one_line(f"{verb} {_name(recipe)}"):
            run_tool(command, threads, stop, DISABLE_VERSION_CHECK="1", **added, **environment)


def _name(recipe: Mapping) -> str:
    """Return what a terminal calls a training: the folder of the expert, a trial or a model that it is for."""
    folder = Path(recipe.get("output_dir") or recipe.get("export_dir") or ".")
    return folder.parents[1].name if folder.name == "output" else folder.name
