"""Replies that are drawn instead of decoded greedily: several runs, and bounded redraws of replies that cannot be read.

Off by default. Prometheus samples at temperature 1.0, three runs for grades, and draws unread replies again (published:
up to 5 or 10 times), which hides how often a judge fails; here redraws are bounded by `judging.retries` and counted.
Every run and every redraw has a key of its own in the store, made of the prompt's, so that none is drawn twice.
The seed of a batch follows from the study's, the run, the draw and the prompts of the batch: the same study gives the
same replies on the same machine, but a prompt in another batch may get another one.
"""

import dataclasses
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Verdict
from judgemerge.judge import judging
from judgemerge.judge.backends import Draw
from judgemerge.prompting import parsing, prompts

RUN, DRAWS = "run", "draws"


@dataclass(frozen=True)
class Sampling:
    """How replies are drawn: `judging.sampling` and `judging.retries` of a study; temperature 0 is greedy."""

    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    runs: int = 1
    seed: int = 42
    retries: int = 0

    @property
    def is_on(self) -> bool:
        """Whether anything is drawn."""
        return self.temperature > 0

    def key(self, prompt: str, run: int, attempt: int) -> str:
        """Return the key of one draw of a prompt."""
        how = f"{self.temperature},{self.top_p},{self.repetition_penalty},{self.seed}"
        return files.sha256_text(prompt, how, f"run {run}", f"draw {attempt}")


GREEDY = Sampling()


def of(settings: Mapping) -> Sampling:
    """Return the sampling of a study's `judging` settings."""
    return Sampling(**settings["sampling"], retries=settings["retries"])


def check(study) -> None:
    """Refuse runs and redraws of greedy replies, which would all be the same."""
    sampling = of(study.settings["judging"])
    if sampling.temperature == 0 and (sampling.runs > 1 or sampling.retries):
        key = "sampling.runs" if sampling.runs > 1 else "retries"
        raise JudgemergeError(
            f"{study.where}: judging.{key} asks for several draws of greedy replies, which are all the same; "
            "set judging.sampling.temperature above 0"
        )


class _Drawing:
    """A backend that draws; the rest of it is the backend's own."""

    def __init__(self, backend, sampling: Sampling, run: int, attempt: int):
        self._backend, self._sampling, self._part = backend, sampling, f"{run}/{attempt}"

    def __getattr__(self, name: str):
        return getattr(self._backend, name)

    def complete(self, texts: list[str], max_new_tokens: int, skip: Iterable[int] = ()) -> Iterator:
        """Yield batches as the backend does, drawn with the seed of this run and draw."""
        how = self._sampling
        seed = int(files.sha256_text(str(how.seed), self._part)[:8], 16)
        draw = Draw(how.temperature, how.top_p, how.repetition_penalty, seed)
        return self._backend.complete(texts, max_new_tokens, skip, draw=draw)


def replies(
    asks: Sequence[judging.Ask],
    limits: Mapping[str, int],
    items: Iterable[Item],
    templates: Mapping[str, prompts.Template],
    backend,
    store: judging.Store,
    sampling: Sampling,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[dict]:
    """Yield the reply rows of all runs, each with its `run` (from 1) and its `draws` (1 when the first one was read).

    Grades are drawn in every run, pairs in the first alone. Raises JudgemergeError for a backend that cannot draw.
    """
    if not getattr(backend, "draws", False):
        raise JudgemergeError("judging.sampling: this backend decodes greedily; use backend transformers")
    protocols = {item.benchmark: item.protocol for item in items}
    for run in range(1, sampling.runs + 1):
        chosen = [ask for ask in asks if run == 1 or protocols[ask.benchmark] == "pointwise"]
        final, n_draws = list(chosen), [1] * len(chosen)
        waiting = [index for index, ask in enumerate(chosen) if ask.key and not ask.options]
        judging.answer([ask for ask in chosen if ask.options], dict(limits), backend, store)
        for attempt in range(sampling.retries + 1):
            keyed = {
                index: dataclasses.replace(chosen[index], key=sampling.key(chosen[index].key, run, attempt))
                for index in waiting
            }
            new_limits = {ask.key: limits[chosen[index].key] for index, ask in keyed.items()}
            judging.answer(list(keyed.values()), new_limits, _Drawing(backend, sampling, run, attempt), store, progress)
            for index, ask in keyed.items():
                final[index], n_draws[index] = ask, attempt + 1
            by_benchmark = {benchmark: templates[protocol] for benchmark, protocol in protocols.items()}
            waiting = [index for index, ask in keyed.items() if _is_unread(ask, store, by_benchmark[ask.benchmark])]
            if not waiting:
                break
        for row, n in zip(judging.replies(final, store), n_draws, strict=True):
            yield {**row, RUN: run, DRAWS: n}


def _is_unread(ask: judging.Ask, store: judging.Store, template: prompts.Template) -> bool:
    known = store.replies.get(ask.key)
    if known is None:  # a failure of the backend is not the judge's
        return False
    (row,) = judging.replies([ask], store)
    return parsing.parse_row(row, template.reply).outcome == "error"


def by_run(rows: Iterable[Mapping], settings: Mapping) -> dict[int, list[Verdict]]:
    """Return the verdicts of each run in reply rows; a row without `run` belongs to run 1."""
    runs: dict[int, list[Verdict]] = {}
    for row in rows:
        verdict = parsing.parse_row(row, settings)
        runs.setdefault(row.get(RUN, 1), []).append(verdict)
    return runs


def combine(runs: Mapping[int, Sequence[Verdict]]) -> Iterator[Verdict]:
    """Yield one verdict per item and order: of grades the mean over the runs that were read, of pairs the first run's.

    An item is an error when no run of it was read; the reason is the first run's. Beside a mean stands the first run's
    grade, or that it was not read, as `published`: papers that draw several runs count exact hits of the first.
    """
    scores: dict[str, list[float]] = {}
    for verdicts in runs.values():
        for verdict in verdicts:
            if verdict.score is not None:
                scores.setdefault(verdict.item, []).append(verdict.score)
    for verdict in runs.get(1, ()):
        if len(runs) > 1 and verdict.item in scores:
            mean = statistics.fmean(scores[verdict.item])
            first = "error" if verdict.score is None else verdict.score
            yield Verdict(verdict.item, verdict.order, "score", score=mean, cut=verdict.cut, published=first)
        else:
            yield verdict
