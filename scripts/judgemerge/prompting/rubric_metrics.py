"""Metrics of rubric judges as data (config/metrics/, or a file of one's own): criteria, a rubric, what has to be shown.

A metric names the inputs that a judge must see beside the output, as in Flow-Judge (`required inputs`). They come from
the item: `query` is its prompt, `reference` its reference answer, any other name a text of its `extra`; a study can map
a name to another field (`inputs` of a model comparison). An input that an item does not have makes it unrenderable
(`no_<input>`, counted); an empty one is an error, because the published comparison was judged on an empty context
without anybody being told.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from judgemerge.core.catalogues import check_keys, load_yaml, named_file
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.items import CLASSES, Item
from judgemerge.prompting.prompts import Foreign, Template, Unrenderable, check_reading
from judgemerge.prompting.published_texts import python_arguments

FOLDER = Path("config/metrics")
FIELDS = ("prompt", "reference", "category", "better_response")  # of every item; others stand in `extra`
DEFAULT_FIELDS = {"query": "prompt", "reference_answer": "reference"}
EMPTIED = "context"  # the input that the published comparison left empty


@dataclass(frozen=True)
class Metric:
    """What is graded: criteria, a description of each whole score, required inputs, and the output's name.

    `is_shown` is False where the prompt itself says what counts, so that it need not show criteria and rubric.
    """

    name: str
    criteria: str
    scores: dict[int, str]
    inputs: tuple[str, ...]
    output: str
    description: str = ""
    is_shown: bool = True

    @property
    def minimum(self) -> int:
        """The lowest score."""
        return min(self.scores)

    @property
    def maximum(self) -> int:
        """The highest score."""
        return max(self.scores)

    @property
    def rubric(self) -> str:
        """The rubric as judges are shown it, the lowest score first."""
        return "\n".join(f"- Score {score}: {text}" for score, text in sorted(self.scores.items()))


def metric_file(name: str, where: str, folder: str | Path = FOLDER) -> Path:
    """Return the file of a metric: of a name in config/metrics/, or a path to a YAML file; `where` opens the error."""
    return named_file(name, where, folder, "metric")


def content(path: str | Path) -> dict:
    """Return what a metric's file says to judges and parsers, without its comments and its description."""
    return {key: value for key, value in load_yaml(path).items() if key != "description"}


def load_metric(path: str | Path, sources: str | Path | None = None) -> Metric:
    """Return the metric in a YAML file; its name is the file's stem.

    A metric of others (`texts`) has its words in a raw file of the folder `sources`. Without that folder they are left
    empty: enough for checking a study and for reading replies, not for asking.
    """
    path = Path(path)
    raw = load_yaml(path, words=True)
    required = {"scores": dict, "inputs": list, "output": str}
    required |= {"texts": dict} if "texts" in raw else {"criteria": str}
    check_keys(raw, required, {"description": str, "shown": bool}, f"{path}: the metric")
    texts, inputs, is_shown = raw.pop("texts", None), tuple(raw.pop("inputs")), raw.pop("shown", True)
    metric = Metric(name=path.stem, inputs=inputs, is_shown=is_shown, **{"criteria": "not read", **raw})
    if texts is not None:
        check_keys(texts, {"source": str, "name": str}, {}, f"{path}: texts")
        metric = _published(metric, Foreign(**texts), sources, path) if sources else metric
    _check(metric, path)
    return metric


def _check(metric: Metric, path: Path) -> None:
    """Refuse a scale with gaps, what has no text, and names that stand twice."""
    scores, inputs = metric.scores, metric.inputs
    if not all(isinstance(score, int) and not isinstance(score, bool) for score in scores):
        raise JudgemergeError(f"{path}: scores are {', '.join(map(str, scores))}; give whole numbers")
    if len(scores) < 2 or sorted(scores) != list(range(min(scores), max(scores) + 1)):
        raise JudgemergeError(f"{path}: scores are {', '.join(map(str, scores))}; describe two or more without a gap")
    for text in (metric.criteria, metric.output, *scores.values()):
        if not isinstance(text, str) or not text.strip():
            raise JudgemergeError(f"{path}: criteria, output or a score has no text; describe it")
    if not all(isinstance(name, str) and name.strip() for name in inputs):
        raise JudgemergeError(f"{path}: inputs are {', '.join(map(str, inputs))}; give names, as texts")
    if len({*inputs, metric.output}) <= len(inputs):
        raise JudgemergeError(f"{path}: inputs and output have a name twice; give each its own")


def _published(metric: Metric, texts: Foreign, sources: str | Path, path: Path) -> Metric:
    """Return the metric with the words of its makers' Python file, if scale and inputs are those stated."""
    call = python_arguments(Path(sources, texts.source), texts.name, f"{path}: texts")
    scores = dict(map(itemgetter("score", "description"), call["rubric"]))
    theirs, ours = (sorted(scores), call["required_inputs"]), (sorted(metric.scores), list(metric.inputs))
    if theirs != ours:
        raise JudgemergeError(f"{path}: scores and inputs are {ours}, but {theirs} in {texts.source}; correct them")
    return dataclasses.replace(metric, criteria=call["criteria"], scores=scores)


def metric_sources(path: str | Path) -> list[str]:
    """Return the raw files that a metric takes its words from: keys of sources.yaml."""
    texts = load_yaml(path).get("texts")
    return [texts["source"]] if isinstance(texts, dict) and "source" in texts else []


def input_fields(metric: Metric, fields: Mapping[str, str]) -> dict[str, str]:
    """Return input → field of the item that it is taken from; `fields` are those that a study says."""
    return {name: fields.get(name, DEFAULT_FIELDS.get(name, name)) for name in metric.inputs}


