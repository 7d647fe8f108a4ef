"""Prompt templates: data in config/prompts/*.yaml, filled with an item in one order.

A template never interprets the item's text: placeholders are replaced in one pass, so braces in a response stay braces.
The constant instructions come first and the item last, so that every backend can reuse the prefix.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from judgemerge import parsing
from judgemerge.catalogues import check_keys, load_yaml
from judgemerge.errors import JudgemergeError, did_you_mean
from judgemerge.files import version
from judgemerge.items import CLASSES, SWAPPED, Item, Order

PLACEHOLDERS = {
    "pairwise": {"prompt", "response_a", "response_b", "reference", "category"},
    "pointwise": {"prompt", "response", "reference", "category"},
}
REQUIRED = {"pairwise": {"prompt", "response_a", "response_b"}, "pointwise": {"prompt", "response"}}
KEYS = {"protocol": str, "user": (str, dict), "reply": dict, "target": str, "max_new_tokens": int}
OPTIONAL_KEYS = {"description": str, "system": str, "fields": list, "criteria": dict, "mode": str}
MODES = ("generate", "choices", "likelihood")
# A prompt of mode likelihood asks nothing: it shows the conversation as it is.
LIKELIHOOD = {"user": "{prompt}", "target": "", "max_new_tokens": 0, "reply": {"format": "likelihoods"}}
SOURCE_KEYS = {"source": str, "placeholders": dict}
CUT_KEYS = {"start": str, "end": str}
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Template:
    """A prompt template; `reply` says how its answers are parsed, `target` how a training answer is written.

    `mode` says how the verdict comes about: the model writes a reply (generate), its log-probabilities of the labels at
    the place of the verdict are compared (choices), or those of the two responses themselves, length-averaged, given
    the conversation (likelihood).
    `extra_fields` are placeholders filled from the item's `extra`; `criteria` gives a text per category (lower case)
    for the placeholder {criteria}.
    """

    name: str
    protocol: str
    user: str
    reply: dict
    target: str
    max_new_tokens: int
    system: str | None = None
    description: str = ""
    extra_fields: tuple[str, ...] = ()
    criteria: dict[str, str] = field(default_factory=dict)
    mode: str = "generate"

    @property
    def fields(self) -> set[str]:
        """The placeholders that the template uses."""
        return set(_PLACEHOLDER.findall(self.user + (self.system or "")))


class Unrenderable(Exception):
    """The item lacks what the template needs; the message is a reason code."""


@cache
def _loaded(path: Path, changed: int, size: int) -> "Template":
    """Return a template without its raw files; a plan asks thousands of times, and reading YAML takes milliseconds."""
    return _read_template(path, None)


@cache
def _sources_of(path: Path, changed: int, size: int) -> tuple[str, ...]:
    raw = load_yaml(path)
    user = [raw["user"]["source"]] if isinstance(raw.get("user"), dict) and "source" in raw["user"] else []
    criteria = [str(source) for source in raw.get("criteria", {}).values() if not isinstance(source, dict)]
    return tuple(dict.fromkeys([*user, *criteria]))


def prompt_sources(path: str | Path) -> list[str]:
    """Return the raw files that a template takes texts from: keys of sources.yaml, or paths."""
    return list(_sources_of(*version(Path(path))))


def load_template(path: str | Path, sources: str | Path | None = None) -> Template:
    """Return the template in a YAML file; its name is the file's stem.

    `sources` is the folder of fetched raw files. Without it, texts that lie in raw files are left empty: enough for
    checking a study and for reading replies, not for asking.
    """
    path = Path(path)
    try:
        found = version(path)
    except FileNotFoundError:
        known = [other.stem for other in path.parent.glob("*.yaml")]
        hint = did_you_mean(path.stem, known)
        raise JudgemergeError(f"{path.parent}: there is no prompt '{path.stem}'{hint}") from None
    return _loaded(*found) if sources is None else _read_template(path, sources)


def _read_template(path: Path, sources: str | Path | None) -> Template:
    raw = load_yaml(path)
    if raw.get("mode") == "likelihood":
        raw = LIKELIHOOD | raw
    check_keys(raw, KEYS, OPTIONAL_KEYS, f"{path}: the prompt")
    if raw["protocol"] not in PLACEHOLDERS:
        raise JudgemergeError(f"{path}: protocol '{raw['protocol']}' is neither pairwise nor pointwise")
    raw["extra_fields"] = tuple(map(str, raw.pop("fields", [])))
    for category, source in raw.get("criteria", {}).items():
        if isinstance(source, dict):
            check_keys(source, {"text": str}, {}, f"{path}: criteria.{category}")
    raw["criteria"] = {
        str(category).lower(): source["text"] if isinstance(source, dict) else _text_of(str(source), sources, path)
        for category, source in raw.get("criteria", {}).items()
    }
    foreign = raw["user"]["placeholders"].values() if isinstance(raw["user"], dict) else None
    if isinstance(raw["user"], dict):
        check_keys(raw["user"], SOURCE_KEYS, {"between": dict}, f"{path}: user")
        raw["user"] = _foreign_template(raw["user"], sources, path)
    template = Template(name=path.stem, **raw)
    known = PLACEHOLDERS[template.protocol] | {*template.extra_fields} | ({"criteria"} if template.criteria else set())
    # What else stands in braces in somebody else's template is text, such as {score} in a description of the form.
    used = template.fields if foreign is None else set(map(str, foreign))
    for name in sorted(used - known):
        hint = "; list it in `fields` if items have it in `extra`" if name not in ("criteria",) else "; add `criteria`"
        raise JudgemergeError(f"{path}: placeholder '{{{name}}}' is unknown{did_you_mean(name, known) or hint}")
    if template.mode not in MODES:
        raise JudgemergeError(f"{path}: mode is '{template.mode}'{did_you_mean(template.mode, MODES)}")
    required = REQUIRED[template.protocol] if template.mode != "likelihood" else {"prompt"}
    if "output" in template.extra_fields:  # a rubric's own form: question and answer stand in {inputs} and {output}
        required = {"output"}
    for name in sorted(required - template.fields):
        raise JudgemergeError(f"{path}: placeholder '{{{name}}}' is missing from the user message; add it")
    answer = "{verdict}" if template.protocol == "pairwise" else "{score}"
    if answer not in template.target and template.mode != "likelihood":
        raise JudgemergeError(f"{path}: target is '{template.target}'; a {template.protocol} one needs {answer}")
    parsing.check_format(template.reply, template.protocol, str(path), template.mode)
    if template.mode == "choices" and _PLACEHOLDER.search(template.target.partition(answer)[0]):
        raise JudgemergeError(
            f"{path}: target is '{template.target}'; mode choices compares what may stand for {answer}, so only fixed "
            "text can stand before it"
        )
    return template


def _text_of(source: str, sources: str | Path | None, path: Path) -> str:
    """Return the text of a raw file: one with a suffix or a folder is a path, anything else a key of sources.yaml."""
    if "/" in source or Path(source).suffix:
        if not Path(source).is_file():
            raise JudgemergeError(f"{path}: names the file '{source}', which is not there; correct the path")
        return Path(source).read_text(encoding="utf-8").strip()
    return Path(sources, source).read_text(encoding="utf-8").strip() if sources is not None else ""


def _foreign_template(user: dict, sources: str | Path | None, path: Path) -> str:
    """Return somebody else's template (Python format: doubled braces) with our placeholders.

    `between` cuts it out of a script: from the first `start`, which belongs to it, to the next `end`. Without `sources`
    the placeholders stand for the text that is not there yet.
    """
    names = {str(theirs): str(ours) for theirs, ours in user["placeholders"].items()}
    text = _text_of(user["source"], sources, path)
    if not text:
        return " ".join(f"{{{ours}}}" for ours in names.values())
    text = _cut(text, user["between"], f"{path}: user.between", user["source"]) if "between" in user else text
    missing = [theirs for theirs in names if f"{{{theirs}}}" not in text]
    if missing:
        raise JudgemergeError(f"{path}: user.placeholders names '{missing[0]}', which {user['source']} does not have")
    doubled = {"{{": "{", "}}": "}"}
    pattern = re.compile(r"\{\{|\}\}|\{([A-Za-z0-9_]+)\}")
    return pattern.sub(lambda m: doubled.get(m[0]) or f"{{{names.get(m[1], m[1])}}}", text)


def _cut(text: str, marks: dict, where: str, source: str) -> str:
    check_keys(marks, CUT_KEYS, {}, where)
    start = text.find(marks["start"])
    end = text.find(marks["end"], start + len(marks["start"]))
    for name, place in (("start", start), ("end", end)):
        if place < 0:
            raise JudgemergeError(f"{where}.{name} is '{marks[name]}', which {source} does not have; correct it")
    return text[start:end]


def render(template: Template, item: Item, order: Order) -> list[dict[str, str]]:
    """Return the chat messages that ask for a judgment of `item`, responses shown in `order`.

    Raises Unrenderable with a reason code (`no_text`, `no_reference`, `no_category`, `no_<field>`) when the item lacks
    a field, and JudgemergeError for a category without criteria: that is a mistake of the study, not of the item.
    """
    if not item.judgeable:
        raise Unrenderable("no_text")
    shown = item.responses if order == "original" else item.responses[::-1]
    values = {"prompt": _turns(item.turns), "reference": item.reference, "category": item.category}
    if item.protocol == "pairwise":
        values |= {"response_a": _turns(shown[0]), "response_b": _turns(shown[1])}
    else:
        values |= {"response": _turns(shown[0])}
    values |= {name: item.extra.get(name) for name in template.extra_fields}
    if "criteria" in template.fields:
        values["criteria"] = _criteria(template, item)
    for name in ("reference", "category", *template.extra_fields):
        if name in template.fields and values[name] is None:
            raise Unrenderable(f"no_{name}")
    messages = [{"role": "user", "content": _fill(template.user, values)}]
    if template.system:
        messages.insert(0, {"role": "system", "content": _fill(template.system, values)})
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
    values: dict[str, str | None] = {}
    if item.protocol == "pointwise":
        values["score"] = f"{item.truth:g}"
    else:
        values["verdict"] = str(template.reply[item.truth if order == "original" else SWAPPED[item.truth]])
    for name in set(_PLACEHOLDER.findall(template.target)) & {"explanation", *template.extra_fields}:
        own = item.extra.get(name)
        values[name] = item.extra.get(f"{name}_swapped", own) if order == "swapped" else own
        if values[name] is None:
            raise Unrenderable(f"no_{name}")
    return _fill(template.target, values)


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
        messages.append({"role": "user", "content": _fill(template.user, {"prompt": turn})})
        messages += [{"role": "assistant", "content": answer}] if answer is not None else []
    return messages, (first[-1], second[-1])


def choices(template: Template) -> tuple[str, tuple[str, ...]]:
    """Return how an answer begins and what may follow, for mode choices: the labels, or the whole numbers of the scale.

    The white space before the label goes with it, for it is part of the label's token.
    """
    if template.protocol == "pairwise":
        labels = [str(template.reply[outcome]) for outcome in CLASSES if outcome in template.reply]
        lead = template.target.partition("{verdict}")[0]
    else:
        labels = [str(score) for score in range(template.reply["minimum"], template.reply["maximum"] + 1)]
        lead = template.target.partition("{score}")[0]
    space = lead[len(lead.rstrip()) :]
    return lead.rstrip(), tuple(space + label for label in labels)


def _turns(turns: tuple[str, ...]) -> str:
    """Return one turn as it is, several under numbered headings."""
    if len(turns) == 1:
        return turns[0]
    return "\n\n".join(f"[Turn {number}]\n{turn}" for number, turn in enumerate(turns, 1))


def _fill(text: str, values: dict[str, str | None]) -> str:
    return _PLACEHOLDER.sub(lambda match: str(values.get(match[1], match[0])), text).strip()
