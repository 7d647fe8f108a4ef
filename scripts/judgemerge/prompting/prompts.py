"""Prompt templates: data in config/prompts/*.yaml, filled with an item in one order.

A template never interprets the item's text: placeholders are replaced in one pass, so braces in a response stay braces.
The constant instructions come first and the item last, so that every backend can reuse the prefix.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from judgemerge.core.catalogues import check_keys, load_yaml
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.files import version
from judgemerge.core.items import SWAPPED, Item, Order
from judgemerge.prompting import parsing
from judgemerge.prompting.parsers import ReplySettings
from judgemerge.prompting.published_texts import python_text

PLACEHOLDERS = {
    "pairwise": {"prompt", "response_a", "response_b", "reference", "category"},
    "pointwise": {"prompt", "response", "reference", "category"},
}
ANSWERS = {"pairwise": "{verdict}", "pointwise": "{score}"}  # what a target has for what is judged
REQUIRED = {"pairwise": {"prompt", "response_a", "response_b"}, "pointwise": {"prompt", "response"}}
KEYS = {"protocol": str, "user": (str, dict), "reply": dict, "target": str, "max_new_tokens": int}
OPTIONAL_KEYS = {
    "description": str,
    "system": (str, dict),
    "otherwise": (str, dict),
    "fields": list,
    "criteria": dict,
    "mode": str,
    "wording": str,
}
WORDINGS = ("own", "published")
MODES = ("generate", "choices", "likelihood")
# A prompt of mode likelihood asks nothing: it shows the conversation as it is.
LIKELIHOOD = {"user": "{prompt}", "target": "", "max_new_tokens": 0, "reply": {"format": "likelihoods"}}
# A user message that is all of what somebody published with the item.
WHOLE_MESSAGE = "{published_prompt}"
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
# Braces of somebody else's text that are no placeholder's, until the message is filled: {response} may stand in a form.
_LITERAL = {"{": "\ue000", "}": "\ue001"}
_FILLED = re.compile(rf"{_PLACEHOLDER.pattern}|[{''.join(_LITERAL.values())}]")


@dataclass(frozen=True)
class Template:
    """A prompt template; `reply` says how its answers are parsed, `target` how a training answer is written.

    `mode` says how the verdict comes about: the model writes a reply (generate), its log-probabilities of the labels at
    the place of the verdict are compared (choices), or those of the two responses themselves, length-averaged, given
    the conversation (likelihood).
    `extra_fields` are placeholders filled from the item's `extra`; `criteria` gives a text per category (lower case)
    for the placeholder {criteria}. `otherwise` is the user message for items that lack one of the fields of `user`.
    `wording` says whose words these are: our own, or those that a judge was published with; `exact` texts keep the
    white space at their ends, for a judge that was tuned on it.
    """

    name: str
    protocol: str
    user: str
    reply: ReplySettings
    target: str
    max_new_tokens: int
    system: str | None = None
    description: str = ""
    extra_fields: tuple[str, ...] = ()
    criteria: dict[str, str] = field(default_factory=dict)
    mode: str = "generate"
    otherwise: str | None = None
    wording: str = "own"
    exact: bool = False

    @property
    def fields(self) -> set[str]:
        """The placeholders that every item must fill: those of `otherwise`, where there is one."""
        return set(_PLACEHOLDER.findall((self.otherwise or self.user) + (self.system or "")))

    @property
    def target_fields(self) -> set[str]:
        """The placeholders that the answer of a training example uses."""
        return set(_PLACEHOLDER.findall(self.target))


class Foreign(NamedTuple):
    """Where somebody else's text lies: in a raw file, of Python under a name; `placeholders` are theirs → ours."""

    source: str
    name: str = ""
    placeholders: Mapping[str, str] = {}


class Unrenderable(Exception):
    """The item lacks what the template needs; the message is a reason code."""


@cache
def _loaded(path: Path, changed: int, size: int) -> "Template":
    """Return a template without its raw files; a plan asks thousands of times, and reading YAML takes milliseconds."""
    return _read_template(path, None)