def input_values(metric: Metric, item: Item, fields: Mapping[str, str], empty_context: bool = False) -> dict[str, str]:
    """Return input → text for one item.

    With `empty_context` the context is empty, as it was in the published comparison. Raises Unrenderable
    (`no_<input>`) for an input that the item does not have, JudgemergeError for one that is empty or no text.
    """
    values = {}
    for name, field in input_fields(metric, fields).items():
        value = "" if empty_context and name == EMPTIED else _field(item, field)
        if value is None:
            raise Unrenderable(f"no_{name}")
        values[name] = value
    check_inputs(metric, values, f"item set '{item.benchmark}', item {item.id}", {EMPTIED} if empty_context else ())
    return values


def check_inputs(metric: Metric, values: Mapping[str, object], where: str, may_be_empty: Iterable[str] = ()) -> None:
    """Refuse inputs that are not exactly those that a metric requires, and such as are empty or no text."""
    for name in metric.inputs:
        if name not in values:
            raise JudgemergeError(f"{where}: metric '{metric.name}' needs the input '{name}', which is missing")
    for name, value in values.items():
        if name not in metric.inputs:
            near = did_you_mean(name, metric.inputs)
            raise JudgemergeError(f"{where}: metric '{metric.name}' has no input '{name}'{near or '; remove it'}")
        if not isinstance(value, str):
            raise JudgemergeError(f"{where}: input '{name}' of metric '{metric.name}' is {value!r}, no text")
        if not value.strip() and name not in may_be_empty:
            raise JudgemergeError(
                f"{where}: input '{name}' of metric '{metric.name}' is empty; correct the item, or take a metric that "
                "does not need it"
            )


def placeholders(metric: Metric, values: Mapping[str, str], answer: str) -> dict[str, str]:
    """Return what the placeholders of a rubric prompt are filled with (config/prompts/rubric_pointwise.yaml).

    `criterion` and `rubric` are for prompts that were written for the rubrics of config/rubrics/.
    """
    scores = [f"Score {score}: {text}" for score, text in sorted(metric.scores.items())]
    return {
        "inputs": "\n".join(_tagged(name, values[name]) for name in metric.inputs),
        "output": _tagged(metric.output, answer),
        "evaluation_criteria": metric.criteria,
        "scoring_rubric": metric.rubric,
        "criterion": metric.criteria,
        "rubric": "\n".join([f"[{metric.criteria}]", *scores]),
    }


def with_scale(template: Template, metric: Metric) -> Template:
    """Return the prompt with the metric's scale in place of its own."""
    scaled = dataclasses.replace(
        template, reply=dataclasses.replace(template.reply, minimum=metric.minimum, maximum=metric.maximum)
    )
    check_reading(scaled, f"metric '{metric.name}' with prompt '{template.name}'")
    return scaled


def check_prompt(template: Template, metric: Metric, where: str) -> None:
    """Refuse a prompt that hides from the judge what the metric says, or that grades on a scale of its own."""
    with_scale(template, metric)
    if metric.is_shown:
        needed = [("evaluation_criteria", "criterion", "rubric"), ("scoring_rubric", "rubric")]
        for names in needed:
            if not template.fields & set(names):
                raise JudgemergeError(
                    f"{where}: prompt '{template.name}' does not show {{{names[0]}}} of metric '{metric.name}'; "
                    "name one that does, such as rubric_pointwise"
                )
        if "output" in template.fields and ("inputs" in template.fields) != bool(metric.inputs):
            has = "shows inputs" if "inputs" in template.fields else "shows no inputs"
            needs = f"needs {', '.join(metric.inputs)}" if metric.inputs else "has none"
            raise JudgemergeError(f"{where}: prompt '{template.name}' {has}, but metric '{metric.name}' {needs}")
    elif (template.reply.minimum, template.reply.maximum) != (metric.minimum, metric.maximum):
        raise JudgemergeError(
            f"{where}: prompt '{template.name}' grades from {template.reply.minimum} to {template.reply.maximum}, "
            f"metric '{metric.name}' from {metric.minimum} to {metric.maximum}"
        )


def _tagged(name: str, value: str) -> str:
    """Return a value in its tags, as Flow-Judge shows it; names are lower-cased."""
    return f"<{name.lower()}>\n{value}\n</{name.lower()}>"


def _field(item: Item, field: str) -> object:
    if field == "prompt":
        return transcript(item)
    if field == "better_response":
        has_better_one = item.truth in CLASSES[:2] and item.judgeable
        return item.responses[CLASSES.index(item.truth)][-1] if has_better_one else None
    return getattr(item, field) if field in FIELDS else item.extra.get(field)


def history(item: Item) -> tuple[str, ...]:
    """Return the answers to all turns but the last, which have to be the same in every response of the item.

    Raises Unrenderable (`no_shared_history`) where they differ or are not known.
    """
    if len(item.turns) == 1:
        return ()
    histories = {tuple(response[:-1]) for response in item.responses} or {tuple(item.extra.get("answers", ())[:-1])}
    if len(histories) > 1 or len(next(iter(histories))) != len(item.turns) - 1:
        raise Unrenderable("no_shared_history")
    return next(iter(histories))


def transcript(item: Item) -> str:
    """Return the question as text: a single turn as it is, else the conversation until its last turn."""
    if len(item.turns) == 1:
        return item.turns[0]
    answers = (*history(item), None)
    lines = []
    for turn, answer in zip(item.turns, answers, strict=True):
        lines += [f"[User]\n{turn}", *([f"[Assistant]\n{answer}"] if answer is not None else [])]
    return "\n\n".join(lines)
