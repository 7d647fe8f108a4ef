"""Greedy completion and log-probabilities of quantized models (GGUF) with llama.cpp.

It runs on the CPU, or on a GPU where it was built for one. Prompts are rendered and tokenized as for the model they
were made from, by its own tokenizer, so that a quantization differs from its parent in the weights alone. They are
sorted, so that what neighbours have in common is read once and stays in the cache, and several replies are written side
by side, which costs little more than one.
"""

import ctypes
import os
import sys
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
from transformers import AutoTokenizer

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.judge.backends import Batch, Completion, GenerationParameters, ScoringBackend
from judgemerge.judge.option_scores import Question
from judgemerge.prompting.chat_templates import Chat
from judgemerge.quantize import quantizing

llama_cpp = quantizing.load_llama_cpp()

ABILITIES = ("logprobs",)
EXTRA = "llama_cpp"
ENVIRONMENT = "quantize"
SELECTABLE = False
REPLIES_AT_ONCE = 8
TOKENS_AT_ONCE = 512  # read in one step of the arithmetic
WARNINGS = (3, 4)  # ggml's levels of warnings and errors; below them it tells every tensor
SHARED = 0  # the sequence that holds what the prompts of a batch have in common


def load(folder: str | Path, settings: Mapping) -> "LlamaCpp":
    """Return the model in `folder` with `batch_tokens`, `threads` and `chat` of the settings."""
    return LlamaCpp(folder, settings["batch_tokens"], settings["threads"], settings.get("chat", {}))


class LlamaCpp(ScoringBackend):
    """One quantized model; greedy, prompts with a common beginning side by side."""

    abilities = ABILITIES

    def __init__(self, folder: str | Path, batch_tokens: int, threads: int, chat: Mapping = MappingProxyType({})):
        """Read the tokenizer of the model in `folder`; the first prompt that is asked loads the weights.

        `chat` are arguments of chat_templates.Chat.
        """
        self.folder = Path(folder)
        self.batch_tokens = batch_tokens
        self.threads = threads
        about = self.folder / models.QUANTIZATION_RECORD
        kind = files.read_json(about)["type"] if about.is_file() else "unknown"
        self.tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        self.chat = Chat(self.tokenizer, folder, **chat)
        self.digest_settings = f"greedy,llama_cpp,{kind}{self.chat.digest}"

    @cached_property
    def weights(self) -> "Weights":
        """The model in memory (mapped from its file)."""
        return Weights(self.folder / models.GGUF_FILE)

    def prepare(self) -> None:
        """Load the weights, and refuse a vocabulary that is not the tokenizer's."""
        if self.weights.n_vocabulary < len(self.tokenizer):
            raise JudgemergeError(
                f"{self.folder}: the tokenizer has {len(self.tokenizer)} tokens, {models.GGUF_FILE} only "
                f"{self.weights.n_vocabulary}; they belong to different models, quantize again"
            )

    @cached_property
    def stop(self) -> set[int]:
        """Every token that ends a turn."""
        return set(self.chat.turn_ends)

    def render(self, messages: list[dict[str, str]]) -> str:
        """Return the text the model reads, generation prompt included."""
        return self.chat.render(messages)

    def counts(self, texts: list[str]) -> list[int]:
        """Return the number of tokens of each text."""
        return [len(ids) for ids in self._ids(texts)]

    def _ids(self, texts: list[str]) -> list[list[int]]:
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []

    def complete(
        self,
        texts: list[str],
        parameters: GenerationParameters,
        skip: Collection[int] = (),
        seeds: Sequence[int] = (),
    ) -> Iterator[Batch]:
        """Yield batches of (index into `texts`, completion), prompts with a common beginning next to each other.

        Batches are formed over all texts before those in `skip` are left out: a resumed run gets the same batches.
        """
        prompts = self._ids(texts)
        if not prompts:
            return
        self.prepare()
        max_new_tokens = parameters.max_new_tokens
        n_cells = max(self.batch_tokens, max(map(len, prompts)) + max_new_tokens)
        session = Session(self.weights, n_cells, self.threads)
        try:
            for whole_batch in batches(prompts, n_cells, max_new_tokens):
                batch = [index for index in whole_batch if index not in skip]
                if batch:
                    replies = session.complete([prompts[index] for index in batch], max_new_tokens, self.stop)
                    pairs = zip(batch, replies, strict=True)
                    yield [(index, self._completion(prompts[index], reply)) for index, reply in pairs]
        finally:
            session.close()

    def continuation(self, messages: list[dict[str, str]], reply: str) -> str:
        """Return what follows `render(messages)` when the assistant answers `reply`, the end of its turn included."""
        return self.chat.continuation(messages, reply)

    def score(self, questions: list[tuple[str, tuple[str, ...]]], skip: Collection[int] = ()) -> Iterator[Batch]:
        """Yield batches of (index into `questions`, completion) for texts and what may follow each of them.

        Text and continuation are tokenized apart, as in training. Batches are formed over all questions, then those in
        `skip` left out.
        """
        if not questions:
            return
        self.prepare()
        open_questions = [Question(self._ids([text])[0], self._ids(list(options))) for text, options in questions]
        passes = [(number, row) for number, one in enumerate(open_questions) for row in one.passes()]
        rows = [row for _, row in passes]
        n_cells = max(self.batch_tokens, *map(len, rows))
        session = Session(self.weights, n_cells, self.threads)
        try:
            for whole_batch in batches(rows, n_cells, 0):
                batch = [place for place in whole_batch if passes[place][0] not in skip]
                firsts = [len(open_questions[passes[place][0]].text) - 1 for place in batch]
                logits = session.last_logits([rows[place] for place in batch], firsts) if batch else []
                for place, values in zip(batch, logits, strict=True):
                    open_questions[passes[place][0]].take(rows[place], values)
                numbers = dict.fromkeys(passes[place][0] for place in batch)
                if done := [number for number in numbers if open_questions[number].is_done]:
                    yield [(number, open_questions[number].completion()) for number in done]
        finally:
            session.close()

    def _completion(self, prompt: Sequence[int], reply: list[int]) -> Completion:
        text, n_tokens, finish_reason = self.chat.reply(reply)
        return Completion(text, len(prompt), n_tokens, finish_reason)


