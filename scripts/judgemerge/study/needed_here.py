"""What the jobs of a run need beside the environment that Snakemake runs in, where no conda environments are made."""

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from judgemerge.judge import backends, interpreters


class Addition(NamedTuple):
    """What is installed on request only: packages, by which import names they are found, the target of make."""

    packages: str
    modules: tuple[str, ...]
    target: str


GPU = Addition("DeepSpeed with bitsandbytes", ("deepspeed", "bitsandbytes"), "venv-gpu")
LLAMA_CPP = Addition("llama-cpp-python", ("llama_cpp",), "venv-quantize")
# By environment (a file of envs/) what a job of it needs that `make venv` does not install.
ADDITIONS = {"quantize": LLAMA_CPP, "train_gpu": GPU, "search_gpu": GPU}

# They need less than their environment has, come first, and say themselves what is missing.
THEIR_OWN_SENTENCE = ("unpack_model",)


def lacking(jobs: Iterable[tuple[str, str]]) -> str | None:
    """Return a sentence when jobs, as (rule, environment file), need what is not here; None when all is well."""
    rules: dict[str, set[str]] = {}
    for rule, file in jobs:
        if rule in THEIR_OWN_SENTENCE:
            continue
        rules.setdefault(Path(file).stem, set()).add(rule)
    for environment, names in sorted(rules.items()):
        if reason := _reason(environment):
            return f"{', '.join(sorted(names))} {'needs' if len(names) == 1 else 'need'} {reason}"
    return None


def _reason(environment: str) -> str | None:
    for name in backends.names():
        is_its_own = environment in (backends.environment(name, True), backends.environment(name, False))
        if is_its_own and (reason := interpreters.missing(name)):
            return reason
    addition = ADDITIONS.get(environment)
    if addition is None or all(map(importlib.util.find_spec, addition.modules)):
        return None
    return (
        f"{addition.packages}, which is not installed here; run `make {addition.target}` once, or start Snakemake with "
        "--sdm conda"
    )