@cache
def _sources_of(path: Path, changed: int, size: int) -> tuple[str, ...]:
    raw = load_yaml(path, words=True)
    texts = [raw.get(key) for key in ("user", "otherwise", "system")]
    messages = [text.get("source") for text in texts if isinstance(text, dict)]
    criteria = [str(source) for source in raw.get("criteria", {}).values() if not isinstance(source, dict)]
    return tuple(dict.fromkeys(filter(None, [*messages, *criteria])))


@cache
def _content(path: Path, changed: int, size: int) -> dict:
    return {key: value for key, value in load_yaml(path).items() if key not in ("description", "wording")}


def content(path: str | Path) -> dict:
    """Return what a template's file says to judges and parsers, without its comments and its description."""
    return _content(*version(Path(path)))


def prompt_sources(path: str | Path) -> list[str]:
    """Return the raw files that a template takes texts from: keys of sources.yaml, or paths."""
    return list(_sources_of(*version(Path(path))))


def shortened(template: Template, reply_tokens: int | None) -> Template:
    """Return a template whose replies have at most so many tokens, where a study says so."""
    return (
        template
        if reply_tokens is None
        else replace(template, max_new_tokens=min(reply_tokens, template.max_new_tokens))
    )


def by_protocol(
    paths: Iterable[str | Path], sources: str | Path | None, reply_tokens: int | None = None
) -> dict[str, Template]:
    """Return the templates in files by their protocol, for replies of at most so many tokens."""
    templates = [shortened(load_template(path, sources), reply_tokens) for path in paths]
    return {template.protocol: template for template in templates}


def load_template(path: str | Path, sources: str | Path | None = None) -> Template:
    """Return the template in a YAML file; its name is the file's stem.

    `sources` is the folder of fetched raw files. Without it, texts that lie in raw files are left empty: enough for
    checking a study and for reading replies, not for asking.
    """
    path = Path(path)
    try:
        present_version = version(path)
    except FileNotFoundError:
        hint = did_you_mean(path.stem, [other.stem for other in path.parent.glob("*.yaml")])
        raise JudgemergeError(f"{path.parent}: there is no prompt '{path.stem}'{hint}") from None
    return _loaded(*present_version) if sources is None else _read_template(path, sources)


def _read_template(path: Path, sources: str | Path | None) -> Template:
    raw = load_yaml(path, words=True)
    if raw.get("mode") == "likelihood":
        raw = LIKELIHOOD | raw
    check_keys(raw, KEYS, OPTIONAL_KEYS, f"{path}: the prompt")
    if (protocol := raw["protocol"]) not in PLACEHOLDERS:
        raise JudgemergeError(f"{path}: protocol '{protocol}' is neither pairwise nor pointwise")
    extra_fields = tuple(map(str, raw.pop("fields", [])))
    criteria = _read_criteria(raw.pop("criteria", {}), sources, path)
    texts = {key: _foreign(raw.get(key), path, key) for key in ("user", "otherwise")}
    foreign = {key: text for key, text in texts.items() if text}
    raw |= {key: _foreign_template(text, sources, path, key) for key, text in foreign.items()}
    if isinstance(system := raw.get("system"), dict):
        check_keys(system, {"source": str, "name": str}, {}, f"{path}: system")
        raw |= {"system": _text_of(Foreign(**system), sources, path, "system").translate(str.maketrans(_LITERAL))}
    # What is said of replies is read when the rest is right.
    template = Template(name=path.stem, extra_fields=extra_fields, criteria=criteria, **raw)
    is_exact = any(text.name for text in foreign.values()) or template.user.strip() == WHOLE_MESSAGE
    _check_placeholders(template, list(foreign.values()), path)
    reply = parsing.reply_settings(template.reply, protocol, str(path), template.mode)
    template = replace(template, reply=reply, exact=is_exact)
    lead = template.target.partition(ANSWERS[protocol])[0]
    if template.mode == "choices" and _PLACEHOLDER.search(lead):
        raise JudgemergeError(
            f"{path}: target is '{template.target}'; mode choices compares what may stand for {ANSWERS[protocol]}, so "
            "only fixed text can stand before it"
        )
    check_reading(template, str(path))
    return template


