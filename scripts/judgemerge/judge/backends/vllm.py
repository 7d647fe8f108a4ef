"""Greedy or drawn completion and log-probabilities with vLLM: prefix caching on, the model loaded once per unit.

vLLM pins a torch and transformers of its own, so it lives in an environment of its own (docs/judging.md). It is
imported with the first prompt that is asked; rendering and counting need the tokenizer alone. Token ids are handed
over, so that no second BOS can slip in. Requests are added while others are answered, so that no slow reply holds up a
batch, and replies are stored as they come.

The weights lie in processes that vLLM starts; what these write goes to standard error, and says why they ended.
"""

import contextlib
import itertools
import math
import os
import re
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from judgemerge.core import architectures
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.logs import Overheard
from judgemerge.judge import option_scores
from judgemerge.judge.backends import Backend, Batch, Completion, Failure, GenerationParameters, not_finite
from judgemerge.prompting.chat_templates import Chat

ABILITIES = ("sampling", "logprobs")
EXTRA = "vllm"
ENVIRONMENT = "judge_vllm"
ENVIRONMENT_WITHOUT_GPU = "judge_vllm_cpu"
OWN_VENV = ("vllm", ".venv-vllm")
PROMPTS_AT_ONCE = 1024  # that the engine knows of; it decides itself how many it answers at a time
SECONDS_PER_BATCH = 1.0  # what has been answered is stored about as often
TOKENS_PER_BLOCK = 32  # on a CPU: prompts share whole blocks, and vLLM's own 128 are longer than most beginnings
MOST_SINGLE_TOKENS = 128  # that vLLM gives the log-probabilities of at one place
MEMORY = "lower judging.max_prompt_tokens or judging.batch_tokens, or spread the weights over GPUs with judging.gpus"
# What vLLM and its processes say, and what helps against it.
REMEDIES = (
    (r"KV cache|cache blocks|out ?of ?memory|memory utilization|MemoryError|Cannot allocate memory", MEMORY),
    (r"safetensor|model weights|not initialized from checkpoint", "the weights are damaged, get the model again"),
    (r"tensor.parallel|world size", "set judging.gpus to a number that divides the model's attention heads"),
    (r"max_model_len|max_position_embeddings", "lower judging.max_prompt_tokens"),
    (r"architectures|not supported|float16|dtype", "set judging.judges.<judge>.backend: transformers"),
)
# Where they name one: what only says that another line has it is passed over.
ERROR = re.compile(r"\b\w+(?:Error|Exception): (?!Engine core|\d+ validation error)\S.*|Value error, \S.*")


class Asked(NamedTuple):
    """One request to the engine: the index of what it belongs to, its tokens, its vllm.SamplingParams as a mapping."""

    index: int
    ids: list[int]
    how: dict[str, Any]


