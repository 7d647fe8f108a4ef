"""Replies that are drawn instead of decoded greedily: several runs, and bounded redraws of replies that cannot be read.

Off by default. Prometheus samples at temperature 1.0, three runs for grades, and draws unread replies again (published:
up to 5 or 10 times), which hides how often a judge fails; here redraws are bounded by `judging.retries` and counted.
Every run and every redraw has a key of its own in the store, made of the prompt's, so that none is drawn twice.
The seed of a batch follows from the study's, the run, the draw and the prompts of the batch: the same study gives the
same replies on the same machine, but a prompt in another batch may get another one.
"""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from judgemerge.core import files, probabilities
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Verdict
from judgemerge.core.probabilities import Probabilities
from judgemerge.judge import judging
from judgemerge.judge.backends import SAMPLING, Backend, GenerationParameters
from judgemerge.judge.requests import Progress, Request, ask, no_progress
from judgemerge.judge.store import Store
from judgemerge.prompting import parsing, prompts
from judgemerge.prompting.parsers import ReplySettings
from judgemerge.prompting.parsing import Reply
from judgemerge.settings.judging import Judging


@dataclass(frozen=True)
class Sampling:
    """How often replies are sampled: `runs` times, and up to `retries` times more while a reply cannot be read."""

    parameters: GenerationParameters = GenerationParameters()
    runs: int = 1
    retries: int = 0

    @property
    def is_on(self) -> bool:
        """Whether anything is sampled."""
        return not self.parameters.is_greedy

    def request(self, request: Request, run: int, attempt: int) -> Request:
        """Return the request of one sample of a prompt; its key and the seed of its batch are its own."""
        base = self.parameters
        how = f"{base.temperature},{base.top_p},{base.repetition_penalty},{base.seed}"
        key = files.sha256_text(request.key, how, f"run {run}", f"draw {attempt}")
        seed = int(files.sha256_text(str(base.seed), f"{run}/{attempt}")[:8], 16)
        parameters = replace(base, max_new_tokens=request.parameters.max_new_tokens, seed=seed)
        return replace(request, key=key, parameters=parameters)


GREEDY = Sampling()


def from_settings(runs: int = 1, retries: int = 0, **parameters) -> Sampling:
    """Return the sampling of `judging.sampling` and `judging.retries` of a study."""
    return Sampling(GenerationParameters(**parameters), runs, retries)


def of(settings: Judging) -> Sampling:
    """Return the sampling of a study's `judging` settings."""
    return from_settings(**settings.sampling.plain(), retries=settings.retries)


@dataclass
class _Sample:
    """One reply to be had: the latest request for it, and how many there were."""

    prompt: Request
    run: int
    request: Request
    n_draws: int = 1


def replies(
    requests: Sequence[Request],
    items: Iterable[Item],
    templates: Mapping[str, prompts.Template],
    backend: Backend,
    store: Store,
    sampling: Sampling,
    progress: Progress = no_progress,
) -> Iterator[Reply]:
    """Yield the replies of all runs, each with its `run` (from 1) and its `draws` (1 when the first one was read).

    Grades are sampled in every run, pairs in the first alone. Raises JudgemergeError for a backend that cannot sample.
    """
    if SAMPLING not in backend.abilities:
        raise JudgemergeError("judging.sampling: this backend decodes greedily; use backend transformers or vllm")
    protocols = {item.benchmark: item.protocol for item in items}
    samples = [
        _Sample(request, run, request)
        for run in range(1, sampling.runs + 1)
        for request in requests
        if run == 1 or protocols[request.about.benchmark] == "pointwise"
    ]
    ask([one.prompt for one in samples if one.prompt.options], backend, store)
    waiting = [one for one in samples if one.prompt.key and not one.prompt.options]
    for attempt in range(sampling.retries + 1):
        for one in waiting:
            one.request, one.n_draws = sampling.request(one.prompt, one.run, attempt), attempt + 1
        ask([one.request for one in waiting], backend, store, progress)
        waiting = [
            one for one in waiting if _is_unread(one.request, store, templates[protocols[one.prompt.about.benchmark]])
        ]
        if not waiting:
            break
    for one, row in zip(samples, judging.replies([one.request for one in samples], store), strict=True):
        yield row._replace(run=one.run, draws=one.n_draws)


def _is_unread(request: Request, store: Store, template: prompts.Template) -> bool:
    if request.key not in store.replies:  # a failure of the backend is not the judge's
        return False
    (row,) = judging.replies([request], store)
    return parsing.parse_row(row, template.reply).outcome == "error"


def by_run(replies: Iterable[Reply], settings: ReplySettings) -> dict[int, list[Verdict]]:
    """Return the verdicts of each run; a reply without `run` belongs to run 1."""
    runs: dict[int, list[Verdict]] = {}
    for reply in replies:
        runs.setdefault(reply.run or 1, []).append(parsing.parse_row(reply, settings))
    return runs


def combine(runs: Mapping[int, Sequence[Verdict]]) -> Iterator[Verdict]:
    """Yield one verdict per item and order: of grades the mean over the runs that were read, of pairs the first run's.

    An item is an error when no run of it was read; the reason is the first run's. Beside a mean stands the first run's
    grade, or that it was not read, as `published`: papers that draw several runs count exact hits of the first.
    """
    scores: dict[str, list[float]] = {}
    shares: dict[str, list[Probabilities | None]] = {}
    for verdicts in runs.values():
        for verdict in verdicts:
            if verdict.score is not None:
                scores.setdefault(verdict.item, []).append(verdict.score)
                shares.setdefault(verdict.item, []).append(verdict.probabilities)
    for verdict in runs.get(1, ()):
        if len(runs) > 1 and verdict.item in scores:
            mean = statistics.fmean(scores[verdict.item])
            first = "error" if verdict.score is None else verdict.score
            of_grades = probabilities.mean(shares[verdict.item])
            yield Verdict(
                verdict.item,
                verdict.order,
                "score",
                score=mean,
                cut=verdict.cut,
                published=first,
                probabilities=of_grades,
            )
        else:
            yield verdict