def _read_criteria(raw: Mapping[str, Any], sources: str | Path | None, path: Path) -> dict[str, str]:
    """Return category (lower case) → criteria, which stand in the template or in a raw file."""
    for category, entry in raw.items():
        if isinstance(entry, dict):
            check_keys(entry, {"text": str}, {}, f"{path}: criteria.{category}")
    return {
        str(category).lower(): entry["text"]
        if isinstance(entry, dict)
        else _text_of(Foreign(str(entry)), sources, path)
        for category, entry in raw.items()
    }


def _check_placeholders(template: Template, foreign: list[Foreign], path: Path) -> None:
    """Refuse unknown words and placeholders, and messages and targets that lack one."""
    if template.wording not in WORDINGS:
        raise JudgemergeError(f"{path}: wording is '{template.wording}'{did_you_mean(template.wording, WORDINGS)}")
    own_names = {*template.extra_fields} | ({"criteria"} if template.criteria else set())
    known_names = PLACEHOLDERS[template.protocol] | own_names
    # What else stands in braces in somebody else's template is text, such as {score} in a description of the form.
    names = {name for text in foreign for name in _our_names(text)} if foreign else template.fields
    for name in sorted(names - known_names):
        hint = "; add `criteria`" if name == "criteria" else "; list it in `fields` if items have it in `extra`"
        raise JudgemergeError(f"{path}: placeholder '{{{name}}}' is unknown{did_you_mean(name, known_names) or hint}")
    if template.mode not in MODES:
        raise JudgemergeError(f"{path}: mode is '{template.mode}'{did_you_mean(template.mode, MODES)}")
    required = REQUIRED[template.protocol] if template.mode != "likelihood" else {"prompt"}
    if "output" in template.extra_fields:  # a rubric's own form: question and answer stand in {inputs} and {output}
        required = {"output"}
    if template.user.strip() == WHOLE_MESSAGE:
        required = {"published_prompt"}
    for name in sorted(required - template.fields):
        raise JudgemergeError(f"{path}: placeholder '{{{name}}}' is missing from the user message; add it")
    answer = ANSWERS[template.protocol]
    if answer not in template.target and template.mode != "likelihood":
        raise JudgemergeError(f"{path}: target is '{template.target}'; a {template.protocol} one needs {answer}")


def check_reading(template: Template, where: str) -> None:
    """Refuse a prompt whose format does not read every label or score, in both orders, out of its own target.

    Judges are trained on the target and read by the format: where the two do not fit, every reply is an error.
    """
    if template.mode != "generate":
        return
    if template.protocol == "pairwise":
        labels = template.reply.labels
        _check_readings(template, {label: outcome for outcome, label in labels.items()}, where, "original")
        _check_readings(template, {label: SWAPPED[outcome] for outcome, label in labels.items()}, where, "swapped")
    else:
        scores = {score_text(score): score for score in parsing.scores(template.reply)}
        _check_readings(template, scores, where, "original")


def _check_readings(template: Template, expected: dict, where: str, order: Order) -> None:
    """Refuse a target that, with a label or score filled in, is not read as what is expected of it."""
    for word, value in expected.items():
        answers = {"verdict": word, "score": word}
        others = dict.fromkeys(_PLACEHOLDER.findall(template.target), "some words")
        text = _filled_and_stripped(template.target, others | answers)
        verdict = parsing.parse(text, None, template.reply, "", order)
        result = verdict.outcome if verdict.score is None else verdict.score
        if result != value:
            raise JudgemergeError(
                f"{where}: format '{template.reply.format}' reads '{word}' in the target as {verdict.reason or result} "
                f"({' '.join(text.split())[-60:]!r}); give another label, scale, target or format"
            )


def score_text(score: float) -> str:
    """Return a score as targets spell it: whole numbers without a point, none with an exponent."""
    return str(int(score)) if float(score).is_integer() else f"{score:g}"


def _foreign(raw: object, path: Path, key: str) -> Foreign | None:
    """Return where a message of somebody else lies, None for one that stands in the template itself."""
    if not isinstance(raw, dict):
        return None
    check_keys(raw, {"source": str, "placeholders": dict}, {"name": str}, f"{path}: {key}")
    return Foreign(**raw)


