"""Completion, greedy or drawn, and log-probabilities of quantized models (GGUF) with llama.cpp.

It runs on the CPU, or on a GPU where it was built for one. Prompts are rendered and tokenized as for the model they
were made from, by its own tokenizer, so that a quantization differs from its parent in the weights alone. They are
sorted, every beginning that several of a batch have is read once (segments.py), what the last one was stays in the
cache, and several replies are written side by side, which costs little more than one.
"""

import ctypes
import os
import sys
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from transformers import AutoTokenizer

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.judge.backends import Batch, Completion, GenerationParameters, ScoringBackend, Tell
from judgemerge.judge.option_scores import Question
from judgemerge.judge.segments import segments
from judgemerge.prompting.chat_templates import Chat
from judgemerge.quantize import quantizing

llama_cpp = quantizing.load_llama_cpp()

ABILITIES = ("sampling", "logprobs")
EXTRA = "llama_cpp"
ENVIRONMENT = "quantize"
SELECTABLE = False
REPLIES_AT_ONCE = 8
TOKENS_AT_ONCE = 512  # read in one step of the arithmetic
WARNINGS = (3, 4)  # ggml's levels of warnings and errors; below them it tells every tensor
Choose = Callable[[list[int], np.ndarray], int]  # the tokens so far, the logits after them → the next token
SHARED = 0  # the sequence that holds the row that was read last: the next ones may begin like it


def load(folder: str | Path, settings: Mapping) -> "LlamaCpp":
    """Return the model in `folder` with `batch_tokens`, `threads` and `chat` of the settings."""
    return LlamaCpp(folder, settings["batch_tokens"], settings["threads"], settings.get("chat", {}))


class LlamaCpp(ScoringBackend):
    """One quantized model; prompts with a common beginning side by side."""

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
                    choose = choosers(parameters, batch, seeds)
                    replies = session.complete([prompts[index] for index in batch], max_new_tokens, self.stop, choose)
                    pairs = zip(batch, replies, strict=True)
                    yield [(index, self._completion(prompts[index], reply)) for index, reply in pairs]
        finally:
            session.close()

    def write(self, text: str, parameters: GenerationParameters, tell: Tell) -> Completion:
        """Return the reply to one text, and tell what there is of it after every token."""
        (prompt,) = self._ids([text])
        self.prepare()
        n_cells = len(prompt) + parameters.max_new_tokens
        session = Session(self.weights, n_cells, self.threads)
        choose = choosers(parameters, [0], [parameters.seed])
        try:
            told = lambda ids: tell(self.chat.so_far(ids))  # noqa: E731
            (reply,) = session.complete([prompt], parameters.max_new_tokens, self.stop, choose, told)
        finally:
            session.close()
        return self._completion(prompt, reply)

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


def sequence_of(row: int) -> int:
    """Return llama.cpp's number of the sequence that a row of a batch is."""
    return SHARED + 1 + row


class Token(NamedTuple):
    """A token that is read for some rows of a batch, at a position, and whether the logits after it are wanted."""

    token: int
    position: int
    rows: tuple[int, ...]
    is_wanted: bool


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


