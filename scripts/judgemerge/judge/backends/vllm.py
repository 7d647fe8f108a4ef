"""Greedy or drawn completion with vLLM on a GPU: offline, prefix caching on, the model loaded once per unit.

vLLM pins a torch and transformers of its own, so it lives in an environment of its own (docs/judging.md). It is
imported with the first prompt that is asked; rendering and counting need the tokenizer alone. Token ids are handed
over, so that no second BOS can slip in.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from judgemerge.core.errors import JudgemergeError
from judgemerge.judge.backends import Backend, Completion, Failure, GenerationParameters, not_finite
from judgemerge.prompting.chat_templates import Chat

ABILITIES = ("sampling",)
ENVIRONMENT = "judge_vllm"
ENVIRONMENT_WITHOUT_GPU = "judge_vllm_cpu"
OWN_VENV = ("vllm", ".venv-vllm")
# Replies are stored after every so many prompts; many at once keep the GPU busy, few lose little to a kill.
PROMPTS_AT_ONCE = 1024


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
    ):
        """Read tokenizer and settings of the model in `folder`; the first prompt that is asked loads the weights.

        `chat` are arguments of chat_templates.Chat.
        """
        from transformers import AutoConfig, AutoTokenizer

        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        self.chat = Chat(self.tokenizer, folder, **chat)
        most = getattr(config, "max_position_embeddings", None) or max_prompt_tokens + max_new_tokens
        self.max_model_len = min(most, max_prompt_tokens + max_new_tokens)
        self.arguments = engine_arguments(folder, dtype, self.max_model_len, seed, gpus)
        stored_dtype = str(config.dtype or "float32").removeprefix("torch.")
        self.dtype = stored_dtype if dtype == "auto" else dtype
        self.digest_settings = f"vllm,greedy,{self.dtype}{self.chat.digest}"

    @cached_property
    def engine(self):
        """The weights on the GPU."""
        try:
            import vllm
        except ImportError:
            raise JudgemergeError(
                f"{self.arguments['model']}: backend 'vllm' needs the package vllm, which this environment lacks; make "
                "the one that has it with `make venv-vllm`, or set judging.backend: transformers"
            ) from None
        return vllm.LLM(**self.arguments)

    def prepare(self) -> None:
        """Load the weights."""
        _ = self.engine

    def render(self, messages: list[dict[str, str]]) -> str:
        """Return the text the model reads, generation prompt included."""
        return self.chat.render(messages)

    def counts(self, texts: list[str]) -> list[int]:
        """Return the number of tokens of each text."""
        return [len(ids) for ids in self._ids(texts)]

    def complete(
        self,
        texts: list[str],
        parameters: GenerationParameters,
        skip: Collection[int] = (),
        seeds: Sequence[int] = (),
    ) -> Iterator[list[tuple[int, Completion | Failure]]]:
        """Yield batches of (index into `texts`, completion) in the order of the texts."""
        indexes = [index for index in range(len(texts)) if index not in skip]
        for start in range(0, len(indexes), PROMPTS_AT_ONCE):
            batch = indexes[start : start + PROMPTS_AT_ONCE]
            ids = self._ids([texts[index] for index in batch])
            fitting = [(index, prompt) for index, prompt in zip(batch, ids, strict=True) if self._fits(prompt)]
            too_long = Failure("prompt_too_long", f"the model takes {self.max_model_len} tokens")
            refused = sorted({*batch} - {index for index, _ in fitting})
            yield [*self._complete(fitting, parameters, seeds), *((index, too_long) for index in refused)]

    def sampling(self, parameters: GenerationParameters, index: int = 0, seeds: Sequence[int] = ()) -> dict[str, Any]:
        """Return the sampling settings of one request: greedy, or sampled with the seed of text `index`.

        Every token that ends a turn ends the reply. The log-probability of each token comes along (`logprobs` 0: of no
        others), so that what is not finite is seen.
        """
        limit = parameters.max_new_tokens
        how = {"temperature": 0.0, "max_tokens": limit, "stop_token_ids": self.chat.turn_ends, "logprobs": 0}
        if parameters.is_greedy:
            return how
        return how | {
            "temperature": parameters.temperature,
            "top_p": parameters.top_p,
            "min_p": parameters.min_p,
            "repetition_penalty": parameters.repetition_penalty,
            "seed": seeds[index] if seeds else (parameters.seed << 20) + index,
        }

    def _ids(self, texts: list[str]) -> list[list[int]]:
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []

    def _fits(self, prompt: Sequence[int]) -> bool:
        return len(prompt) < self.max_model_len

    def _complete(
        self, prompts: list[tuple[int, list[int]]], parameters: GenerationParameters, seeds: Sequence[int]
    ) -> Iterator[tuple[int, Completion]]:
        if not prompts:
            return
        engine = self.engine
        import vllm

        outputs = engine.generate(
            [{"prompt_token_ids": prompt} for _, prompt in prompts],
            [vllm.SamplingParams(**self.sampling(parameters, index, seeds)) for index, _ in prompts],
            use_tqdm=False,
        )
        for (index, _), output in zip(prompts, outputs, strict=True):
            if not is_finite(output):
                raise not_finite(self.arguments["model"], self.dtype)
            yield index, completion(output, self.chat)


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


def is_finite(output) -> bool:
    """Return whether the log-probabilities of what was written in a vllm.RequestOutput are numbers."""
    return all(math.isfinite(one.cumulative_logprob or 0.0) for one in output.outputs)


def completion(output, chat: Chat) -> Completion:
    """Return the completion in a vllm.RequestOutput; its token ids include the one that ended it."""
    (best,) = output.outputs
    text, n_tokens, _ = chat.reply(list(best.token_ids))
    return Completion(text, len(output.prompt_token_ids), n_tokens, best.finish_reason)


def load(folder: str | Path, settings: Mapping[str, Any]) -> VLLM:
    """Return the model in `folder` with `dtype`, `max_*_tokens`, `chat` and `gpus` of the settings."""
    limits = settings["max_prompt_tokens"], settings["max_new_tokens"]
    return VLLM(folder, settings["dtype"], *limits, chat=settings.get("chat", {}), gpus=settings.get("gpus", 1))
