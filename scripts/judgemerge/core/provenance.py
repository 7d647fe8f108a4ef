"""What a reader needs to trace a number: code version, settings, package versions, digests, timings."""

import contextlib
import importlib.metadata
import platform
import subprocess
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

PACKAGES = [
    "snakemake",
    "llamafactory",
    "mergekit",
    "torch",
    "transformers",
    "vllm",
    "peft",
    "trl",
    "accelerate",
    "datasets",
    "tokenizers",
    "sentence-transformers",
    "bm25s",
    "safetensors",
    "llama-cpp-python",
    "gguf",
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "statsmodels",
    "krippendorff",
    "seaborn",
    "matplotlib",
    "pyyaml",
]

SHARED_ENVIRONMENT = "the environment of Snakemake"


def git_state(folder: str | Path) -> dict:
    """Return {commit, dirty} of the checkout at `folder`; both None outside a git checkout."""

    def git(*arguments: str) -> str | None:
        try:
            run = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30)
        except (FileNotFoundError, subprocess.TimeoutExpired):
            return None
        return run.stdout.strip() if run.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    changes = git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def deployment_words(methods: Iterable[Enum]) -> str:
    """Return how the software of the rules is deployed: conda, apptainer, or the environment of Snakemake itself."""
    return ", ".join(sorted(method.name.lower() for method in methods)) or SHARED_ENVIRONMENT


def versions() -> dict[str, str]:
    """Return the installed version of every package that can change a number and is installed here, and of Python."""
    packages = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            packages[package] = importlib.metadata.version(package)
    return packages


def timings(folder: str | Path) -> list[dict]:
    """Return what Snakemake's benchmark files say of every job: {job, seconds, max_rss_mb}."""
    rows = []
    for path in sorted(Path(folder).rglob("*.tsv")):
        if values := _last_row(path):
            job = path.relative_to(folder).with_suffix("").as_posix()
            rows.append({"job": job, "seconds": _number(values.get("s")), "max_rss_mb": _number(values.get("max_rss"))})
    return rows


def seconds_of(path: str | Path) -> float | None:
    """Return the seconds in one benchmark file of Snakemake; None where it says nothing, or is not there."""
    return _number(_last_row(path).get("s")) if Path(path).is_file() else None


def _last_row(path: str | Path) -> dict[str, str]:
    """Return the last run in a benchmark file of Snakemake by column; empty where it says nothing."""
    head, *lines = Path(path).read_text(encoding="utf-8").splitlines() or [""]
    return dict(zip(head.split("\t"), lines[-1].split("\t"), strict=False)) if lines else {}


def _number(text: str | None) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def seeds(settings: dict, path: str = "") -> Iterable[tuple[str, int]]:
    """Yield every seed in the settings with its dotted path."""
    for key, value in settings.items():
        here = f"{path}.{key}" if path else str(key)
        if key == "seed":
            yield here, value
        elif isinstance(value, dict):
            yield from seeds(value, here)