class VLLM(Backend):
    """One model.

    Prompts keep their order: neighbours share their prefix, both orders of an item above all.
    """

    abilities = ABILITIES

    def __init__(
        self,
        folder: str | Path,
        dtype: str,
        max_prompt_tokens: int,
        max_new_tokens: int,
        seed: int = 0,
        chat: Mapping = MappingProxyType({}),
        gpus: int = 1,
        batch_tokens: int = 0,
        threads: int | None = None,
    ):
        """Read tokenizer and settings of the model in `folder`; the first prompt that is asked loads the weights.

        `chat` are arguments of chat_templates.Chat. Without a GPU, `threads` compute, and keys and values of
        `batch_tokens` tokens, or of one whole prompt, are kept.
        """
        from transformers import AutoConfig, AutoTokenizer

        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        self.chat = Chat(self.tokenizer, folder, **chat)
        self.folder, self.threads = folder, threads
        shape = config.get_text_config()
        wanted = max_prompt_tokens + max_new_tokens
        self.max_model_len = min(getattr(shape, "max_position_embeddings", None) or wanted, wanted)
        # vLLM's own `auto` turns float32 into a half-precision format, which the digest would not say.
        self.dtype = str(config.dtype or "float32").removeprefix("torch.") if dtype == "auto" else dtype
        self.arguments = engine_arguments(folder, self.dtype, self.max_model_len, seed, gpus)
        self.arguments_on_cpu = cpu_arguments(shape, self.dtype, max(self.max_model_len, batch_tokens))
        self.digest_settings = f"vllm,greedy,{self.dtype}{self.chat.digest}"
        self.heard = Overheard()
        self._numbers = itertools.count()

    @cached_property
    def engine(self) -> "Engine":
        """vLLM's engine, the weights in processes of its own."""
        architectures.check_complete(self.folder)  # vLLM's own check passes over all linear layers
        set_environment(self.threads)
        try:
            with self.heard.of_children():
                import torch
                import vllm
                from vllm.platforms import current_platform
        except ImportError:
            raise JudgemergeError(
                f"{self.folder}: backend 'vllm' needs the package vllm, which this environment lacks; make "
                "the one that has it with `make venv-vllm`, or set judging.backend: transformers"
            ) from None
        try:
            on_cpu = current_platform.is_cpu()
            if on_cpu:  # another process would spare no GPU's time, and imports everything again
                os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
                torch.set_num_threads(self.threads or torch.get_num_threads())
            with self.heard.of_children(), script_not_run_again():
                model = vllm.LLM(**self.arguments, **(self.arguments_on_cpu if on_cpu else {}))
            return Engine(model.llm_engine, vllm.SamplingParams)
        except Exception as error:
            raise self._fault(error, "vLLM cannot load the model") from None

    def prepare(self) -> None:
        """Load the weights."""
        _ = self.engine

    def render(self, messages: list[dict[str, str]]) -> str:
        """Return the text the model reads, generation prompt included."""
        return self.chat.render(messages)

    def continuation(self, messages: list[dict[str, str]], reply: str) -> str:
        """Return what follows `render(messages)` when the assistant answers `reply`, the end of its turn included."""
        return self.chat.continuation(messages, reply)

    def counts(self, texts: list[str]) -> list[int]:
        """Return the number of tokens of each text."""
        return [len(ids) for ids in self._ids(texts)]

    def complete(
        self,
        texts: list[str],
        parameters: GenerationParameters,
        skip: Collection[int] = (),
        seeds: Sequence[int] = (),
    ) -> Iterator[Batch]:
        """Yield batches of (index into `texts`, completion) as they come."""
        indexes = [index for index in range(len(texts)) if index not in skip]
        prompts = list(zip(indexes, self._ids([texts[index] for index in indexes]), strict=True))
        if refused := [(index, self._too_long) for index, ids in prompts if not self._fits(ids)]:
            yield refused
        asked = [
            Asked(index, ids, self.sampling(parameters, index, seeds)) for index, ids in prompts if self._fits(ids)
        ]
        for outputs in self._answers(asked):
            if not all(is_finite(output) for _, output in outputs):
                raise not_finite(self.folder, self.dtype)
            yield [(index, completion(output, self.chat)) for index, output in outputs]

    def score(self, questions: list[tuple[str, tuple[str, ...]]], skip: Collection[int] = ()) -> Iterator[Batch]:
        """Yield batches of (index into `questions`, completion) for texts and what may follow each of them.

        Text and continuation are tokenized apart, as in training. Where each continuation is one token, vLLM reads the
        text alone, whose beginning it may know already; else it reads the text once more for every continuation.
        """
        open_questions = {
            index: Question(self._ids([text])[0], self._ids(list(options)))
            for index, (text, options) in enumerate(questions)
            if index not in skip
        }
        fitting = {index: one for index, one in open_questions.items() if self._fits(one.longest)}
        if refused := [(index, self._too_long) for index in open_questions if index not in fitting]:
            yield refused
        asked = [Asked(index, ids, how) for index, one in fitting.items() for ids, how in one.requests()]
        for outputs in self._answers(asked):
            for index, output in outputs:
                fitting[index].note(output)
            done = [index for index in dict(outputs) if fitting[index].is_done]
            if not all(fitting[index].is_finite for index in done):
                raise not_finite(self.folder, self.dtype)
            if done:
                yield [(index, fitting.pop(index).completion()) for index in done]

    def sampling(self, parameters: GenerationParameters, index: int = 0, seeds: Sequence[int] = ()) -> dict[str, Any]:
        """Return the sampling settings of one request: greedy, or sampled with the seed of text `index`.

        Every token that ends a turn ends the reply. The log-probability of each token comes along (`logprobs` 0: of no
        others), so that what is not finite is seen. The text is decoded here, from the tokens.
        """
        limit = parameters.max_new_tokens
        how = {"temperature": 0.0, "max_tokens": limit, "stop_token_ids": self.chat.turn_ends, "logprobs": 0}
        how["detokenize"] = False
        if parameters.is_greedy:
            return how
        return how | {
            "temperature": parameters.temperature,
            "top_p": parameters.top_p,
            "min_p": parameters.min_p,
            "repetition_penalty": parameters.repetition_penalty,
            "seed": seeds[index] if seeds else (parameters.seed << 20) + index,
        }

    @property
    def _too_long(self) -> Failure:
        return Failure("prompt_too_long", f"the model takes {self.max_model_len} tokens")

    def _ids(self, texts: list[str]) -> list[list[int]]:
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []

    def _fits(self, prompt: Sequence[int]) -> bool:
        return len(prompt) < self.max_model_len

    def _answers(self, asked: Iterable[Asked]) -> Iterator[list[tuple[int, Any]]]:
        """Yield lists of (index, vllm.RequestOutput) as they come, about one list a second."""
        waiting, running = iter(asked), {}
        done, begin, read = [], time.monotonic(), Counter()
        try:
            while self._add(itertools.islice(waiting, PROMPTS_AT_ONCE - len(running)), running):
                finished = [one for one in self._step() if one.finished]
                read["all"] += sum(len(one.prompt_token_ids) for one in finished)
                read["known"] += sum(one.num_cached_tokens or 0 for one in finished)
                done += [(running.pop(one.request_id), one) for one in finished]
                if done and time.monotonic() - begin > SECONDS_PER_BATCH:
                    yield done
                    done, begin = [], time.monotonic()
            if done:
                yield done
            print(f"{read['known']} of {read['all']} prompt tokens were known from other prompts", file=sys.stderr)
        except EngineGone as error:
            if done:
                yield done
            raise self._fault(error.__cause__, "vLLM broke off") from None
        finally:
            if running:
                self._forget(list(running))

    def _add(self, asked: Iterable[Asked], running: dict[str, int]) -> dict[str, int]:
        """Give requests to the engine; return what it has, the index of each request by its name."""
        for one in asked:
            name = str(next(self._numbers))
            parameters = self.engine.parameters(**one.how)
            tokens = {"type": "token", "prompt_token_ids": one.ids}
            self._of_engine(self.engine.core.add_request, name, tokens, parameters)
            running[name] = one.index
        return running

    def _step(self) -> list:
        return self._of_engine(self.engine.core.step)

    def _of_engine(self, function: Callable, *arguments: Any) -> Any:
        """Call the engine; whatever it raises, it is of no more use."""
        try:
            return function(*arguments)
        except Exception as error:
            raise EngineGone from error

    def _forget(self, names: list[str]) -> None:
        """Let the engine drop requests that nobody waits for any more."""
        with contextlib.suppress(Exception):  # of an engine that is gone itself, which has been said
            self.engine.core.abort_request(names)

    def _fault(self, error: BaseException, what: str) -> JudgemergeError:
        """Return one sentence for an error of vLLM; the traceback goes to the log."""
        traceback.print_exception(error, file=sys.stderr)
        said = [*self.heard.last_lines(), *f"{type(error).__name__}: {error}".splitlines()]
        what = "a process of vLLM died" if type(error).__name__ == "EngineDeadError" else what
        return JudgemergeError(f"{self.folder}: {what} ({cause(said)}); {remedy(said)}")


