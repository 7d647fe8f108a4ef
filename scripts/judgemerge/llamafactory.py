"""Calling LLaMA-Factory's command line with a recipe."""

import tempfile
from pathlib import Path

import yaml

from judgemerge.processes import run_tool


def train(recipe: dict, threads: int) -> None:
    """Run one training (`llamafactory-cli train`)."""
    _run("train", recipe, threads)


def export(recipe: dict, threads: int) -> None:
    """Fold an adapter into its base (`llamafactory-cli export`)."""
    _run("export", recipe, threads)


def _run(verb: str, recipe: dict, threads: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{verb}.yaml")
        path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
        # DISABLE_VERSION_CHECK: the check insists on audio and vision packages that text never touches.
        run_tool(["llamafactory-cli", verb, str(path)], threads, DISABLE_VERSION_CHECK="1")
