"""A model as the page asks it: at a temperature of somebody's choice, its replies told while they are written."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from judgemerge.core import files
from judgemerge.judge.backends import SAMPLING, Backend, Batch, GenerationParameters

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
