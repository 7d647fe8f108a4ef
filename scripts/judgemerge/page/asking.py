"""A model as the page asks it: at a temperature of somebody's choice, its replies told while they are written."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from judgemerge.core import files
from judgemerge.judge import streaming
from judgemerge.judge.backends import SAMPLING, Backend, Batch, GenerationParameters
from judgemerge.judge.streaming import Fault, Record, Result
from judgemerge.page import criteria, overlap
from judgemerge.page.results import Judged
from judgemerge.prompting.prompts import Template

Told = Callable[[int, str], None]  # the number of a prompt, what there is of its reply


@dataclass(frozen=True)
class Manner:
    """How replies come about; at temperature 0 the likeliest token is always taken."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 1

    def parameters(self, base: GenerationParameters, text: str) -> GenerationParameters:
        """Return how the reply to a text is generated: every text has a seed of its own."""
        if self.temperature == 0:
            return base
        seed = int(files.sha256_text(str(self.seed), text)[:8], 16)
        return replace(base, temperature=self.temperature, top_p=self.top_p, seed=seed)


class Asked:
    """A backend that stands in for another one: the same prompts, the manner of the page.

    With `tell` prompts are asked one after the other, and every reply is told as it grows; without, they are asked in
    batches, which is faster.
    """

    def __init__(self, backend: Backend, manner: Manner, tell: Told | None = None):
        self.backend, self.manner, self.tell = backend, manner, tell

    def __getattr__(self, name: str):
        """Be the other backend in all but `complete`."""
        return getattr(self.backend, name)

    def complete(
        self,
        texts: list[str],
        parameters: GenerationParameters,
        skip: Collection[int] = (),
        seeds: Sequence[int] = (),
    ) -> Iterator[Batch]:
        """Yield the replies; `seeds` are those of the manner."""
        own = [self.manner.parameters(parameters, text) for text in texts]
        if self.tell is None and (own[0].is_greedy or SAMPLING in self.backend.abilities):
            seeds = [] if own[0].is_greedy else [one.seed for one in own]
            yield from self.backend.complete(texts, own[0], skip, seeds)
            return
        for index, text in enumerate(texts):
            if index not in skip:
                tell = partial(self.tell, index) if self.tell else _unheard
                yield [(index, self.backend.write(text, own[index], tell))]


def _unheard(text: str) -> None:
    """Hear nothing."""


class Settings(NamedTuple):
    """What a person has chosen at the side."""

    template: Template
    chosen: list[str]  # criteria
    category: str | None
    always: bool  # the category, also for records that name one
    manner: Manner
    orders: tuple[str, ...] | None
    watches: bool
    wants_overlap: bool

    def about(self) -> dict[str, Any]:
        """Return what stands in downloaded files."""
        drawn = {"temperature": self.manner.temperature, "top_p": self.manner.top_p, "seed": self.manner.seed}
        return {
            "prompt": self.template.name,
            **(drawn if self.manner.temperature else {"temperature": 0}),
            **({"criteria": self.chosen} if self.chosen else {}),
            **({"category": self.category} if self.category else {}),
            **({"orders": list(self.orders)} if self.orders else {}),
        }


def prepared(record: Record, settings: Settings) -> Record:
    """Return a record with the category that it is judged by."""
    fallback = next(iter(sorted(settings.template.criteria)), None) if settings.chosen else None
    return criteria.with_category(record, settings.category or fallback, settings.always)


def judged(
    records: Sequence[Record], settings: Settings, backend: Backend, max_prompt_tokens: int, tell: Told | None
) -> list[Judged]:
    """Return what came of records; `tell` hears replies as they are written."""
    ready = [prepared(record, settings) for record in records]
    template = criteria.with_criteria(settings.template, settings.chosen, criteria.categories_of(ready))
    judge = streaming.Judge(backend, template, max_prompt_tokens, settings.orders)
    judge.backend = Asked(backend, settings.manner, tell)
    pairs = zip(records, judge.answer(ready), strict=True)
    return [Judged(record, result, _overlaps(record, result, settings)) for record, result in pairs]


def _overlaps(record: Record, result: Result | Fault, settings: Settings) -> list[Mapping[str, float | None]]:
    """Return the overlap of every answer with the reference answer, where both are there and somebody wants it."""
    reference = criteria.reference_of(record) if settings.wants_overlap and isinstance(result, Result) else None
    if reference is None:
        return []
    item = streaming.read_item(record, settings.template)
    return [overlap.overlap(response[-1], reference) for response in item.responses]
