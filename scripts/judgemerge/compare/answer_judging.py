"""Two models compared by judges: the same questions, both answers judged in pairs (both orders) and singly by metrics.

A judge never learns which model wrote what: a pair is shown as A and B in both orders, an answer that is graded stands
alone. No person judged these answers, so there is no gold label, and nothing here says how good the judge is.

What a judge wrote is kept as replies; `results` reads them. In a pair `first` is the first model of the comparison, the
one that the other is compared with (the base).
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from judgemerge.compare.answering import Answer, Respondent, Unit, read_answers
from judgemerge.core import files, provenance
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, read_items, write_items
from judgemerge.core.items import sample as sample_of
from judgemerge.core.logs import Progress
from judgemerge.judge import judging
from judgemerge.judge.backends import Backend
from judgemerge.judge.requests import Request, ask
from judgemerge.prompting import parsing, prompts, rubric_metrics
from judgemerge.prompting.parsers import ReplySettings
from judgemerge.prompting.parsing import Reply
from judgemerge.prompting.rubric_metrics import Metric
from judgemerge.settings.comparisons import ModelComparison

PAIRS = "pairs"  # stands where a metric's name stands otherwise
NO_ANSWER = "no_answer"
LACKS = "lacks"  # in `extra`: the reason why an item cannot be shown

Answers = Mapping[str, Mapping[Unit, Answer]]  # by model


class JudgedAnswer(NamedTuple):
    """What one reply says of a pair (`preferred`: a model or `tie`) or of a single answer (`model`, `score`).

    `reason` says why it could not be read.
    """

    metric: str
    question: str
    sample: int
    order: str
    preferred: str | None = None
    model: str | None = None
    score: float | None = None
    reason: str | None = None
    reply: str | None = None

    def row(self) -> dict[str, Any]:
        """Return what is written of it."""
        foreign = ("model", "score") if self.metric == PAIRS else ("preferred",)
        return {name: value for name, value in self._asdict().items() if name not in foreign}


def read_results(path: str | Path) -> list[JudgedAnswer]:
    """Return what one judge said."""
    return [JudgedAnswer(**row) for row in files.read_jsonl(path)]


# ---- the questions ----


def select_questions(
    item_file: str,
    metric_files: Sequence[str],
    comparison: ModelComparison,
    categories: Mapping,
    seed: int,
    questions: str,
    record: str,
) -> int:
    """Draw the questions, refuse what no metric can be asked about, note what is lacking; return how many."""
    every = [prompts.with_category(item, categories) for item in read_items(item_file)]
    selected = sample_of(every, comparison.limit, seed) if comparison.limit else every
    metrics = list(map(rubric_metrics.load_metric, metric_files))
    lacking = check_questions(selected, metrics, comparison.inputs, comparison.empty_context)
    n_written = write_items(questions, selected)
    about = {"item_set": comparison.questions, "items": len(every), "questions": n_written, "seed": seed}
    files.write_json(record, about | {"ids": [item.id for item in selected], "lacking": lacking})
    for metric, reasons in lacking.items():
        for reason, n in reasons.items():
            print(f"metric {metric}: {n} of {n_written} questions are not judged ({reason})", file=sys.stderr)
    return n_written


def check_questions(
    items: Iterable[Item], metrics: Sequence[Metric], fields: Mapping[str, str], empty_context: bool
) -> dict[str, dict[str, int]]:
    """Return metric → reason → number of questions that lack a required input, before anything is answered.

    Raises JudgemergeError for an empty input, and for a metric that no question can be judged by.
    """
    items = list(items)
    lacking = {}
    for metric in metrics:
        reasons: Counter[str] = Counter()
        for item in items:
            try:
                rubric_metrics.input_values(metric, item, fields, empty_context)
            except prompts.Unrenderable as reason:
                reasons[str(reason)] += 1
        if items and sum(reasons.values()) == len(items):
            most = reasons.most_common(1)[0][0]
            raise JudgemergeError(
                f"item set '{items[0].benchmark}': no question has what metric '{metric.name}' needs ({most}); name "
                "the field that holds it in `inputs`, or take a metric that does not need it"
            )
        lacking[metric.name] = dict(sorted(reasons.items()))
    return lacking


# ---- what judges are asked ----


def pair_items(models: Sequence[str], questions: Iterable[Item], answers: Answers, samples: int) -> Iterator[Item]:
    """Yield a pair per question and draw: the answer of the first model and that of the second, without their names.

    Where a model has no answer the pair is not judged, but counted.
    """
    for item in questions:
        for sample in range(samples):
            texts = [answers[model][item.id, sample].text for model in models]
            name = f"{item.id}#{sample}"
            if None in texts:
                yield _unlabelled(item, name, PAIRS, "pairwise", (), {LACKS: NO_ANSWER})
            else:
                responses = tuple((*rubric_metrics.history(item), text) for text in texts)
                yield _unlabelled(item, name, PAIRS, "pairwise", responses, {})


def single_items(
    metric: Metric,
    models: Sequence[str],
    questions: Iterable[Item],
    answers: Answers,
    samples: int,
    fields: Mapping[str, str],
    empty_context: bool = False,
) -> Iterator[Item]:
    """Yield every answer as an item that one metric grades; a missing input is a reason, an empty one an error."""
    for item in questions:
        values, lacks = {}, None
        try:
            values = rubric_metrics.input_values(metric, item, fields, empty_context)
        except prompts.Unrenderable as reason:
            lacks = str(reason)
        for sample in range(samples):
            for model in models:
                name, text = f"{item.id}#{sample}/{model}", answers[model][item.id, sample].text
                if text is None or lacks:
                    extra = {LACKS: NO_ANSWER if text is None else lacks}
                    yield _unlabelled(item, name, metric.name, "pointwise", (), extra)
                else:
                    extra = rubric_metrics.placeholders(metric, values, text)
                    responses = ((*rubric_metrics.history(item), text),)
                    yield _unlabelled(item, name, metric.name, "pointwise", responses, extra)


def _unlabelled(item: Item, name: str, benchmark: str, protocol: str, responses: tuple, extra: dict) -> Item:
    return Item(
        id=name,
        benchmark=benchmark,
        protocol=protocol,
        turns=item.turns,
        responses=responses,
        truth=None,
        cluster=item.cluster,
        origin={"source": item.benchmark, "row": item.id},
        reference=item.reference,
        category=item.category,
        extra=extra,
    )


def plan(
    pairs: Iterable[Item],
    singles: Iterable[tuple[Metric, Iterable[Item]]],
    templates: Mapping[str, prompts.Template],
    backend: Backend,
    max_prompt_tokens: int,
) -> list[Request]:
    """Return what to ask about all pairs and single answers; `templates` are by PAIRS or the metric's name."""
    requests: list[Request] = []
    groups = [(PAIRS, list(pairs))] if PAIRS in templates else []
    groups += [(metric.name, list(items)) for metric, items in singles]
    for name, items in groups:
        template = templates[name]
        requests += [
            Request(judging.Presentation(item.benchmark, item.id, order), None, reason=item.extra[LACKS])
            for item in items
            if LACKS in item.extra
            for order in judging.orders(template)
        ]
        complete = [item for item in items if LACKS not in item.extra]
        requests += judging.plan(complete, {template.protocol: template}, backend, max_prompt_tokens)
    return requests