def _text_of(text: Foreign, sources: str | Path | None, path: Path, key: str = "") -> str:
    """Return a text of a raw file: a source with a suffix or a folder is a path, any other a key of sources.yaml.

    With a name it is the text of that name in a Python file, white space and all.
    """
    if "/" in text.source or Path(text.source).suffix:
        file = Path(text.source)
        if not file.is_file():
            raise JudgemergeError(f"{path}: names the file '{text.source}', which is not there; correct the path")
    elif sources is None:
        return ""
    else:
        file = Path(sources, text.source)
    return python_text(file, text.name, f"{path}: {key}") if text.name else file.read_text(encoding="utf-8").strip()


def _our_names(text: Foreign) -> list[str]:
    """Return the placeholders of ours that somebody else's template is filled with."""
    return [name for ours in text.placeholders.values() for name in _PLACEHOLDER.findall(_in_braces(str(ours)))]


def _in_braces(ours: str) -> str:
    """Return what stands in the place of one of their placeholders: one of ours, or a text that holds some."""
    return ours if "{" in ours else f"{{{ours}}}"


def _foreign_template(text: Foreign, sources: str | Path | None, path: Path, key: str) -> str:
    """Return somebody else's template (Python format: doubled braces) with our placeholders.

    Without `sources` the placeholders stand for the text that is not there yet.
    """
    names = {str(theirs): _in_braces(str(ours)) for theirs, ours in text.placeholders.items()}
    template = _text_of(text, sources, path, key)
    if not template:
        return " ".join(names.values())
    missing = [theirs for theirs in names if f"{{{theirs}}}" not in template]
    if missing:
        raise JudgemergeError(f"{path}: {key}.placeholders names '{missing[0]}', which {text.source} does not have")
    pattern = re.compile(r"\{\{|\}\}|\{([A-Za-z0-9_]+)\}|[{}]")
    return pattern.sub(lambda m: names.get(m[1]) or _literal(m[1], m[0]), template)


def _literal(name: str | None, text: str) -> str:
    """Return a name in braces, or a brace, doubled or not, so that nothing is filled in."""
    return text[0 if name is None else slice(None)].translate(str.maketrans(_LITERAL))


def with_category(item: Item, categories: Mapping[str, str | Mapping[str, str]]) -> Item:
    """Return the item with the category whose criteria it is to get.

    `categories` (study key `judging.categories`) maps an item set to a category, or to own category → category. What is
    not mapped stays. Whatever shows items to a model asks this: judging, trials of a search, training, examples.
    """
    category = categories.get(item.benchmark, item.category)
    if isinstance(category, Mapping):
        category = category.get(item.category, item.category)
    return item if category == item.category else replace(item, category=category)


def render(template: Template, item: Item, order: Order) -> list[dict[str, str]]:
    """Return the chat messages that ask for a judgment of `item`, responses shown in `order`.

    Raises Unrenderable with a reason code (`no_text`, `no_reference`, `no_category`, `no_<field>`) when the item lacks
    a field, and JudgemergeError for a category without criteria: that is a mistake of the study, not of the item.
    """
    if not item.judgeable:
        raise Unrenderable("no_text")
    responses = item.responses if order == "original" else item.responses[::-1]
    values = {"prompt": _turns(item.turns), "reference": item.reference, "category": item.category}
    if item.protocol == "pairwise":
        values |= {"response_a": _turns(responses[0]), "response_b": _turns(responses[1])}
    else:
        values |= {"response": _turns(responses[0])}
    values |= {name: item.extra.get(name) for name in template.extra_fields}
    if template.user == WHOLE_MESSAGE and item.protocol == "pairwise":
        # A whole message shows a pair in one order; a list holds a message per response, for grading them one by one.
        whole = item.extra.get("published_prompt")
        values |= {"published_prompt": whole if order == "original" and isinstance(whole, str) else None}
    if "criteria" in template.fields:
        values |= {"criteria": _criteria(template, item)}
    user = template.user
    if template.otherwise is not None and not all(values.get(name) for name in _PLACEHOLDER.findall(user)):
        user = template.otherwise
    for name in ("reference", "category", *template.extra_fields):
        if f"{{{name}}}" in user + (template.system or "") and values[name] is None:
            raise Unrenderable(f"no_{name}")
    fill = _fill if template.exact else _filled_and_stripped
    messages = [{"role": "user", "content": fill(user, values)}]
    if template.system:
        messages.insert(0, {"role": "system", "content": fill(template.system, values)})
    return messages


