"""Calling LLaMA-Factory's command line with a recipe."""

import importlib.util
import tempfile
from pathlib import Path

import yaml

from judgemerge import files
from judgemerge.errors import JudgemergeError
from judgemerge.processes import run_tool


def train(recipe: dict, threads: int) -> None:
    """Run one training (`llamafactory-cli train`), on as many processes as the recipe's `processes` says."""
    if "deepspeed" in recipe and importlib.util.find_spec("deepspeed") is None:
        raise JudgemergeError(
            f"the training asks for DeepSpeed ({recipe['deepspeed']}), which is not installed here; "
            "install it as docs/cluster.md says, or set training.deepspeed: none"
        )
    recipe, environment = distributed(recipe)
    _run("train", recipe, threads, **environment)
    files.make_group_readable(recipe["output_dir"])  # safetensors writes 0600; others of the group may go on with it


def export(recipe: dict, threads: int) -> None:
    """Fold an adapter into its base (`llamafactory-cli export`)."""
    _run("export", recipe, threads)


def distributed(recipe: dict) -> tuple[dict, dict[str, str]]:
    """Return the recipe without `processes`, and the environment in which LLaMA-Factory starts that many."""
    n_processes = recipe.get("processes", 1)
    plain = {key: value for key, value in recipe.items() if key != "processes"}
    if n_processes == 1:
        return plain, {}
    return plain, {"FORCE_TORCHRUN": "1", "NPROC_PER_NODE": str(n_processes)}


def _run(verb: str, recipe: dict, threads: int, **environment: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{verb}.yaml")
        path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
        # DISABLE_VERSION_CHECK: the check insists on audio and vision packages that text never touches.
        run_tool(["llamafactory-cli", verb, str(path)], threads, DISABLE_VERSION_CHECK="1", **environment)
