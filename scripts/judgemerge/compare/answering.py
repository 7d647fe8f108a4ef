"""Answers of a model to the questions of an item set, as the material that judges compare (answer_judging.py).

Greedy, or drawn with a seed per question and draw, so that an answer depends on its question and not on what else was
asked in the same batch. Answers are kept in the store of the model's weights as they come: a killed run goes on, and
the same question is never answered twice with the same settings. Of the time of a batch every answer gets an equal
share; time for loading the weights is not counted.
"""

import dataclasses
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from judgemerge.core import files, models, provenance
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, read_items
from judgemerge.core.logs import Progress as LoggedProgress
from judgemerge.judge import backends
from judgemerge.judge.backends import SAMPLING, Backend, GenerationParameters
from judgemerge.judge.requests import Progress, Request, ask, no_progress, without_long
from judgemerge.judge.store import Store
from judgemerge.prompting import parsing, rubric_metrics
from judgemerge.prompting.prompts import Unrenderable
from judgemerge.settings.comparisons import Generation

Unit = tuple[str, int]  # question, draw


class Question(NamedTuple):
    """What a request for an answer is about: a question, and which of several samples the answer is."""

    question: str
    sample: int
    seed: int


class Answer(NamedTuple):
    """One answer; `text` is None exactly when `reason` says why. `seconds` is its share of the time of its batch."""

    question: str
    sample: int
    seed: int
    text: str | None
    reason: str | None = None
    prompt_tokens: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    batch: int | None = None


@dataclasses.dataclass(frozen=True)
class Respondent:
    """A model that answers or judges: its folder (its manifest where its weights are elsewhere), manifest and settings.

    `endpoint` is where it is asked over the network, `api_key` the key for that.
    """

    model: str
    manifest: Mapping[str, Any]
    settings: Mapping[str, Any]
    endpoint: Mapping[str, Any] | None = None
    api_key: str | None = None

    @classmethod
    def at(
        cls,
        places: Sequence[str],
        settings: Mapping[str, Any],
        endpoint: Mapping[str, Any] | None,
        environment: Mapping[str, str],
        threads: int,
        resources: Mapping[str, int],
    ) -> "Respondent":
        """Return the respondent of a job; the first of `places` is the model, the last its manifest.

        The key of an endpoint comes from the environment variable that it names.
        """
        limits = {"threads": threads, "batch_tokens": resources["batch_tokens"], "gpus": resources.get("judge_gpus", 0)}
        variable = endpoint and endpoint.get("api_key_variable")
        key = environment.get(variable) if variable else None
        return cls(places[0], models.described(places[0], places[-1]), {**settings, **limits}, endpoint, key)

    @property
    def digest(self) -> str:
        """What its replies are stored under."""
        return self.manifest["digest"]

    @property
    def max_prompt_tokens(self) -> int:
        """The longest prompt that is asked; an endpoint says itself what is too long."""
        return sys.maxsize if self.endpoint else self.settings["max_prompt_tokens"]

    def backend(self, max_new_tokens: int) -> Backend:
        """Return the backend that gives replies of at most so many tokens."""
        if self.endpoint:
            return backends.load("openai", self.model, {**self.endpoint, "api_key": self.api_key})
        return backends.load(self.backend_name, self.model, {**self.settings, "max_new_tokens": max_new_tokens})

    @property
    def backend_name(self) -> str:
        """The backend that gives its replies."""
        return "openai" if self.endpoint else backends.of(self.manifest, self.settings.get("backend", backends.DEFAULT))

    def store(self, folder: str, user: str) -> Store:
        """Return the store of its replies, as one user of it."""
        return Store.of_model(Path(folder, self.digest[:16]), user)


def parameters(generation: Generation) -> GenerationParameters:
    """Return how answers are generated."""
    names = (field.name for field in dataclasses.fields(generation) if field.name != "samples")
    return GenerationParameters(**{name: getattr(generation, name) for name in names})


def seed_of(generation: GenerationParameters, question: str, sample: int) -> int:
    """Return the seed of one sample; both models of a comparison get the same."""
    return int(files.sha256_text(str(generation.seed), question, str(sample))[:8], 16)


def _key(generation: GenerationParameters) -> str:
    """Return what decides an answer besides model, question and seed."""
    if generation.is_greedy:
        return f"answer,greedy,{generation.max_new_tokens}"
    return f"answer,{generation.temperature},{generation.top_p},{generation.min_p},{generation.max_new_tokens}"


