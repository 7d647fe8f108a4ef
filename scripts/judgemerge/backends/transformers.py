"""Greedy completion with Hugging Face Transformers, on the CPU or one GPU.

Prompts are sorted by length and batched by tokens, so that little is spent on padding and memory is bounded by
`batch_tokens`. The chat template is applied once and the text tokenized without further special tokens: a second BOS
would shift every answer.
"""

import copy
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    LogitsProcessor,
    LogitsProcessorList,
    MinPLogitsWarper,
    PreTrainedModel,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from judgemerge.backends import TURN_ENDS, Completion, Draw
from judgemerge.errors import JudgemergeError

GREEDY: Mapping = {"do_sample": False}
# A shared beginning of fewer tokens is not worth a pass of its own.
SHORTEST_PREFIX = 16


def load(folder: str | Path, settings: Mapping) -> "Transformers":
    """Return the model in `folder` with `dtype`, `batch_tokens` and `threads` of the settings."""
    return Transformers(folder, settings["dtype"], settings["batch_tokens"], settings["threads"])


class Transformers:
    """One model; greedy unless a Draw is given, left-padded, batched by tokens."""

    draws = True
    reuse_prefix = True  # a test and a benchmark turn it off

    def __init__(self, folder: str | Path, dtype: str, batch_tokens: int, threads: int):
        """Read tokenizer and settings of the model in `folder`; the first prompt that is asked loads the weights."""
        torch.set_num_threads(threads)
        self.folder = folder
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.batch_tokens = batch_tokens
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        self.dtype = (config.dtype or torch.float32) if dtype == "auto" else getattr(torch, dtype)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, padding_side="left")
        if self.tokenizer.pad_token is None:
            # Padding is masked out; any token serves, and adding one would resize the embeddings.
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.digest_settings = f"greedy,{self.dtype}"

    @cached_property
    def model(self) -> PreTrainedModel:
        """The weights, from safetensors, never running code that came with them."""
        how = {"dtype": self.dtype, "use_safetensors": True, "trust_remote_code": False, "device_map": self.device}
        try:
            model = AutoModelForCausalLM.from_pretrained(self.folder, **how).eval()
        except SafetensorError as error:
            raise JudgemergeError(
                f"{self.folder}: the weights cannot be read ({error}); delete model and manifest, and make it again"
            ) from None
        # A sampling setting shipped with a model would only print warnings: decoding is greedy here.
        model.generation_config.temperature = None
        model.generation_config.top_p = None
        model.generation_config.top_k = None
        return model

    def prepare(self) -> None:
        """Load the weights."""
        _ = self.model

    @cached_property
    def stop(self) -> list[int]:
        """Every token that ends a turn: those of the generation config, and Llama 3's by name."""
        configured = self.model.generation_config.eos_token_id
        stop = set(configured if isinstance(configured, list) else [configured]) - {None}
        vocabulary = self.tokenizer.get_vocab()
        stop |= {vocabulary[name] for name in TURN_ENDS if name in vocabulary}
        return sorted(stop)

    def render(self, messages: list[dict[str, str]]) -> str:
        """Return the text the model reads, generation prompt included."""
        return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)

    def counts(self, texts: list[str]) -> list[int]:
        """Return the number of tokens of each text."""
        if not texts:
            return []
        return [len(ids) for ids in self.tokenizer(texts, add_special_tokens=False)["input_ids"]]

    def complete(
        self, texts: list[str], max_new_tokens: int, skip: Collection[int] = (), draw: Draw | None = None
    ) -> Iterator[list[tuple[int, Completion]]]:
        """Yield batches of (index into `texts`, completion), longest prompts first so that memory fails early if at
        all.

        Batches are formed over all texts before those in `skip` are left out: a resumed run gets the same batches.
        """
        rows = self._tokens(texts)
        prefix = self._shared_prefix(rows)
        for whole_batch in batches(list(map(len, rows)), self.batch_tokens, max_new_tokens):
            batch = [index for index in whole_batch if index not in skip]
            if not batch:
                continue
            chosen = [rows[index] for index in batch]
            if draw is None:
                completions = self._complete(chosen, prefix, max_new_tokens)
            elif draw.seeds:
                noise = draw_by_row(draw, [draw.seeds[index] for index in batch])
                decoding = {"do_sample": False, "logits_processor": noise}
                completions = self._complete(chosen, prefix, max_new_tokens, decoding)
            else:
                completions = self._draw(chosen, prefix, max_new_tokens, draw, batch[0])
            yield list(zip(batch, completions, strict=True))

    def _draw(
        self, rows: list[list[int]], prefix: int, max_new_tokens: int, draw: Draw, place: int
    ) -> list[Completion]:
        """Return sampled completions; torch's generators are seeded for this batch and left as they were."""
        sampling = {
            "do_sample": True,
            "temperature": draw.temperature,
            "top_p": draw.top_p,
            "top_k": 0,
            "min_p": draw.min_p or None,
            "repetition_penalty": draw.repetition_penalty,
        }
        with torch.random.fork_rng():
            torch.manual_seed((draw.seed << 20) + place)
            return self._complete(rows, prefix, max_new_tokens, sampling)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []

    def _shared_prefix(self, rows: list[list[int]]) -> int:
        """Return how many tokens all rows begin with, the last of each left out; 0 when reuse does not pay.

        Instructions come first in every prompt, so their keys and values are computed once and copied into each batch.
        Not for models whose attention forgets: what they keep of a prefix depends on what follows.
        """
        if not self.reuse_prefix or len(rows) < 2 or set(self.layer_types) != {"full_attention"}:
            return 0
        longest = min(map(len, rows)) - 1
        shared = next((n for n in range(longest) if len({row[n] for row in rows}) > 1), longest)
        return shared if shared >= SHORTEST_PREFIX else 0

    @property
    def layer_types(self) -> list[str]:
        """What each layer attends to; unknown kinds count as forgetting."""
        settings = self.model.config.get_text_config()
        known = getattr(settings, "layer_types", None)
        return known or (["unknown"] if getattr(settings, "sliding_window", None) else ["full_attention"])

    @lru_cache(maxsize=1)  # noqa: B019 – one backend per process, and one prefix at a time
    def _prefix_cache(self, prefix: tuple[int, ...]) -> DynamicCache:
        ids = torch.tensor([prefix], device=self.device)
        return self.model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values

    @torch.inference_mode()
    def _complete(
        self, rows: list[list[int]], prefix: int, max_new_tokens: int, decoding: Mapping = GREEDY
    ) -> list[Completion]:
        # Padding stands between the shared prefix and the rest, so that the prefix lies at the same place in all rows.
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), self.tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, :prefix], mask[number, :prefix] = torch.tensor(row[:prefix]), 1
            place = width - len(row) + prefix
            ids[number, place:], mask[number, place:] = torch.tensor(row[prefix:]), 1
        encoded = {"input_ids": ids.to(self.device), "attention_mask": mask.to(self.device)}
        if prefix:
            cache = copy.deepcopy(self._prefix_cache(tuple(rows[0][:prefix])))
            cache.batch_repeat_interleave(len(rows))
            encoded["past_key_values"] = cache
        generated = self.model.generate(
            **encoded,
            **decoding,
            num_beams=1,
            max_new_tokens=max_new_tokens,
            eos_token_id=self.stop,
            pad_token_id=self.tokenizer.pad_token_id,
            use_cache=True,
        )
        replies = generated[:, width:].tolist()
        return [self._completion(reply, len(row)) for reply, row in zip(replies, rows, strict=True)]

    def continuation(self, messages: list[dict[str, str]], reply: str) -> str:
        """Return what follows `render(messages)` when the assistant answers `reply`: the reply and the end of its turn.

        Where the chat template writes an answered turn in another way than it opens one, the end is the stop token.
        """
        opened = self.render(messages)
        closed = self.tokenizer.apply_chat_template(
            [*messages, {"role": "assistant", "content": reply}], tokenize=False, add_generation_prompt=False
        )
        if closed.startswith(opened) and reply.strip() in closed[len(opened) :]:
            return closed[len(opened) :]
        return reply + (self.tokenizer.eos_token or "")

    def score(
        self, questions: list[tuple[str, tuple[str, ...]]], skip: Collection[int] = ()
    ) -> Iterator[list[tuple[int, Completion]]]:
        """Yield batches of (index into `questions`, completion) for texts and what may follow each of them.

        A completion's text is JSON {"logprobs": [sum of the log-probabilities of its tokens, per continuation],
        "tokens": [their number]}. Text and continuation are tokenized apart, as in training. Continuations of one
        token take a single pass over the text. Batches are formed over all questions, then those in `skip` left out.
        """
        encoded = [(self._ids(text), [self._ids(option) for option in options]) for text, options in questions]
        for whole_batch in batches([sum(map(len, _passes(*one))) for one in encoded], self.batch_tokens, 0):
            batch = [index for index in whole_batch if index not in skip]
            if batch:
                yield list(zip(batch, self._score([encoded[index] for index in batch]), strict=True))

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    @torch.inference_mode()
    def _score(self, encoded: list[tuple[list[int], list[list[int]]]]) -> list[Completion]:
        rows = [row for text, options in encoded for row in _passes(text, options)]
        kept = max(len(option) for _, options in encoded for option in options) + 1
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), self.tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, width - len(row) :] = torch.tensor(row)
            mask[number, width - len(row) :] = 1
        logits = self.model(
            input_ids=ids.to(self.device),
            attention_mask=mask.to(self.device),
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0).to(self.device),
            logits_to_keep=min(kept, width),
            use_cache=False,
        ).logits
        completions, number = [], 0
        for text, options in encoded:
            sums = []
            one_pass = all(len(option) == 1 for option in options)
            for option in options:
                # The last row position predicts nothing we know; a single-token pass ends with the text itself.
                places = logits[number, -1:] if one_pass else logits[number, -len(option) - 1 : -1]
                chosen = torch.tensor(option, device=places.device)
                logprobs = torch.log_softmax(places.float(), dim=-1).gather(1, chosen[:, None])
                sums.append(round(float(logprobs.sum()), 6))
                number += not one_pass
            number += one_pass
            tokens = [len(option) for option in options]
            completions.append(Completion(json.dumps({"logprobs": sums, "tokens": tokens}), len(text), sum(tokens)))
        return completions

    def _completion(self, ids: list[int], n_prompt: int) -> Completion:
        end = next((position for position, token in enumerate(ids) if token in self.stop), len(ids))
        text = self.tokenizer.decode(ids[:end], skip_special_tokens=True)
        return Completion(text, n_prompt, min(end + 1, len(ids)))


