"""judgemerge: train, merge and audit LLM judges, reproducibly.

    from judgemerge import Judge, agreement, compare

Nothing is imported until it is asked for: the workflow imports this package whenever a plan is made.
"""

import importlib
from typing import Any

__version__ = "0.1.0"
# What the package offers (docs/python.md) → the module that has it. `compare` is there by the stage of that name.
PUBLIC = {
    "Judge": "judgemerge.api.judging",
    "Judged": "judgemerge.api.judging",
    "agreement": "judgemerge.api.agreement",
    "compare": "judgemerge.api.agreement",
    "mix_models": "judgemerge.api.mixing",
    "mix_models_by_layers": "judgemerge.api.mixing",
    "mix_models_with_data": "judgemerge.api.mixing",
    "JudgemergeError": "judgemerge.core.errors",
}
__all__ = list(PUBLIC)


def public(name: str) -> Any:
    """Return what the package offers under a name."""
    return getattr(importlib.import_module(PUBLIC[name]), name)


def __getattr__(name: str) -> Any:
    if name not in PUBLIC or name == "compare":
        raise AttributeError(f"module 'judgemerge' has no attribute '{name}'")
    return public(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *PUBLIC})