def messages(item: Item) -> list[dict[str, str]]:
    """Return the conversation that a model is to go on with; raises Unrenderable (`no_shared_history`)."""
    system = item.extra.get("system")
    talk = [{"role": "system", "content": system}] if system else []
    for turn, answer in zip(item.turns, (*rubric_metrics.history(item), None), strict=True):
        talk.append({"role": "user", "content": turn})
        talk += [{"role": "assistant", "content": answer}] if answer is not None else []
    return talk


def plan(
    items: Iterable[Item], generation: GenerationParameters, backend: Backend, max_prompt_tokens: int, samples: int = 1
) -> list[Request]:
    """Return what to ask for every question and sample; a question that is too long is not cut and not asked."""
    requests: list[Request] = []
    for item in items:
        for sample in range(samples):
            about = Question(item.id, sample, seed_of(generation, item.id, sample))
            try:
                text = backend.render(messages(item))
            except Unrenderable as reason:
                requests.append(Request(about, None, reason=str(reason)))
                continue
            seed = None if generation.is_greedy else about.seed
            seeds = () if seed is None else (str(seed),)
            key = files.sha256_text(text, backend.digest_settings, _key(generation), *seeds)
            requests.append(Request(about, key, text, generation, seed=seed))
    return without_long(requests, backend, max_prompt_tokens)


def generate(requests: Sequence[Request], backend: Backend, store: Store, progress: Progress = no_progress) -> int:
    """Ask what the store does not hold yet; return how many answers were made now.

    Raises JudgemergeError for a backend that cannot sample.
    """
    samples = [one for one in requests if one.key and one.key not in store.replies and not one.parameters.is_greedy]
    if samples and SAMPLING not in backend.abilities:
        raise JudgemergeError("generation.temperature: this backend answers greedily only; set it to 0")
    return ask(requests, backend, store, progress, with_seconds=True).n_new


def rows(requests: Iterable[Request], store: Store) -> Iterator[Answer]:
    """Yield the answers in the order asked."""
    for one in requests:
        stored = store.replies.get(one.key) if one.key else None
        if stored is None:
            yield Answer(*one.about, None, one.reason or store.failures.get(one.key, "no_reply"))
            continue
        # A thought is no part of the answer that judges are shown; one that never ended leaves no answer.
        text, unfinished = parsing.answer(parsing.opened_thought(one.text) + stored.text)
        numbers = (stored.prompt_tokens, stored.reply_tokens, stored.seconds, stored.batch)
        yield Answer(*one.about, None if unfinished else text, unfinished, *numbers)


def counts(answers: Sequence[Answer], max_new_tokens: int) -> dict:
    """Return what the answers hold: how many, how many empty or at the limit of tokens, failures by reason."""
    texts = [answer for answer in answers if answer.text is not None]
    return {
        "answers": len(texts),
        "empty": sum(not answer.text.strip() for answer in texts),
        "at_the_limit": sum(answer.tokens == max_new_tokens for answer in texts),
        "failures": dict(sorted(Counter(answer.reason for answer in answers if answer.reason).items())),
    }


def read_answers(path: str | Path) -> dict[Unit, Answer]:
    """Return the answers of one model by question and draw."""
    return {(row.question, row.sample): row for row in (Answer(**row) for row in files.read_jsonl(path))}


def answer_questions(
    respondent: Respondent, questions: str, generation: Generation, store: str, user: str, answers: str, record: str
) -> int:
    """Answer what the store does not hold yet, write all answers and how they were made; return how many were new."""
    how = parameters(generation)
    backend = respondent.backend(how.max_new_tokens)
    requests = plan(read_items(questions), how, backend, respondent.max_prompt_tokens, generation.samples)
    with respondent.store(store, user) as opened:
        n_new = generate(requests, backend, opened, LoggedProgress("answers"))
        every = list(rows(requests, opened))
    files.write_jsonl(answers, (answer._asdict() for answer in every))
    about = {
        "model": Path(answers).stem,
        "digest": respondent.digest,
        "questions": {"file": Path(questions).name, "sha256": files.sha256_file(questions)},
        "generation": generation.plain(),
        "settings": backend.digest_settings,
        **{name: respondent.settings[name] for name in ("threads", "batch_tokens")},
        "asked_now": n_new,
        **counts(every, how.max_new_tokens),
        "versions": provenance.versions(),
    }
    files.write_json(record, about)
    return n_new
