"""The interpreter of a job whose backend has a virtual environment of its own, where conda does not provide one.

vLLM pins other versions of transformers and numpy than the rest, so `make venv-vllm` puts it into .venv-vllm. A job
that needs it starts in the environment of Snakemake, as all jobs do, and goes on in that one.
"""

import importlib.util
import os
import sys
from pathlib import Path

from judgemerge.core import logs
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.places import IS_INSTALLED, how_to_install
from judgemerge.judge import backends

ROOT = Path(__file__).resolve().parents[3]


def missing(backend: str) -> str | None:
    """Return what is missing, and the remedy, when a backend's own virtual environment is needed here and not there."""
    package, folder = backends.own_venv(backend) or (None, None)
    if package is None or _has(package) or _python(folder).exists():
        return None
    if IS_INSTALLED:
        return f"the package '{package}', which is not installed; get it with {how_to_install(backend)}"
    return (
        f"{folder}, the environment of backend '{backend}', which is not there; run `make venv-{package}` once, start "
        f"Snakemake with --sdm conda, or set judging.backend: {backends.DEFAULT}"
    )


def enter(backend: str) -> None:
    """Start this process again in the virtual environment of a backend, unless the package is here already.

    A job in a conda environment that was made for the backend has it. Nothing may have been read from standard input.
    """
    package, folder = backends.own_venv(backend) or (None, None)
    if package is None:
        return
    if _is_inside(folder):
        _forget_other_environments()
        if not _has(package):
            raise JudgemergeError(f"{folder}: has no package {package}; make it anew with `make venv-{package}`")
        return
    if reason := missing(backend):
        raise JudgemergeError(f"the job needs {reason}")
    if not _has(package):
        python = str(_python(folder))
        logs.release()
        os.environ["PATH"] = os.pathsep.join([os.path.dirname(python), os.environ.get("PATH", os.defpath)])
        os.execv(python, [python, *sys.orig_argv[1:]])


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _python(folder: str) -> Path:
    return ROOT / folder / "bin" / "python"


def _is_inside(folder: str) -> bool:
    return (ROOT / folder).is_dir() and os.path.samefile(ROOT / folder, sys.prefix)


def _forget_other_environments() -> None:
    """Find no packages of the environment that Snakemake runs in: it adds them to the path of every script.

    What is imported from there stays imported.
    """
    here = (sys.prefix, sys.base_prefix, os.path.realpath(sys.prefix))
    sys.path[:] = [path for path in sys.path if not path.endswith("site-packages") or path.startswith(here)]