def templates(comparison: ModelComparison, metrics: Sequence[Metric], load) -> dict[str, prompts.Template]:
    """Return the prompt of the pairs and of every metric, with the metric's scale; `load` reads one by its name."""
    names = prompt_names(comparison, metrics)
    by_kind = {PAIRS: load(names.pop(PAIRS))} if PAIRS in names else {}
    return by_kind | {metric.name: rubric_metrics.with_scale(load(names[metric.name]), metric) for metric in metrics}


def prompt_names(comparison: ModelComparison, metrics: Sequence[Metric]) -> dict[str, str]:
    """Return the name of the prompt of the pairs, if they are judged, and of every metric."""
    named = comparison.prompts
    names = {PAIRS: named.pairwise} if named.pairwise else {}
    return names | {metric.name: named.rubric if metric.inputs else named.rubric_no_inputs for metric in metrics}


def judge_answers(
    respondent: Respondent,
    comparison: ModelComparison,
    questions: str,
    answer_files: Sequence[str],
    metric_files: Sequence[str],
    folders: tuple[str, str | None],
    store: str,
    user: str,
    replies: str,
    record: str,
) -> int:
    """Judge what the store does not hold yet, write all replies and how they were made; return how many were new.

    `folders` are those of prompts and of raw files that their texts come from.
    """
    prompt_folder, sources = folders
    metrics = [rubric_metrics.load_metric(path, sources) for path in metric_files]
    limit = respondent.settings.get("reply_tokens")
    by_kind = templates(
        comparison,
        metrics,
        lambda name: prompts.shortened(prompts.load_template(_file(prompt_folder, name), sources), limit),
    )
    backend = respondent.backend(max(template.max_new_tokens for template in by_kind.values()))
    files_of_models = dict(zip(comparison.models, answer_files, strict=True))
    answers = {model: read_answers(path) for model, path in files_of_models.items()}
    how = (comparison.models, read_items(questions), answers, comparison.generation.samples)
    singles = [(metric, single_items(metric, *how, comparison.inputs, comparison.empty_context)) for metric in metrics]
    requests = plan(pair_items(*how), singles, by_kind, backend, respondent.max_prompt_tokens)
    with respondent.store(store, user) as opened:
        n_new = ask(requests, backend, opened, Progress("prompts")).n_new
        parsing.write_replies(replies, judging.replies(requests, opened))
    about = {
        "judge": Path(replies).stem,
        "digest": respondent.digest,
        "models": list(comparison.models),
        "prompts": {
            kind: {"name": name, "sha256": files.sha256_file(_file(prompt_folder, name))}
            for kind, name in prompt_names(comparison, metrics).items()
        },
        "metrics": {Path(path).stem: files.sha256_file(path) for path in metric_files},
        "answers": {model: files.sha256_file(path) for model, path in files_of_models.items()},
        "settings": backend.digest_settings,
        "max_prompt_tokens": None if respondent.endpoint else respondent.max_prompt_tokens,
        "empty_context": comparison.empty_context,
        "asked_now": n_new,
        "versions": provenance.versions(),
    }
    files.write_json(record, about)
    return n_new