def batches(prompts: Sequence[Sequence[int]], n_cells: int, max_new_tokens: int) -> list[list[int]]:
    """Return index batches of token sequences in sorted order, of which each fits into a cache of `n_cells` tokens."""
    result: list[list[int]] = []
    room = 0
    for index in sorted(range(len(prompts)), key=lambda index: (list(prompts[index]), index)):
        size = len(prompts[index]) + max_new_tokens
        if not result or size > room or len(result[-1]) == REPLIES_AT_ONCE:
            result.append([])
            room = n_cells
        result[-1].append(index)
        room -= size
    return result


def common(prompts: Sequence[Sequence[int]]) -> int:
    """Return how many tokens all prompts begin with; the first and the last in sorted order have no more in common."""
    low, high = min(prompts), max(prompts)
    return next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))


@llama_cpp.llama_log_callback
def _warn(level: int, text: bytes, _data) -> None:
    """Write llama.cpp's warnings and errors to the log of the job."""
    if level in WARNINGS:
        sys.stderr.write(text.decode(errors="replace"))


class Weights:
    """A GGUF file opened by llama.cpp; on a GPU where there is one that llama.cpp was built for."""

    def __init__(self, path: Path):
        """Map the file; raises JudgemergeError when llama.cpp does not understand it."""
        self.path = path
        llama_cpp.llama_log_set(_warn, ctypes.c_void_p(None))
        llama_cpp.llama_backend_init()
        parameters = llama_cpp.llama_model_default_params()
        self.on_gpu = llama_cpp.llama_supports_gpu_offload()
        parameters.n_gpu_layers = 999 if self.on_gpu else 0
        if not self.on_gpu and os.environ.get("CUDA_VISIBLE_DEVICES"):
            print(f"{path}: this llama.cpp was built without GPU support, so the CPU judges", file=sys.stderr)
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        if not self.model:
            raise JudgemergeError(f"{path}: llama.cpp cannot load it; quantize the model again")
        weakref.finalize(self, llama_cpp.llama_model_free, self.model)
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.n_vocabulary = llama_cpp.llama_vocab_n_tokens(self.vocabulary)

    def tokenize(self, text: str) -> list[int]:
        """Return the ids of llama.cpp's own tokenizer, special tokens recognised, none added."""
        data = text.encode()
        room = len(data) + 8
        ids = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self.vocabulary, data, len(data), ids, room, False, True)
        return list(ids[:count])


