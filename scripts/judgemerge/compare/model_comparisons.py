"""Two models compared by judges: the same questions, both answers judged in pairs (both orders) and singly by metrics.

A judge never learns which model wrote what: a pair is shown as A and B in both orders, an answer that is graded stands
alone. No person judged these answers, so there is no truth, and nothing here says how good the judge is.

What a judge wrote is kept as replies; `results` reads them. In a pair `first` is the first model of the comparison, the
one that the other is compared with (the base).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from judgemerge.compare import answering
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.items import Item, Unlabelled
from judgemerge.judge import backends, judging
from judgemerge.judge.backends import SAMPLING, Backend
from judgemerge.judge.requests import Request
from judgemerge.prompting import metrics, parsing, prompts
from judgemerge.prompting.metrics import Metric

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
                metrics.input_values(metric, item, fields, empty_context)
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


def pair_items(
    models: Sequence[str], questions: Iterable[Item], answers: Answers, samples: int
) -> Iterator[Unlabelled]:
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
                responses = tuple((*metrics.history(item), text) for text in texts)
                yield _unlabelled(item, name, PAIRS, "pairwise", responses, {})


def single_items(
    metric: Metric,
    models: Sequence[str],
    questions: Iterable[Item],
    answers: Answers,
    samples: int,
    fields: Mapping[str, str],
    empty_context: bool = False,
) -> Iterator[Unlabelled]:
    """Yield every answer as an item that one metric grades; a missing input is a reason, an empty one an error."""
    for item in questions:
        values, lacks = {}, None
        try:
            values = metrics.input_values(metric, item, fields, empty_context)
        except prompts.Unrenderable as reason:
            lacks = str(reason)
        for sample in range(samples):
            for model in models:
                name, text = f"{item.id}#{sample}/{model}", answers[model][item.id, sample]["text"]
                if text is None or lacks:
                    extra = {LACKS: NO_ANSWER if text is None else lacks}
                    yield _unlabelled(item, name, metric.name, "pointwise", (), extra)
                else:
                    extra = metrics.placeholders(metric, values, text)
                    responses = ((*metrics.history(item), text),)
                    yield _unlabelled(item, name, metric.name, "pointwise", responses, extra)


def _unlabelled(item: Item, name: str, benchmark: str, protocol: str, responses: tuple, extra: dict) -> Unlabelled:
    return Unlabelled(
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
    pairs: Iterable[Unlabelled],
    singles: Iterable[tuple[Metric, Iterable[Unlabelled]]],
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
    found = {PAIRS: load(names[PAIRS])} if PAIRS in names else {}
    return found | {metric.name: metrics.with_scale(load(names[metric.name]), metric) for metric in chosen_metrics}


def prompt_names(entry: Mapping, chosen_metrics: Sequence[Metric]) -> dict[str, str]:
    """Return the name of the prompt of the pairs, if they are judged, and of every metric."""
    given = {**DEFAULT_PROMPTS, **entry["prompts"]}
    names = {PAIRS: given["pairwise"]} if "pairwise" in given else {}
    return names | {metric.name: given["rubric" if metric.inputs else "rubric_no_inputs"] for metric in chosen_metrics}


# ---- what judges said ----


def results(replies: Iterable[Mapping], settings: Mapping[str, Mapping], models: Sequence[str]) -> Iterator[dict]:
    """Yield a row per reply, read: of a pair {preferred}, of a single answer {model, score}; `reason` where unreadable.

    `settings` are the reply settings by PAIRS or metric. `preferred` is a model or `tie`, whatever the order was.
    """
    for reply in replies:
        kind = reply["benchmark"]
        verdict = parsing.parse_row(reply, settings[kind])
        unit, _, model = (reply["item"], "", "") if kind == PAIRS else reply["item"].rpartition("/")
        question, _, sample = unit.rpartition("#")
        row = {"metric": kind, "question": question, "sample": int(sample), "order": reply["order"]}
        if kind == PAIRS:
            named = {"first": models[0], "second": models[1], "tie": "tie"}
            row |= {"preferred": named.get(verdict.outcome)}
        else:
            row |= {"model": model, "score": verdict.score}
        yield row | {"reason": verdict.reason, "reply": reply["reply"]}


# ---- before the first job ----


def names_of(study) -> list[str]:
    """Return every model that a comparison of the study needs: those compared, and the judges."""
    entries = study.settings["model_comparisons"].values()
    return list(dict.fromkeys(name for entry in entries for name in (*entry["models"], *entry["judges"])))


def question_sets(settings: Mapping) -> list[str]:
    """Return the item sets that the questions of all comparisons are drawn from."""
    return [entry["questions"] for entry in settings["model_comparisons"].values()]


def metric_files(study, comparison: str) -> list:
    """Return the file of every metric of a comparison."""
    where = f"{study.where}: model_comparisons.{comparison}.metrics"
    names = study.settings["model_comparisons"][comparison]["metrics"]
    return [metrics.metric_file(name, where, study.catalogues.metrics) for name in names]


def metrics_of(study, comparison: str) -> list[Metric]:
    """Return the metrics of a comparison."""
    return [metrics.load_metric(path) for path in metric_files(study, comparison)]


def asked_prompts(study, comparison: str) -> dict[str, str]:
    """Return the name of the prompt of the pairs, if they are judged, and of every metric of a comparison."""
    return prompt_names(study.settings["model_comparisons"][comparison], metrics_of(study, comparison))


def metric_sources(study, comparison: str) -> list[str]:
    """Return the raw files that the metrics of a comparison take their words from: keys of sources.yaml."""
    names = [name for path in metric_files(study, comparison) for name in metrics.metric_sources(path)]
    return list(dict.fromkeys(names))


def check(study) -> None:
    """Refuse a comparison whose models, questions, metrics, prompts or judges are not there or do not fit together."""
    for name, entry in study.settings["model_comparisons"].items():
        where = f"{study.where}: model_comparisons.{name}"
        for key in ("models", "judges"):
            for model in entry[key]:
                if model not in study.model_names:
                    near = did_you_mean(model, study.model_names)
                    raise JudgemergeError(f"{where}.{key} names '{model}', no model of the study{near}")
        _check_questions(study, entry, where)
        found = [metrics.load_metric(path) for path in metric_files(study, name)]
        _check_metrics(entry, found, where)
        _check_prompts(study, entry, found, where)
        _check_generation(study, entry, where)
        if "published" in entry and not Path(entry["published"]).is_file():
            raise JudgemergeError(f"{where}.published is '{entry['published']}', which is no file; correct the path")


def _check_questions(study, entry: Mapping, where: str) -> None:
    questions = entry["questions"]
    if questions not in study.catalogues.benchmarks:
        near = did_you_mean(questions, study.catalogues.benchmarks)
        raise JudgemergeError(f"{where}.questions is the unknown item set '{questions}'{near}")
    learnt = [user for user in study.training_sets.get(questions, []) if user.partition(" ")[0] == "expert"]
    if learnt:
        raise JudgemergeError(
            f"{where}.questions is '{questions}', which {learnt[0]} is trained on; name a held-out set"
        )


def _check_metrics(entry: Mapping, found: Sequence[Metric], where: str) -> None:
    if not found and "pairwise" not in entry["prompts"]:
        raise JudgemergeError(f"{where} judges nothing; give metrics, or prompts.pairwise, or both")
    names = [metric.name for metric in found]
    for name in names:
        if names.count(name) > 1 or name == PAIRS or "/" in name:
            raise JudgemergeError(f"{where}.metrics has two metrics '{name}', or the name is reserved; rename one")
    inputs = {name for metric in found for name in metric.inputs}
    for name in entry["inputs"]:
        if name not in inputs:
            raise JudgemergeError(f"{where}.inputs names '{name}', no input of its metrics{did_you_mean(name, inputs)}")
    if entry["empty_context"] and metrics.EMPTIED not in inputs:
        raise JudgemergeError(f"{where}.empty_context is set, but none of its metrics has a context; remove it")


def _check_prompts(study, entry: Mapping, found: Sequence[Metric], where: str) -> None:
    for kind, prompt in prompt_names(entry, found).items():
        if prompt not in study.catalogues.prompts:
            near = did_you_mean(prompt, study.catalogues.prompts)
            raise JudgemergeError(f"{where}.prompts names the unknown prompt '{prompt}'{near}")
        template = prompts.load_template(study.catalogues.prompts[prompt])
        wanted = "pairwise" if kind == PAIRS else "pointwise"
        if template.protocol != wanted:
            raise JudgemergeError(f"{where}.prompts: '{prompt}' is {template.protocol}, but has to be {wanted}")
        if template.mode == "likelihood":
            raise JudgemergeError(f"{where}.prompts: '{prompt}' has mode likelihood, which shows no pair; name another")
        if kind != PAIRS:
            metric = next(metric for metric in found if metric.name == kind)
            metrics.check_prompt(template, metric, f"{where}.prompts")


def _check_generation(study, entry: Mapping, where: str) -> None:
    generation = answering.parameters(entry["generation"])
    if generation.is_greedy and entry["generation"].get("samples", 1) > 1:
        raise JudgemergeError(
            f"{where}.generation.samples asks for several greedy answers, which are all the same; set a temperature"
        )
    if generation.is_greedy and (generation.top_p < 1 or generation.min_p > 0):
        raise JudgemergeError(f"{where}.generation has top_p or min_p, which greedy answers ignore; set a temperature")
    for model in entry["models"]:
        if not generation.is_greedy and SAMPLING not in backends.abilities(study.backend_of(model)):
            raise JudgemergeError(
                f"{where}.generation.temperature: '{model}' can only answer greedily here; set it to 0"
            )


def with_limit(entry: Mapping, judging_settings: Mapping) -> dict:
    """Return the comparison with the study's `max_prompt_tokens` where it has none of its own."""
    return {"max_prompt_tokens": judging_settings["max_prompt_tokens"], **entry}