class Engine(NamedTuple):
    """vLLM's LLMEngine, and the class of its requests' settings."""

    core: Any
    parameters: Callable


class EngineGone(Exception):
    """The engine does not answer; the cause says why."""


class Question(option_scores.Question):
    """A question whose answers vLLM looks up: the log-probabilities of named tokens, or of a prompt's own."""

    @property
    def in_one_pass(self) -> bool:
        """Whether the text alone is read, because each option is a single token, of which vLLM takes so many."""
        return super().in_one_pass and 0 < len(self.unique) <= MOST_SINGLE_TOKENS

    @property
    def longest(self) -> list[int]:
        """The longest row of tokens that is read."""
        return self.text if self.in_one_pass else self.text + max(self.options, key=len)

    def requests(self) -> Iterator[tuple[list[int], dict[str, Any]]]:
        """Yield the rows of tokens to read, and the sampling settings that score the options, equal ones once."""
        how = {"temperature": 0.0, "max_tokens": 1, "detokenize": False}
        if self.in_one_pass:
            yield self.text, how | {"logprob_token_ids": sorted(token for (token,) in self.unique)}
            return
        for option in self.unique:
            yield [*self.text, *option], how | {"prompt_logprobs": 0}

    def note(self, output) -> None:
        """Note what a vllm.RequestOutput says."""
        if self.in_one_pass:
            (best,) = output.outputs
            self.sums = {option: best.logprobs[0][option[0]].logprob for option in self.unique}
            return
        option = tuple(output.prompt_token_ids[len(self.text) :])
        places = output.prompt_logprobs[len(self.text) :]
        self.sums[option] = sum(place[token].logprob for place, token in zip(places, option, strict=True))