class GumbelNoise(LogitsProcessor):
    """Makes the likeliest token a drawn one: the largest of logit + Gumbel noise is a draw from the softmax.

    Every row has a generator of its own (Maddison et al. 2014, arXiv:1411.0030, for the identity).
    """

    def __init__(self, seeds: Sequence[int]):
        """Seed one generator per row; they are on the CPU, so that every device draws alike."""
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores, (rows, vocabulary), with fresh noise."""
        drawn = [torch.empty(scores.shape[1]).exponential_(generator=own) for own in self.generators]
        # An exact 0 would be infinite noise, which turns a forbidden token (−inf) into NaN.
        noise = torch.stack(drawn).clamp_(min=torch.finfo(torch.float32).tiny).log()
        return scores.float() - noise.to(scores.device)


def draw_by_row(draw: Draw, seeds: Sequence[int]) -> LogitsProcessorList:
    """Return what turns greedy decoding into draws with a seed per row, in the order of transformers' own sampling."""
    steps = LogitsProcessorList()
    if draw.repetition_penalty != 1:
        steps.append(RepetitionPenaltyLogitsProcessor(draw.repetition_penalty))
    if draw.temperature != 1:
        steps.append(TemperatureLogitsWarper(draw.temperature))
    if draw.top_p < 1:
        steps.append(TopPLogitsWarper(draw.top_p))
    if draw.min_p:
        steps.append(MinPLogitsWarper(draw.min_p))
    return LogitsProcessorList([*steps, GumbelNoise(seeds)])


def _passes(text: list[int], options: list[list[int]]) -> list[list[int]]:
    """Return the token rows that score the options after a text: one for all when each option is a single token."""
    return [text] if all(len(option) == 1 for option in options) else [text + option for option in options]


def batches(lengths: list[int], batch_tokens: int, max_new_tokens: int) -> list[list[int]]:
    """Return index batches, longest first, each of at most `batch_tokens` tokens with padding and replies counted.

    The split depends on the lengths alone. A prompt that alone exceeds the budget is a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    result: list[list[int]] = []
    for index in order:
        widest = lengths[result[-1][0]] + max_new_tokens if result else 0
        if result and widest * (len(result[-1]) + 1) <= batch_tokens:
            result[-1].append(index)
        else:
            result.append([index])
    return result