def _criteria(template: Template, item: Item) -> str:
    """Return the criteria of the item's category."""
    if item.category is None:
        raise Unrenderable("no_category")
    if item.category.lower() not in template.criteria:
        raise JudgemergeError(
            f"benchmark '{item.benchmark}', item {item.id}: prompt '{template.name}' has no criteria for category "
            f"'{item.category}'{did_you_mean(item.category.lower(), template.criteria)}; "
            f"name one in judging.categories.{item.benchmark} of the study"
        )
    return template.criteria[item.category.lower()]


def target(template: Template, item: Item, order: Order) -> str:
    """Return the answer that a judge trained with this template should give to `item` shown in `order`.

    {explanation} and the template's own fields come from the item's `extra`; where they speak of positions,
    `<field>_swapped` holds the text for the swapped order. Raises Unrenderable when one is missing.
    """
    item.require_truth()
    values: dict[str, str | None] = {}
    if item.protocol == "pointwise":
        values |= {"score": score_text(item.truth)}
    else:
        values |= {"verdict": template.reply.labels[item.truth if order == "original" else SWAPPED[item.truth]]}
    for name in set(_PLACEHOLDER.findall(template.target)) & {"explanation", *template.extra_fields}:
        text = item.extra.get(name)
        values[name] = item.extra.get(f"{name}_swapped", text) if order == "swapped" else text
        if values[name] is None:
            raise Unrenderable(f"no_{name}")
    return _filled_and_stripped(template.target, values)


def conversation(template: Template, item: Item) -> tuple[list[dict[str, str]], tuple[str, str]]:
    """Return the messages that both responses of a pair answer, and the two responses, for mode likelihood.

    Earlier answers belong to the conversation, so they have to be the same in both responses. A system message is the
    template's own, or the item's (`extra.system`). Raises Unrenderable (`no_text`, `no_shared_history`).
    """
    if not item.judgeable:
        raise Unrenderable("no_text")
    first, second = item.responses
    if first[:-1] != second[:-1] or len(first) != len(item.turns):
        raise Unrenderable("no_shared_history")
    system = template.system or item.extra.get("system")
    messages = [{"role": "system", "content": system}] if system else []
    for turn, answer in zip(item.turns, (*first[:-1], None), strict=True):
        messages.append({"role": "user", "content": _filled_and_stripped(template.user, {"prompt": turn})})
        messages += [{"role": "assistant", "content": answer}] if answer is not None else []
    return messages, (first[-1], second[-1])


def choices(template: Template) -> tuple[str, tuple[str, ...]]:
    """Return how an answer begins and what may follow, for mode choices: the labels, or the whole numbers of the scale.

    The white space before the label goes with it, for it is part of the label's token.
    """
    reply = template.reply
    scale = () if reply.labels else range(reply.minimum, reply.maximum + 1)
    labels = [*reply.labels.values(), *map(str, scale)]
    lead = template.target.partition(ANSWERS[template.protocol])[0]
    space = lead[len(lead.rstrip()) :]
    return lead.rstrip(), tuple(space + label for label in labels)


def _turns(turns: tuple[str, ...]) -> str:
    """Return one turn as it is, several under numbered headings."""
    if len(turns) == 1:
        return turns[0]
    return "\n\n".join(f"[Turn {number}]\n{turn}" for number, turn in enumerate(turns, 1))


def _fill(text: str, values: dict[str, str | None]) -> str:
    braces = {sign: brace for brace, sign in _LITERAL.items()}
    return _FILLED.sub(lambda match: braces.get(match[0]) or str(values.get(match[1], match[0])), text)


def _filled_and_stripped(text: str, values: dict[str, str | None]) -> str:
    return _fill(text, values).strip()