def engine_arguments(folder: str | Path, dtype: str, max_model_len: int, seed: int, gpus: int = 1) -> dict[str, Any]:
    """Return what vllm.LLM is made with; on several GPUs every tensor is divided among them."""
    divided = {"tensor_parallel_size": gpus} if gpus > 1 else {}
    return divided | {
        "model": str(folder),
        "dtype": dtype,
        "max_model_len": max_model_len,
        "enable_prefix_caching": True,
        "load_format": "safetensors",  # never a pickle
        "trust_remote_code": False,
        "generation_config": "vllm",  # a sampling setting shipped with a model has no say
        "seed": seed,
    }


def cpu_arguments(shape, dtype: str, n_tokens: int) -> dict[str, Any]:
    """Return what is added without a GPU: room for the keys and values of `n_tokens`, and nothing is compiled.

    vLLM would take most of the machine's memory, and a compiler's minutes.
    """
    heads = getattr(shape, "num_attention_heads", None)
    if heads is None:  # keys and values of nothing
        return {"enforce_eager": True}
    width = getattr(shape, "head_dim", None) or shape.hidden_size // heads
    per_layer = 2 * width * (getattr(shape, "num_key_value_heads", None) or heads)
    per_token = shape.num_hidden_layers * per_layer * (4 if dtype == "float32" else 2)
    n_blocks = math.ceil(n_tokens / TOKENS_PER_BLOCK) + 2  # one of them stays empty
    return {
        "block_size": TOKENS_PER_BLOCK,
        "kv_cache_memory_bytes": n_blocks * TOKENS_PER_BLOCK * per_token,
        "enforce_eager": True,
    }


def set_environment(threads: int | None) -> None:
    """Set what vLLM and its processes read from the environment: no network, a log on standard error, `threads`."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    os.environ |= {"VLLM_LOGGING_STREAM": "ext://sys.stderr", "VLLM_LOGGING_COLOR": "0"}
    # Several jobs share a machine: bound to processors by number, they would all take the same ones.
    os.environ |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind"} | ({"OMP_NUM_THREADS": str(threads)} if threads else {})


@contextlib.contextmanager
def script_not_run_again() -> Iterator[None]:
    """Keep processes that are spawned in the block from running the job's script, which Snakemake leaves unguarded."""
    main = vars(sys.modules["__main__"])
    kept = {name: main.pop(name) for name in ("__file__", "__spec__") if name in main}
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(kept)


def cause(said: Sequence[str]) -> str:
    """Return the error that vLLM or its processes named first of those that say most, at most 200 characters."""
    found = [match[0].partition(" [type=")[0] for line in said if (match := ERROR.search(line))]
    telling = [one for one in found if any(re.search(pattern, one, re.IGNORECASE) for pattern, _ in REMEDIES)]
    text = " ".join([*telling, *found, said[-1]][0].split())
    return text if len(text) <= 200 else f"{text[:197]}..."


def remedy(said: Sequence[str]) -> str:
    """Return what to do about the cause."""
    text = cause(said)
    fitting = [advice for pattern, advice in REMEDIES if re.search(pattern, text, re.IGNORECASE)]
    return [*fitting, "see the log; what was answered is kept, so run again or set judging.backend: transformers"][0]


def is_finite(output) -> bool:
    """Return whether the log-probabilities of what was written in a vllm.RequestOutput are numbers."""
    return all(math.isfinite(one.cumulative_logprob or 0.0) for one in output.outputs)


def completion(output, chat: Chat) -> Completion:
    """Return the completion in a vllm.RequestOutput; its token ids include the one that ended it."""
    (best,) = output.outputs
    text, n_tokens, _ = chat.reply(list(best.token_ids))
    return Completion(text, len(output.prompt_token_ids), n_tokens, best.finish_reason)


def load(folder: str | Path, settings: Mapping[str, Any]) -> VLLM:
    """Return the model in `folder` with the settings of a job that concern it."""
    return VLLM(
        folder,
        settings["dtype"],
        settings["max_prompt_tokens"],
        settings["max_new_tokens"],
        chat=settings.get("chat", {}),
        gpus=settings.get("gpus", 1),
        batch_tokens=settings.get("batch_tokens", 0),
        threads=settings.get("threads"),
    )
