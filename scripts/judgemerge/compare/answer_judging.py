"""Two models compared by judges: the same questions, both answers judged in pairs (both orders) and singly by metrics.

A judge never learns which model wrote what: a pair is shown as A and B in both orders, an answer that is graded stands
alone. No person judged these answers, so there is no gold label, and nothing here says how good the judge is.

What a judge wrote is kept as replies; `results` reads them. In a pair `first` is the first model of the comparison, the
one that the other is compared with (the base).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item
from judgemerge.judge import judging
from judgemerge.judge.backends import Backend
from judgemerge.judge.requests import Request
from judgemerge.prompting import parsing, prompts, rubric_metrics
from judgemerge.prompting.parsers import ReplySettings
from judgemerge.prompting.parsing import Reply
from judgemerge.prompting.rubric_metrics import Metric

PAIRS = "pairs"  # stands where a metric's name stands otherwise
NO_ANSWER = "no_answer"
LACKS = "lacks"  # in `extra`: the reason why an item cannot be shown
DEFAULT_PROMPTS = {"rubric": "rubric_pointwise", "rubric_no_inputs": "rubric_pointwise_no_inputs"}

Answers = Mapping[str, Mapping[tuple[str, int], Mapping]]  # model → (question, draw) → row of answering.rows


def by_unit(rows: Iterable[Mapping]) -> dict[tuple[str, int], Mapping]:
    """Return answer rows by (question, draw)."""
    return {(row["question"], row["sample"]): row for row in rows}


def check_questions(
    items: Iterable[Item], chosen_metrics: Sequence[Metric], fields: Mapping[str, str], empty_context: bool
) -> dict[str, dict[str, int]]:
    """Return metric → reason → number of questions that lack a required input, before anything is answered.

    Raises JudgemergeError for an empty input, and for a metric that no question can be judged by.
    """
    items = list(items)
    lacking = {}
    for metric in chosen_metrics:
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
            texts = [answers[model][item.id, sample]["text"] for model in models]
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
                name, text = f"{item.id}#{sample}/{model}", answers[model][item.id, sample]["text"]
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
        shown = [item for item in items if LACKS not in item.extra]
        requests += judging.plan(shown, {template.protocol: template}, backend, max_prompt_tokens)
    return requests


def templates(entry: Mapping, chosen_metrics: Sequence[Metric], load) -> dict[str, prompts.Template]:
    """Return the prompt of the pairs and of every metric, with the metric's scale; `load` reads one by its name."""
    names = prompt_names(entry, chosen_metrics)
    by_kind = {PAIRS: load(names[PAIRS])} if PAIRS in names else {}
    return by_kind | {
        metric.name: rubric_metrics.with_scale(load(names[metric.name]), metric) for metric in chosen_metrics
    }


def prompt_names(entry: Mapping, chosen_metrics: Sequence[Metric]) -> dict[str, str]:
    """Return the name of the prompt of the pairs, if they are judged, and of every metric."""
    prompts_of_study = {**DEFAULT_PROMPTS, **entry["prompts"]}
    names = {PAIRS: prompts_of_study["pairwise"]} if "pairwise" in prompts_of_study else {}
    return names | {
        metric.name: prompts_of_study["rubric" if metric.inputs else "rubric_no_inputs"] for metric in chosen_metrics
    }


# ---- what judges said ----


def results(replies: Iterable[Reply], settings: Mapping[str, ReplySettings], models: Sequence[str]) -> Iterator[dict]:
    """Yield a row per reply, read: of a pair {preferred}, of a single answer {model, score}; `reason` where unreadable.

    `settings` are the reply settings by PAIRS or metric. `preferred` is a model or `tie`, whatever the order was.
    """
    for reply in replies:
        kind = reply.benchmark
        verdict = parsing.parse_row(reply, settings[kind])
        unit, _, model = (reply.item, "", "") if kind == PAIRS else reply.item.rpartition("/")
        question, _, sample = unit.rpartition("#")
        row = {"metric": kind, "question": question, "sample": int(sample), "order": reply.order}
        if kind == PAIRS:
            named = {"first": models[0], "second": models[1], "tie": "tie"}
            row |= {"preferred": named.get(verdict.outcome)}
        else:
            row |= {"model": model, "score": verdict.score}
        yield row | {"reason": verdict.reason, "reply": reply.reply}
