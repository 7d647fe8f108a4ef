"""Greedy completion with Hugging Face Transformers, on the CPU or one GPU.

Prompts are sorted by length and batched by tokens, so that memory is bounded by `batch_tokens`; what they share is
computed once (batching.py, decoding.py). Models with a layer that forgets, as sliding windows do, are left to
Transformers' own `generate`: what they keep of a beginning depends on what follows. The chat template is applied once
and the text tokenized without further special tokens: a second BOS would shift every answer.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    LogitsProcessorList,
    MinPLogitsWarper,
    PreTrainedModel,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from judgemerge.core import architectures
from judgemerge.core.errors import JudgemergeError
from judgemerge.judge import batching, decoding, packing
from judgemerge.judge.backends import Completion, GenerationParameters, ScoringBackend, Tell, not_finite
from judgemerge.judge.option_scores import Question
from judgemerge.prompting.chat_templates import Chat

ABILITIES = ("sampling", "logprobs")
EXTRA = "transformers"


def load(folder: str | Path, settings: Mapping) -> "Transformers":
    """Return the model in `folder` with `dtype`, `batch_tokens`, `threads`, `chat` and `gpus` of the settings."""
    return Transformers(
        folder,
        settings["dtype"],
        settings["batch_tokens"],
        settings["threads"],
        settings.get("chat", {}),
        settings.get("gpus", 1),
    )


class Transformers(ScoringBackend):
    """One model; prompts are left-padded and batched by tokens."""

    abilities = ABILITIES
    reuse_prefix = True  # a test and a benchmark turn it off

    def __init__(
        self,
        folder: str | Path,
        dtype: str,
        batch_tokens: int,
        threads: int,
        chat: Mapping = MappingProxyType({}),
        gpus: int = 1,
    ):
        """Read tokenizer and settings of the model in `folder`; the first prompt that is asked loads the weights.

        `chat` are arguments of chat_templates.Chat. With several `gpus` the layers are spread over all that are
        visible.
        """
        torch.set_num_threads(threads)
        self.folder = folder
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.placement = "auto" if self.device == "cuda" and gpus > 1 else self.device
        self.batch_tokens = batch_tokens
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        self.dtype = (config.dtype or torch.float32) if dtype == "auto" else getattr(torch, dtype)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, padding_side="left")
        if self.tokenizer.pad_token is None:
            # Padding is masked out; any token serves, and adding one would resize the embeddings.
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.chat = Chat(self.tokenizer, folder, **chat)
        self.digest_settings = f"greedy,{self.dtype}{self.chat.digest}"

    @cached_property
    def model(self) -> PreTrainedModel:
        """The weights, from safetensors, never running code that came with them."""
        how = {"dtype": self.dtype, "use_safetensors": True, "trust_remote_code": False, "device_map": self.placement}
        try:
            model, said = AutoModelForCausalLM.from_pretrained(self.folder, output_loading_info=True, **how)
        except SafetensorError as error:
            raise JudgemergeError(
                f"{self.folder}: the weights cannot be read ({error}); delete model and manifest, and make it again"
            ) from None
        if missing := sorted(said["missing_keys"]):  # these were drawn at random
            raise JudgemergeError(architectures.incomplete(self.folder, missing))
        model.eval()
        # A sampling setting shipped with a model would only print warnings: decoding is greedy here.
        model.generation_config.temperature = None
        model.generation_config.top_p = None
        model.generation_config.top_k = None
        decoding.quicken(model)
        return model

    def prepare(self) -> None:
        """Load the weights."""
        _ = self.model

    @cached_property
    def stop(self) -> list[int]:
        """Every token that ends a turn."""
        return self.chat.turn_ends

    def render(self, messages: list[dict[str, str]]) -> str:
        """Return the text the model reads, generation prompt included."""
        return self.chat.render(messages)

    def counts(self, texts: list[str]) -> list[int]:
        """Return the number of tokens of each text."""
        if not texts:
            return []
        return [len(ids) for ids in self.tokenizer(texts, add_special_tokens=False)["input_ids"]]

    def complete(
        self,
        texts: list[str],
        parameters: GenerationParameters,
        skip: Collection[int] = (),
        seeds: Sequence[int] = (),
    ) -> Iterator[list[tuple[int, Completion]]]:
        """Yield batches of (index into `texts`, completion), longest prompts first so that memory fails early if at
        all.

        Batches are formed over all texts before those in `skip` are left out: a resumed run gets the same batches.
        """
        rows = self._tokens(texts)
        prefix, groups = self._shared(rows, [1] * len(rows))
        reader = self._reader(rows, prefix)
        for whole_batch in batching.batches(rows, groups, self.batch_tokens, parameters.max_new_tokens):
            batch = batching.without(whole_batch, skip)
            if not batch:
                continue
            order = [index for group in batch for index in group.rows]
            replies = self._reply(reader, batch, order, parameters, [seeds[index] for index in order] if seeds else [])
            completions = [self._completion(ids, len(rows[index])) for index, ids in zip(order, replies, strict=True)]
            yield list(zip(order, completions, strict=True))

    def write(self, text: str, parameters: GenerationParameters, tell: Tell) -> Completion:
        """Return the reply to one text, and tell what there is of it after every token."""
        rows = self._tokens([text])
        prefix, batch = self._shared(rows, [1])
        reader = self._reader(rows, prefix)
        seeds = [] if parameters.is_greedy else [parameters.seed]
        (ids,) = self._reply(reader, batch, [0], parameters, seeds, lambda ids: tell(self.chat.so_far(ids)))
        return self._completion(ids, len(rows[0]))

    def _reply(
        self,
        reader: decoding.Reader | packing.PackedReader,
        batch: list[batching.Group],
        order: list[int],
        parameters: GenerationParameters,
        seeds: list[int],
        tell: Callable[[list[int]], None] | None = None,
    ) -> list[list[int]]:
        """Return the tokens of one batch's replies; torch's generators are left as they were."""
        n_new, samples = parameters.max_new_tokens, not parameters.is_greedy
        choose = Sampler(parameters, seeds) if samples else decoding.greedy
        choose = decoding.overheard(choose, tell) if tell else choose
        choose = decoding.checked(choose, not_finite(self.folder, str(self.dtype)))
        with torch.random.fork_rng(enabled=samples):
            if samples and not seeds:
                torch.manual_seed((parameters.seed << 20) + min(order))
            if self.forgets:
                rows = [reader.rows[index] for index in order]
                return decoding.reply_by_generate(self.model, rows, n_new, self.stop, choose)
            return decoding.reply(reader, batch, n_new, self.stop, choose)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []

    def _shared(self, rows: list[list[int]], tails: list[int]) -> tuple[int, list[batching.Group]]:
        """Return how many tokens all rows begin with, and groups of rows that share more."""
        if not self.reuse_prefix or self.forgets:
            return 0, batching.single_rows(rows, tails)
        prefix = batching.shared_by_all(rows, tails)
        return prefix, batching.groups(rows, tails, prefix, self.batch_tokens)

    def _reader(self, rows: list[list[int]], prefix: int) -> decoding.Reader | packing.PackedReader:
        """Return what reads rows, of which all begin with the same `prefix` tokens."""
        if self.packs:
            return packing.PackedReader(self.model, rows, prefix, self.reuse_prefix)
        return decoding.Reader(self.model, rows, prefix, caching=not self.forgets)

    @cached_property
    def packs(self) -> bool:
        """Whether prompts are read without padding: on a CPU, by a model that can."""
        is_grouped = self.model.config._attn_implementation == decoding.GROUPED
        return is_grouped and not self.forgets and packing.packs(self.model)

    @cached_property
    def forgets(self) -> bool:
        """Whether some layer does not attend to everything before, or has no attention; unknown kinds count as such."""
        settings = self.model.config.get_text_config()
        if layer_types := getattr(settings, "layer_types", None):
            return set(layer_types) != {"full_attention"}
        return bool(getattr(settings, "sliding_window", None)) or not hasattr(settings, "num_attention_heads")

    def continuation(self, messages: list[dict[str, str]], reply: str) -> str:
        """Return what follows `render(messages)` when the assistant answers `reply`, the end of its turn included."""
        return self.chat.continuation(messages, reply)

    def score(
        self, questions: list[tuple[str, tuple[str, ...]]], skip: Collection[int] = ()
    ) -> Iterator[list[tuple[int, Completion]]]:
        """Yield batches of (index into `questions`, completion) for texts and what may follow each of them.

        A completion's text is JSON {"logprobs": [sum of the log-probabilities of its tokens, per continuation],
        "tokens": [their number]}. Text and continuation are tokenized apart, as in training. Continuations of one
        token take a single pass over the text. Batches are formed over all questions, then those in `skip` left out.
        """
        open_questions = [Question(self._ids(text), list(map(self._ids, options))) for text, options in questions]
        passes = [(number, row) for number, one in enumerate(open_questions) for row in one.passes()]
        rows = [row for _, row in passes]
        tails = [len(row) - len(open_questions[number].text) + 1 for number, row in passes]
        prefix, groups = self._shared(rows, tails)
        reader = self._reader(rows, prefix)
        skipped = {place for place, (number, _) in enumerate(passes) if number in skip}
        for whole_batch in batching.batches(rows, groups, self.batch_tokens, 0):
            completions = []
            for ends in reader.tail_logits(batching.without(whole_batch, skipped), tails):
                for place, logits in ends:
                    number, row = passes[place]
                    question = open_questions[number]
                    question.take(row, logits)
                    if question.is_done:
                        if not question.is_finite:
                            raise not_finite(self.folder, str(self.dtype))
                        completions.append((number, question.completion()))
            if completions:
                yield completions

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _completion(self, ids: list[int], n_prompt: int) -> Completion:
        text, n_tokens, finish_reason = self.chat.reply(ids)
        return Completion(text, n_prompt, n_tokens, finish_reason)


class Sampler:
    """Chooses tokens at random, in the order of transformers' own sampling: penalty, temperature, top-p, min-p.

    With seeds, one per row, every row has a generator of its own, and does not depend on the batch: the largest logit +
    Gumbel noise is a draw from the softmax (Maddison et al. 2014, arXiv:1411.0030). Without, torch's global one draws.
    """

    def __init__(self, parameters: GenerationParameters, seeds: Sequence[int] = ()):
        """Generators are on the CPU, so that every device draws alike."""
        self.steps = LogitsProcessorList()
        if parameters.repetition_penalty != 1:
            self.steps.append(RepetitionPenaltyLogitsProcessor(parameters.repetition_penalty))
        if parameters.temperature != 1:
            self.steps.append(TemperatureLogitsWarper(parameters.temperature))
        if parameters.top_p < 1:
            self.steps.append(TopPLogitsWarper(parameters.top_p))
        if parameters.min_p:
            self.steps.append(MinPLogitsWarper(parameters.min_p))
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, ids: torch.Tensor, logits: torch.Tensor, numbers: Sequence[int]) -> torch.Tensor:
        """Return the next token of every row; `numbers` says which generators are theirs."""
        scores = self.steps(ids, logits.float())
        if not self.generators:
            return torch.multinomial(scores.softmax(dim=-1), 1).flatten()
        noises = [torch.empty(scores.shape[1]).exponential_(generator=self.generators[n]) for n in numbers]
        # An exact 0 would be infinite noise, which turns a forbidden token (−inf) into NaN.
        noise = torch.stack(noises).clamp_(min=torch.finfo(torch.float32).tiny).log()
        return (scores - noise.to(scores.device)).argmax(dim=-1)
