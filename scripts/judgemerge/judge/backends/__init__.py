"""Backends complete prompts; they know nothing of items, verdicts or parsing.

Each backend is one module here, imported only when it is asked for, and nothing else registers it. It has

* `load(model, settings) -> Backend` (with LOGPROBS: ScoringBackend): `model` is the folder of the model (of an
  endpoint: its manifest), `settings` what the job says (`dtype`, `batch_tokens`, `max_prompt_tokens`, `max_new_tokens`,
  `threads`, `gpus`, `chat` (how the model's chat template is used: arguments of chat_templates.Chat), and what single
  backends know besides);
* `ABILITIES`: which of SAMPLING and LOGPROBS it has besides greedy completion, as a tuple of their words. A plan reads
  it from the file, where torch would take seconds and vLLM may not be installed;
* optionally `ENVIRONMENT`, the file of envs/ that its jobs run in with `--sdm conda` (`judge`), and
  `ENVIRONMENT_WITHOUT_GPU` where that is another one in a study without GPUs;
* optionally `OWN_VENV`: (package, folder beside .venv) of a backend whose packages do not fit beside the others'
  (interpreters.py);
* optionally `EXTRA`, the extra of an installed judgemerge that has what it needs (pyproject.toml);
* optionally `SELECTABLE = False`: a study does not choose it, because the manifests of its models name it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from judgemerge.core import imports
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.places import IS_INSTALLED, how_to_install
from judgemerge.core.registry import Modules

DEFAULT = "transformers"
DEFAULT_ENVIRONMENT = "judge"
SAMPLING, LOGPROBS = ABILITIES = ("sampling", "logprobs")
SCORING = ("continuation", "score")  # the methods that LOGPROBS needs
_PACKAGES = ("torch", "transformers", "safetensors", "httpx", "tenacity", "vllm", "llama_cpp")  # of our own backends
BACKENDS = Modules(__name__, "backend", needs=("load(model, settings)", "ABILITIES"))


@dataclass(frozen=True)
class GenerationParameters:
    """How replies are generated; at temperature 0 greedily, and then only `max_new_tokens` matters.

    `seed` is that of a whole call of a backend.
    """

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int = 42

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is always taken."""
        return self.temperature == 0


@dataclass(frozen=True)
class Completion:
    """What a model wrote, with the token counts that cost is computed from (None: an endpoint did not say).

    `finish_reason` is `stop` where the model ended the reply itself, `length` where the limit of tokens did, None where
    nothing was written (log-probabilities) or nobody said. Completions are equal when they say the same. A reply whose
    time counts has its share of the `seconds` of its batch, and the number of replies in that `batch`.
    """

    text: str
    prompt_tokens: int | None = None
    reply_tokens: int | None = None
    finish_reason: str | None = field(default=None, compare=False)
    seconds: float | None = field(default=None, compare=False)
    batch: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Failure:
    """Why a prompt got no reply: a reason code, and a sentence for the log. It is never stored: a rerun asks again."""

    reason: str
    detail: str = ""


Batch = list[tuple[int, Completion | Failure]]
Tell = Callable[[str], None]


class Backend(Protocol):
    """What a backend offers. One that inherits from this class need not write the methods that have a body here."""

    digest_settings: str  # what, besides the prompt, decides a reply; part of the key of the stored reply
    abilities: tuple[str, ...] = ()  # ABILITIES of its module

    def prepare(self) -> None:
        """Load the weights now, so that asking is timed without it."""

    def render(self, messages: list[dict[str, str]]) -> str:
        """Return the exact text the model reads."""
        ...

    def counts(self, texts: list[str]) -> list[int]:
        """Return the lengths of texts in tokens; zeros where only an endpoint knows them."""
        return [0] * len(texts)

    def complete(
        self,
        texts: list[str],
        parameters: GenerationParameters,
        skip: Collection[int] = (),
        seeds: Sequence[int] = (),
    ) -> Iterator[Batch]:
        """Yield batches of (index into `texts`, completion or failure), in the backend's own order.

        Texts in `skip` are left out after the batches are formed. With `seeds`, one per text, a sampled reply depends
        on its own seed alone and not on the batch that it is in.
        """
        ...

    def write(self, text: str, parameters: GenerationParameters, tell: Tell) -> Completion | Failure:
        """Return the reply to one text, and tell what there is of it while it grows; here, only once it is whole.

        It is the reply that `complete` gives to this text alone. What `tell` raises ends the reply.
        """
        seeds = () if parameters.is_greedy else (parameters.seed,)
        ((_, reply),) = (pair for batch in self.complete([text], parameters, (), seeds) for pair in batch)
        if isinstance(reply, Completion):
            tell(reply.text)
        return reply


