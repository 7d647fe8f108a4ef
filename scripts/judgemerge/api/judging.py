"""A judge in one line of Python, and what became of what it judged.

    from judgemerge import Judge
    judged = Judge("models/judge", prompt="plain_pairwise").compare([{"prompt": …, "response_a": …, "response_b": …}])

Records, prompts and results are those of `judgemerge judge` (docs/judging.md); both ask through judge/streaming.py.
"""

import dataclasses
import gc
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Verdict, Vote
from judgemerge.core.places import catalogue_folder
from judgemerge.data.benchmarks._rows import cluster_of, majority
from judgemerge.data.loose_votes import people_of
from judgemerge.judge import streaming
from judgemerge.judge.backends import DEFAULT, Backend
from judgemerge.judge.interpreters import missing
from judgemerge.judge.streaming import Fault, OrderResult, Record, Result
from judgemerge.prompting import chat_templates
from judgemerge.prompting.prompts import Template
from judgemerge.prompting.rubric_metrics import Metric

DEFAULT_PROMPTS = ("plain_pairwise", "plain_pointwise")
METHODS = {"pairwise": "compare", "pointwise": "grade"}
ANSWERS = "judged"  # the key under which results stand beside the fields of a record
Orders = Literal["both", "original", "swapped"]


@dataclass(frozen=True)
class Judged:
    """What one judge made of some records, in their order.

    `results` has a `Result` per record, or a `Fault` that says why it could not be read. Iterating gives the results.
    A record of a file that is no object is empty here.
    """

    judge: str
    protocol: str
    records: tuple[Mapping[str, Any], ...]
    results: tuple[Result | Fault, ...]
    items: tuple[Item | None, ...]

    def __iter__(self) -> Iterator[Result | Fault]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    @property
    def outcomes(self) -> list[str | float | None]:
        """Per record the verdict that both orders agree in (`first`, `second`, `tie`), or the grade; None if none."""
        return [
            None if isinstance(one, Fault) else one.verdict if self.protocol == "pairwise" else one.score
            for one in self.results
        ]

    @property
    def n(self) -> int:
        """How many records were judged: those that could be read."""
        return sum(isinstance(one, Result) for one in self.results)

    @property
    def errors(self) -> int:
        """How many verdicts could not be read, over all orders; an unreadable reply is an error and never a tie."""
        return sum(order.outcome == "error" for one in self.results if isinstance(one, Result) for order in one.orders)

    @property
    def faults(self) -> list[Fault]:
        """The records that could not be judged, and why."""
        return [one for one in self.results if isinstance(one, Fault)]

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdicts on `labelled_items`, one per order, in the order of the record."""
        named = zip(self.results, numbered(self.items), strict=True)
        return [
            _verdict(item.id, order) for one, item in named if item and isinstance(one, Result) for order in one.orders
        ]

    @property
    def labelled_items(self) -> list[Item]:
        """The records that could be read as items, with what people said of them (data/loose_votes.py)."""
        return [item for item in numbered(self.items) if item]

    def rows(self) -> list[dict[str, Any]]:
        """Return every record with all its fields, and under `judged` what this judge said of it."""
        return [beside(record, {self.judge: one}) for record, one in zip(self.records, self.results, strict=True)]


def numbered(items: Sequence[Item | None]) -> list[Item | None]:
    """Return items with their place, from 1, as id: ids of records need not be unique."""
    return [item and dataclasses.replace(item, id=str(number)) for number, item in enumerate(items, 1)]


def beside(record: Mapping[str, Any], by_judge: Mapping[str, Result | Fault]) -> dict[str, Any]:
    """Return a record with all its fields, and what judges said of it beside what earlier ones did."""
    earlier = record.get(ANSWERS)
    said = {judge: {key: value for key, value in one.row().items() if key != "id"} for judge, one in by_judge.items()}
    return {**record, ANSWERS: {**(earlier if isinstance(earlier, Mapping) else {}), **said}}


def _verdict(item: str, order: OrderResult) -> Verdict:
    cut = None if order.finish_reason is None else order.finish_reason == "length"
    return Verdict(item, order.order, order.outcome, order.score, order.reason, cut=cut)


class Judge:
    """One model that judges: a model folder, a .gguf file, or the address of an endpoint (http…).

    Args:
        model: what judges.
        prompt: a name of config/prompts or a YAML file; plain_pairwise and plain_pointwise unless given.
        backend: of a model folder: transformers (the default) or vllm.
        metric: what `rubric_*` prompts grade by, a name of config/metrics or a file.
        name: what the judge is called in tables; the last part of `model` unless given.
        endpoint: of an address, the name of the model there; `api_key` its key, `endpoint_settings` what is sent with
            every request.
        tokenizer: of a .gguf file, the folder with its tokenizer, when it lies elsewhere.
        max_prompt_tokens: longer prompts are errors (`prompt_too_long`); nothing is cut.
        batch_tokens: how many tokens are read at a time: the memory knob.
        threads: of the CPU; all unless given.
        dtype: of the weights: auto, float32, float16 or bfloat16.
        chat_template, template_arguments, date: how the model's chat template is used, as in a study.
        sources: folder of raw files that a prompt takes texts from.

    The model is loaded with the first question and kept; use it as a context manager, or `close` it, to let go of it.
    Raises JudgemergeError, with one sentence, for whatever cannot be right.
    """

    def __init__(
        self,
        model: str | Path,
        prompt: str | Path | None = None,
        backend: str | None = None,
        *,
        metric: str | None = None,
        name: str | None = None,
        endpoint: str | None = None,
        api_key: str | None = None,
        endpoint_settings: Mapping[str, Any] | None = None,
        tokenizer: str | Path | None = None,
        max_prompt_tokens: int = 4096,
        batch_tokens: int = 16384,
        threads: int | None = None,
        dtype: str = "auto",
        chat_template: str | None = None,
        template_arguments: Mapping[str, Any] | None = None,
        date: str = chat_templates.DATE,
        sources: str | Path | None = None,
    ):
        self.model, self.name = str(model), name or endpoint or Path(str(model)).stem or str(model)
        self._sources = sources
        self._metric = metric
        prompts = [self._find_template(one) for one in (DEFAULT_PROMPTS if prompt is None else [str(prompt)])]
        self._templates = {template.protocol: template for template in prompts}
        if metric and prompt is None:
            raise JudgemergeError(f"metric '{metric}' needs a prompt that shows it; give prompt='rubric_pointwise'")
        self._find_metric(prompts[0])
        chat = {"chat_template": chat_template, "template_arguments": template_arguments, "date": date}
        given = {
            "backend": backend, "name": endpoint, "api_key": api_key, "endpoint_settings": endpoint_settings,
            "tokenizer": None if tokenizer is None else str(tokenizer), "dtype": dtype, "batch_tokens": batch_tokens,
            "max_prompt_tokens": max_prompt_tokens, "threads": threads or os.cpu_count() or 1,
        }  # fmt: skip
        self._settings: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        self._settings["chat"] = {key: value for key, value in chat.items() if value is not None}
        self._backend: Backend | None = None
        self._scratch: tempfile.TemporaryDirectory | None = None

    def __enter__(self) -> "Judge":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the model; the next question loads it again."""
        self._backend = None
        gc.collect()  # a model is held by circles, and the next one may need its memory
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def grade(self, items: Iterable[Mapping[str, Any]], progress: bool = False) -> Judged:
        """Return the grades of single answers: records with `prompt` and `response`, and what else the prompt shows."""
        return self.judge(items, "pointwise", progress=progress)

    def compare(self, pairs: Iterable[Mapping[str, Any]], orders: Orders = "both", progress: bool = False) -> Judged:
        """Return the verdicts on pairs: records with `prompt`, `response_a` and `response_b`; asked in both orders."""
        return self.judge(pairs, "pairwise", orders, progress)

    def judge(
        self,
        records: Iterable[Mapping[str, Any]],
        protocol: str | None = None,
        orders: Orders = "both",
        progress: bool = False,
    ) -> Judged:
        """Return what becomes of records, for the protocol of the prompt; `progress` shows a bar on standard error."""
        lines = [_line(number, record) for number, record in enumerate(records, 1)]
        return self.judge_lines(lines, protocol, orders, progress)

    def judge_lines(
        self,
        lines: Sequence[Record],
        protocol: str | None = None,
        orders: Orders = "both",
        progress: bool = False,
    ) -> Judged:
        """Return what becomes of records as `streaming.split` reads them from a file; as `judge` does."""
        template, longest = self.template(protocol), self._settings["max_prompt_tokens"]
        shown = None if orders == "both" else (orders,)
        judge = streaming.Judge(self.backend(), template, longest, shown, self._find_metric(template))
        results = judge.answer(list(lines), **({"progress": _bar(self.name)} if progress else {}))
        values = [streaming.parsed(line.text)[0] if line.fault is None else None for line in lines]
        records = tuple(value if isinstance(value, dict) else {} for value in values)
        items = tuple(item_of(line, template) for line in lines)
        return Judged(self.name, template.protocol, records, tuple(results), items)

    def template(self, protocol: str | None = None) -> Template:
        """Return the prompt for a protocol; one that was given for the other protocol is refused."""
        first = next(iter(self._templates.values()))
        if (protocol or first.protocol) not in self._templates:
            method = METHODS[first.protocol]
            raise JudgemergeError(f"prompt '{first.name}' is {first.protocol}; call {method}, or give another prompt")
        return self._templates[protocol or first.protocol]

    def _find_template(self, prompt: str) -> Template:
        return streaming.find_template(prompt, catalogue_folder() / "prompts", self._sources)

    def _find_metric(self, template: Template) -> Metric | None:
        return streaming.find_metric(self._metric, template, catalogue_folder() / "metrics")

    def backend(self) -> Backend:
        """Return the backend, opened at first use."""
        if self._backend is None:
            if reason := missing(self._settings.get("backend", DEFAULT)):
                raise JudgemergeError(f"judge '{self.name}' needs {reason}")
            self._scratch = tempfile.TemporaryDirectory()
            longest = max(template.max_new_tokens for template in self._templates.values())
            settings = {**self._settings, "max_new_tokens": longest}
            self._backend = streaming.open_model(self.model, settings, self._scratch.name)
        return self._backend


def _line(number: int, record: Mapping[str, Any]) -> Record:
    """Return a record of Python as one of the stream; what JSON cannot hold is a fault of that record."""
    try:
        return Record(number, json.dumps(record, ensure_ascii=False))
    except (TypeError, ValueError) as error:
        return Record(number, "", f"this cannot be written as JSON ({error})")


def _bar(name: str):
    from tqdm import tqdm

    bar = tqdm(desc=name, unit="reply")

    def show(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return show


def item_of(record: Record, template: Template) -> Item | None:
    """Return a record as an item with what people said of it, None where it cannot be read."""
    try:
        item = streaming.read_item(record, template)
    except streaming.BadRecord:
        return None
    people = people_of(streaming.parsed(record.text)[0], item.protocol)
    truth = truth_of(people.votes, item.protocol) if people.truth is None else people.truth
    return dataclasses.replace(item, cluster=cluster_of(item.turns[0]), votes=people.votes, truth=truth)


def truth_of(votes: Sequence[Vote], protocol: str) -> str | float | None:
    """Return the majority of votes (an even split is a tie), or the mean of grades; None where nobody voted."""
    if not votes:
        return None
    return majority(votes) if protocol == "pairwise" else sum(one.vote for one in votes) / len(votes)
