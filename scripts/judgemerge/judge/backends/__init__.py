"""Backends complete prompts; they know nothing of items, verdicts or parsing.

Each backend is one module here, imported only when asked for, that offers `load(model, settings)`: `model` is the
folder of the model (of an endpoint: its manifest), `settings` what the job says (`dtype`, `batch_tokens`,
`max_prompt_tokens`, `threads`, `chat` (how the model's chat template is used: arguments of chat_templates.Chat), and
what single backends know besides). The object it returns has
    digest_settings: what, besides the prompt, decides a reply (goes into the prompt's digest)
    render(messages) -> str: the exact text the model reads
    counts(texts) -> list of int: their lengths in tokens
    complete(texts, max_new_tokens, skip) -> iterator of lists of (index, Completion): batches, in the backend's own
    order; where a reply can fail to come, (index, Failure)
    continuation(messages, reply) -> str and score(questions, skip), if it has log-probabilities: `questions` are (text,
    what may follow it), and the text of a completion is then JSON (transformers.py says which)
    draws, True where complete() also takes `draw` (a Draw): replies are then sampled with its seed
    prepare(), if it likes: load the weights now, so that judging is timed without it
The module says in `ABILITIES` which of `draws` and `scores` its object has, so that a plan can compare them.
"""

import ast
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from judgemerge.core.errors import JudgemergeError, did_you_mean

DEFAULT = "transformers"


@dataclass(frozen=True)
class Draw:
    """How a reply is drawn instead of decoded greedily; `seed` is that of the whole call.

    With `seeds`, one per text, a reply depends on its own seed alone and not on the batch that it is drawn in.
    """

    temperature: float
    top_p: float
    repetition_penalty: float
    seed: int
    min_p: float = 0.0
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Completion:
    """What a model wrote, with the token counts that cost is computed from (None: an endpoint did not say).

    `finish_reason` is `stop` where the model ended the reply itself, `length` where the limit of tokens did, None where
    nothing was written (log-probabilities) or nobody said. Completions are equal when they say the same.
    """

    text: str
    prompt_tokens: int | None
    reply_tokens: int | None
    finish_reason: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Failure:
    """Why a prompt got no reply: a reason code, and a sentence for the log. It is never stored: a rerun asks again."""

    reason: str
    detail: str = ""


def not_finite(where: str | Path, dtype: str) -> JudgemergeError:
    """Return the error of a model whose logits or log-probabilities are no numbers; a wider number format mends most.

    What such a model writes ("!!!!!!!!") looks like a reply, and must never be stored as one.
    """
    dtype = dtype.removeprefix("torch.")
    wider = {"float16": "bfloat16", "bfloat16": "float32"}.get(dtype)
    remedy = (
        f"set judging.dtype: {wider} (judge.py: --dtype {wider})" if wider else "its weights are damaged, get it again"
    )
    return JudgemergeError(f"{where}: the logits are not finite in {dtype}; {remedy}")


def names() -> list[str]:
    """Return the backends there are."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


@cache
def abilities(name: str) -> tuple[str, ...]:
    """Return what a backend can do besides greedy replies, as its module says (`ABILITIES`): `draws`, `scores`.

    The module is read and not imported: a plan asks, where torch would take seconds and vLLM may not be installed.
    """
    tree = ast.parse((Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
    for line in tree.body:
        if isinstance(line, ast.Assign) and [getattr(target, "id", None) for target in line.targets] == ["ABILITIES"]:
            return ast.literal_eval(line.value)
    return ()


def of(manifest: Mapping, wanted: str = DEFAULT) -> str:
    """Return the backend of a model: the one its manifest says (`backend`), else the one that is wanted."""
    return manifest.get("backend", wanted)


def load(name: str, model: str | Path, settings: Mapping[str, Any]):
    """Return backend `name` on a model; raises JudgemergeError for an unknown one and for a package it lacks."""
    if name not in names():
        raise JudgemergeError(f"{model}: there is no backend '{name}'{did_you_mean(name, names())}")
    try:
        module = importlib.import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        raise JudgemergeError(
            f"{model}: backend '{name}' needs the package '{error.name}', which this environment does not have; "
            "docs/judging.md says how it is installed"
        ) from None
    return module.load(model, settings)