def choosers(parameters: GenerationParameters, batch: Sequence[int], seeds: Sequence[int]) -> "list[Choose] | None":
    """Return what draws the tokens of each text of a batch, None where the likeliest is always taken.

    Without seeds of their own, those of the texts follow from the seed of the call and their places.
    """
    if parameters.is_greedy:
        return None
    import torch

    from judgemerge.judge.backends.transformers import Sampler

    def chooser(seed: int) -> Choose:
        sampler = Sampler(parameters, [seed])
        return lambda ids, logits: int(sampler(torch.tensor([ids]), torch.from_numpy(logits)[None], [0]))

    return [chooser(seeds[index] if seeds else (parameters.seed << 20) + index) for index in batch]


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
        self.batch = llama_cpp.llama_batch_init(self.step, 0, REPLIES_AT_ONCE)
        # A model without attention keeps no tokens apart, which could be another row's as well.
        model = weights.model
        self.sharing = not (llama_cpp.llama_model_is_recurrent(model) or llama_cpp.llama_model_is_hybrid(model))
        self.last: list[int] = []

    def complete(
        self,
        prompts: Sequence[list[int]],
        max_new_tokens: int,
        stop: Collection[int],
        choose: list[Choose] | None = None,
        tell: Callable[[list[int]], None] | None = None,
    ) -> list[list[int]]:
        """Return the tokens of each reply, the one that ended it included; `tell` hears the first as it grows.

        The next token is the likeliest, or what `choose` draws, one for each prompt.
        """
        replies: list[list[int]] = [[] for _ in prompts]

        def next_tokens(ends: Iterable[tuple[int, np.ndarray]]) -> dict[int, int]:
            return {
                row: choose[row](prompts[row] + replies[row], logits) if choose else int(logits.argmax())
                for row, logits in ends
            }

        tokens = next_tokens(self._read_rows(prompts, [1] * len(prompts)))
        while tokens:
            steps = []
            for row, token in tokens.items():
                replies[row].append(token)
                if token not in stop and len(replies[row]) < max_new_tokens:
                    steps.append(Token(token, len(prompts[row]) + len(replies[row]) - 1, (row,), True))
            if tell:
                tell(replies[0])
            tokens = next_tokens(self._logits(steps))
        self._keep_last(prompts)
        return replies

    def last_logits(self, rows: Sequence[list[int]], firsts: Sequence[int]) -> list["torch.Tensor"]:  # noqa: F821
        """Return the logits of each row from a position on, (number of positions, vocabulary)."""
        import torch

        values: list[list[np.ndarray]] = [[] for _ in rows]
        for row, logits in self._read_rows(rows, [len(row) - first for row, first in zip(rows, firsts, strict=True)]):
            values[row].append(logits.copy())
        self._keep_last(rows)
        return [torch.from_numpy(np.stack(of_row)) for of_row in values]

    def _read_rows(self, rows: Sequence[list[int]], tails: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Read rows, what several begin with once; yield (row, logits) for each of the last `tails[row]` places.

        What they have in common with the row that was read last before is in the cache already.
        """
        known = [min(common([self.last, row]), len(row) - tail) for row, tail in zip(rows, tails, strict=True)]
        llama_cpp.llama_memory_seq_rm(self.memory, SHARED, max(known), -1)
        for row, n_known in enumerate(known):
            if n_known:
                llama_cpp.llama_memory_seq_cp(self.memory, SHARED, sequence_of(row), 0, n_known)
        tree = segments(rows, range(len(rows)), tails, 0, self.sharing)
        return self._logits(
            [
                Token(rows[one.rows[0]][place], place, one.rows, one.is_last and place >= one.end - tails[one.rows[0]])
                for one in tree
                for place in range(max(one.start, min(known[one.rows[0]], one.end)), one.end)
            ]
        )

    def _keep_last(self, rows: Sequence[list[int]]) -> None:
        """Take the rows of a batch out of the cache, but the last: the next batch may begin like it."""
        if self.sharing:
            self.last = rows[-1]
            llama_cpp.llama_memory_seq_rm(self.memory, SHARED, -1, -1)
            llama_cpp.llama_memory_seq_cp(self.memory, sequence_of(len(rows) - 1), SHARED, 0, len(self.last))
        for row in range(len(rows)):
            llama_cpp.llama_memory_seq_rm(self.memory, sequence_of(row), -1, -1)

    def _logits(self, tokens: Sequence[Token]) -> Iterator[tuple[int, np.ndarray]]:
        """Read tokens; yield (row, logits) after each that is wanted.

        An array is llama.cpp's own and holds until the next one is asked for.
        """
        for start in range(0, len(tokens), self.step):
            part = tokens[start : start + self.step]
            self.batch.n_tokens = len(part)
            for place, one in enumerate(part):
                self.batch.token[place] = one.token
                self.batch.pos[place] = one.position
                self.batch.n_seq_id[place] = len(one.rows)
                for number, row in enumerate(one.rows):
                    self.batch.seq_id[place][number] = sequence_of(row)
                self.batch.logits[place] = one.is_wanted
            failed = llama_cpp.llama_decode(self.context, self.batch)
            if failed:
                raise JudgemergeError(
                    f"llama.cpp stopped with code {failed} while reading {len(part)} tokens; lower "
                    "judging.batch_tokens if memory is short, else report it"
                )
            for place, one in enumerate(part):
                if one.is_wanted:
                    logits = llama_cpp.llama_get_logits_ith(self.context, place)
                    values = np.ctypeslib.as_array(logits, (self.weights.n_vocabulary,))
                    if not np.isfinite(values[values.argmax()]):  # argmax of NaN is its first place
                        raise JudgemergeError(
                            f"{self.weights.path}: llama.cpp's logits are not finite; quantize to another type, or "
                            "judge the model itself with judging.dtype: bfloat16"
                        )
                    yield one.rows[0], values

    def close(self) -> None:
        """Give the memory back."""
        llama_cpp.llama_batch_free(self.batch)
        llama_cpp.llama_free(self.context)