class Session:
    """A cache of `n_cells` tokens and what was read into it."""

    def __init__(self, weights: Weights, n_cells: int, threads: int):
        """Make room for one batch of prompts with their replies."""
        self.weights = weights
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = n_cells
        parameters.n_batch = parameters.n_ubatch = min(TOKENS_AT_ONCE, n_cells)
        parameters.n_seq_max = REPLIES_AT_ONCE + 1
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.kv_unified = True  # sequences may share cells
        parameters.swa_full = True  # or models with sliding windows could not go back to the common part
        self.context = llama_cpp.llama_init_from_model(weights.model, parameters)
        if not self.context:
            raise JudgemergeError(
                f"llama.cpp has no memory for {n_cells} tokens at a time; lower judging.batch_tokens in the study"
            )
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.step = int(parameters.n_batch)
        self.batch = llama_cpp.llama_batch_init(self.step, 0, 1)
        self.shared: list[int] = []

    def complete(self, prompts: Sequence[list[int]], max_new_tokens: int, stop: Collection[int]) -> list[list[int]]:
        """Return the tokens of each reply, the one that ended it included."""
        begun = min(common(prompts), min(map(len, prompts)) - 1)  # the last token is read last: it gives the first word
        self._share(prompts[0][:begun])
        rows = []
        for sequence, prompt in enumerate(prompts, 1):
            llama_cpp.llama_memory_seq_cp(self.memory, SHARED, sequence, 0, -1)
            rest = range(begun, len(prompt))
            rows += [(prompt[position], position, sequence, position == len(prompt) - 1) for position in rest]
        next_tokens = self._read(rows)
        replies = [[] for _ in prompts]
        while next_tokens:
            rows = []
            for sequence, token in next_tokens.items():
                reply = replies[sequence - 1]
                reply.append(token)
                if token not in stop and len(reply) < max_new_tokens:
                    rows.append((token, len(prompts[sequence - 1]) + len(reply) - 1, sequence, True))
            next_tokens = self._read(rows)
        self._forget(len(prompts))
        return replies

    def last_logits(self, rows: Sequence[list[int]], firsts: Sequence[int]) -> list["torch.Tensor"]:  # noqa: F821
        """Return the logits of each row from a position on, (number of positions, vocabulary)."""
        import torch

        begun = min(common(rows), min(firsts))
        self._share(rows[0][:begun])
        wanted = []
        for sequence, (row, first) in enumerate(zip(rows, firsts, strict=True), 1):
            llama_cpp.llama_memory_seq_cp(self.memory, SHARED, sequence, 0, -1)
            wanted += [(row[position], position, sequence, position >= first) for position in range(begun, len(row))]
        values: list[list[np.ndarray]] = [[] for _ in rows]
        for sequence, logits in self._logits(wanted):
            values[sequence - 1].append(logits.copy())
        self._forget(len(rows))
        return [torch.from_numpy(np.stack(of_row)) for of_row in values]

    def _forget(self, n_sequences: int) -> None:
        """Take the rows of a batch out of the cache; what they had in common stays."""
        for sequence in range(1, n_sequences + 1):
            llama_cpp.llama_memory_seq_rm(self.memory, sequence, -1, -1)

    def _share(self, tokens: list[int]) -> None:
        """Read the common part, of which what the batch before had in common with it is there already."""
        n_cached = common([self.shared, tokens])
        if not llama_cpp.llama_memory_seq_rm(self.memory, SHARED, n_cached, -1):  # a model without a cache by position
            llama_cpp.llama_memory_clear(self.memory, True)
            n_cached = 0
        self.shared = list(tokens)
        self._read([(token, position, SHARED, False) for position, token in enumerate(tokens) if position >= n_cached])

    def _read(self, rows: Sequence[tuple[int, int, int, bool]]) -> dict[int, int]:
        """Read (token, position, sequence, is_last) rows; return the likeliest next token after each last."""
        return {sequence: int(values.argmax()) for sequence, values in self._logits(rows)}

    def _logits(self, rows: Sequence[tuple[int, int, int, bool]]) -> Iterator[tuple[int, np.ndarray]]:
        """Read (token, position, sequence, is_wanted) rows; yield (sequence, logits) after each that is wanted.

        An array is llama.cpp's own and holds until the next one is asked for.
        """
        for start in range(0, len(rows), self.step):
            part = rows[start : start + self.step]
            self.batch.n_tokens = len(part)
            for place, (token, position, sequence, is_wanted) in enumerate(part):
                self.batch.token[place] = token
                self.batch.pos[place] = position
                self.batch.n_seq_id[place] = 1
                self.batch.seq_id[place][0] = sequence
                self.batch.logits[place] = is_wanted
            failed = llama_cpp.llama_decode(self.context, self.batch)
            if failed:
                raise JudgemergeError(
                    f"llama.cpp stopped with code {failed} while reading {len(part)} tokens; lower "
                    "judging.batch_tokens if memory is short, else report it"
                )
            for place, (_, _, sequence, is_wanted) in enumerate(part):
                if is_wanted:
                    logits = llama_cpp.llama_get_logits_ith(self.context, place)
                    values = np.ctypeslib.as_array(logits, (self.weights.n_vocabulary,))
                    if not np.isfinite(values[values.argmax()]):  # argmax of NaN is its first place
                        raise JudgemergeError(
                            f"{self.weights.path}: llama.cpp's logits are not finite; quantize to another type, or "
                            "judge the model itself with judging.dtype: bfloat16"
                        )
                    yield sequence, values

    def close(self) -> None:
        """Give the memory back."""
        llama_cpp.llama_batch_free(self.batch)
        llama_cpp.llama_free(self.context)