class ScoringBackend(Backend, Protocol):
    """What a backend with the ability LOGPROBS offers."""

    def continuation(self, messages: list[dict[str, str]], reply: str) -> str:
        """Return what follows `render(messages)` when the assistant answers `reply`."""
        ...

    def score(self, questions: list[tuple[str, tuple[str, ...]]], skip: Collection[int] = ()) -> Iterator[Batch]:
        """Yield batches for texts and what may follow each of them.

        The text of a completion is JSON {"logprobs": [a sum per continuation], "tokens": [their number]}.
        """
        ...


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
    """Return the names of the backends."""
    return list(BACKENDS.names)


def is_selectable(name: str) -> bool:
    """Return whether a study or a command may choose a backend for a model folder."""
    return name in BACKENDS.names and BACKENDS.declared(name, "SELECTABLE", True)


def selectable() -> list[str]:
    """Return the backends that may be chosen for a model folder; the default comes first."""
    return sorted(filter(is_selectable, names()), key=lambda name: (name != DEFAULT, name))


def abilities(name: str) -> tuple[str, ...]:
    """Return what a backend can do besides greedy completion, as its module declares; refuse any other word."""
    words = BACKENDS.declared(name, "ABILITIES", ())
    if not isinstance(words, (tuple, list)) or not all(word in ABILITIES for word in words):
        raise JudgemergeError(
            f"backend '{name}' declares ABILITIES = {words!r}; give a tuple of these words: {', '.join(ABILITIES)}"
        )
    return tuple(words)


def environment(name: str, with_gpus: bool) -> str:
    """Return the environment (a file of envs/) that the jobs of a backend run in, in a study with or without GPUs."""
    own = BACKENDS.declared(name, "ENVIRONMENT", DEFAULT_ENVIRONMENT)
    return own if with_gpus else BACKENDS.declared(name, "ENVIRONMENT_WITHOUT_GPU", own)


def own_venv(name: str) -> tuple[str, str] | None:
    """Return (package, folder) of the virtual environment that a backend has for itself, None where it has none."""
    return BACKENDS.declared(name, "OWN_VENV", None)


def of(manifest: Mapping, default: str = DEFAULT) -> str:
    """Return the backend of a model: the one that its manifest names (`backend`), else the default."""
    return manifest.get("backend", default)


def _remedy(name: str) -> str:
    """Return how the packages of a backend are had."""
    extra = BACKENDS.declared(name, "EXTRA", None)
    if IS_INSTALLED and extra:
        return f"get it with {how_to_install(extra)}"
    return "docs/judging.md says how it is installed"


def load(name: str, model: str | Path, settings: Mapping[str, Any]) -> Backend:
    """Return backend `name` on a model; raises JudgemergeError for an unknown one and for what it lacks."""
    if name not in BACKENDS.names:
        raise JudgemergeError(f"{model}: there is no backend '{name}'{did_you_mean(name, BACKENDS.names)}")
    able = abilities(name)
    try:
        if name == DEFAULT:
            imports.transformers()
        module = BACKENDS.load(name)
    except ModuleNotFoundError as error:
        remedy = _remedy(name) if error.name in _PACKAGES else "install it there"
        raise JudgemergeError(
            f"{model}: backend '{name}' ({BACKENDS.package}.{name}) needs the package '{error.name}', which this "
            f"environment does not have; {remedy}"
        ) from None
    backend = module.load(model, settings)
    empty = {method: getattr(ScoringBackend, method) for method in SCORING}
    lacking = [method for method, body in empty.items() if getattr(type(backend), method, body) is body]
    if LOGPROBS in able and lacking:
        raise JudgemergeError(
            f"backend '{name}' declares the ability '{LOGPROBS}', which needs what it does not have: "
            f"{', '.join(lacking)}; write that, or take the word out of ABILITIES"
        )
    return backend