def _file(folder: str, prompt: str) -> Path:
    return Path(folder, f"{prompt}.yaml")


# ---- what judges said ----


def results(
    replies: Iterable[Reply], settings: Mapping[str, ReplySettings], models: Sequence[str]
) -> Iterator[JudgedAnswer]:
    """Yield every reply, read; `settings` are the reply settings by PAIRS or metric, whatever the order was."""
    preferences = {"first": models[0], "second": models[1], "tie": "tie"}
    for reply in replies:
        kind = reply.benchmark
        verdict = parsing.parse_row(reply, settings[kind])
        unit, _, model = (verdict.item, "", None) if kind == PAIRS else verdict.item.rpartition("/")
        question, _, number = unit.rpartition("#")
        preferred, score = (preferences.get(verdict.outcome), None) if kind == PAIRS else (None, verdict.score)
        unit = (kind, question, int(number), verdict.order)
        yield JudgedAnswer(*unit, preferred, model, score, verdict.reason, reply.reply)


def read_judged(
    replies: str,
    about: str,
    comparison: ModelComparison,
    metric_files: Sequence[str],
    prompt_folder: str,
    results_to: Path,
) -> int:
    """Read every reply in its format, and write what it says with how it was made (.json) beside it.

    A reply that cannot be read has a reason. Return how many there are.
    """
    metrics = list(map(rubric_metrics.load_metric, metric_files))
    by_kind = templates(comparison, metrics, lambda name: prompts.load_template(_file(prompt_folder, name)))
    settings = {name: template.reply for name, template in by_kind.items()}
    rows = list(results(parsing.read_replies(replies), settings, comparison.models))
    files.write_jsonl(results_to, (row.row() for row in rows))
    failures: dict[str, Counter] = {}
    for row in rows:
        failures.setdefault(row.metric, Counter()).update([row.reason] if row.reason else [])
    record = {key: value for key, value in files.read_json(about).items() if key != "asked_now"}
    counts = {name: dict(sorted(reasons.items())) for name, reasons in failures.items()}
    files.write_json(results_to.with_suffix(".json"), record | {"rows": len(rows), "failures": counts})
    return len(rows)
