"""Prompt templates: data in config/prompts/*.yaml, filled with an item in one order.

A template never interprets the item's text: placeholders are replaced in one pass, so braces in a response stay braces.
The constant instructions come first and the item last, so that every backend can reuse the prefix.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from judgemerge import parsing
from judgemerge.catalogues import check_keys, load_yaml
from judgemerge.errors import JudgemergeError, did_you_mean
from judgemerge.items import SWAPPED, Item, Order

PLACEHOLDERS = {
    "pairwise": {"prompt", "response_a", "response_b", "reference", "category"},
    "pointwise": {"prompt", "response", "reference", "category"},
}
REQUIRED = {"pairwise": {"prompt", "response_a", "response_b"}, "pointwise": {"prompt", "response"}}
KEYS = {"protocol": str, "user": str, "reply": dict, "target": str, "max_new_tokens": int}
OPTIONAL_KEYS = {"description": str, "system": str}
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Template:
    """A prompt template; `reply` says how its answers are parsed, `target` how a training answer is written."""

    name: str
    protocol: str
    user: str
    reply: dict
    target: str
    max_new_tokens: int
    system: str | None = None
    description: str = ""

    @property
    def fields(self) -> set[str]:
        """The placeholders that the template uses."""
        return set(_PLACEHOLDER.findall(self.user + (self.system or "")))


class Unrenderable(Exception):
    """The item lacks what the template needs; the message is a reason code."""


def load_template(path: str | Path) -> Template:
    """Return the template in a YAML file; its name is the file's stem."""
    path = Path(path)
    if not path.exists():
        known = [other.stem for other in path.parent.glob("*.yaml")]
        raise JudgemergeError(f"{path.parent}: there is no prompt '{path.stem}'{did_you_mean(path.stem, known)}")
    raw = load_yaml(path)
    check_keys(raw, KEYS, OPTIONAL_KEYS, f"{path}: the prompt")
    if raw["protocol"] not in PLACEHOLDERS:
        raise JudgemergeError(f"{path}: protocol '{raw['protocol']}' is neither pairwise nor pointwise")
    template = Template(name=path.stem, **raw)
    unknown = template.fields - PLACEHOLDERS[template.protocol]
    for field in sorted(unknown):
        raise JudgemergeError(
            f"{path}: placeholder '{{{field}}}' is unknown{did_you_mean(field, PLACEHOLDERS[template.protocol])}"
        )
    for field in sorted(REQUIRED[template.protocol] - template.fields):
        raise JudgemergeError(f"{path}: placeholder '{{{field}}}' is missing from the user message; add it")
    answer = "{verdict}" if template.protocol == "pairwise" else "{score}"
    if answer not in template.target:
        raise JudgemergeError(f"{path}: target is '{template.target}'; a {template.protocol} one needs {answer}")
    parsing.check_format(template.reply, template.protocol, str(path))
    return template


def render(template: Template, item: Item, order: Order) -> list[dict[str, str]]:
    """Return the chat messages that ask for a judgment of `item`, responses shown in `order`.

    Raises Unrenderable with a reason code (`no_text`, `no_reference`, `no_category`) when the item lacks a field.
    """
    if not item.judgeable:
        raise Unrenderable("no_text")
    shown = item.responses if order == "original" else item.responses[::-1]
    values = {"prompt": _turns(item.turns), "reference": item.reference, "category": item.category}
    if item.protocol == "pairwise":
        values |= {"response_a": _turns(shown[0]), "response_b": _turns(shown[1])}
    else:
        values |= {"response": _turns(shown[0])}
    for field in ("reference", "category"):
        if field in template.fields and values[field] is None:
            raise Unrenderable(f"no_{field}")
    messages = [{"role": "user", "content": _fill(template.user, values)}]
    if template.system:
        messages.insert(0, {"role": "system", "content": _fill(template.system, values)})
    return messages


def target(template: Template, item: Item, order: Order) -> str:
    """Return the answer that a judge trained with this template should give to `item` shown in `order`."""
    if item.protocol == "pointwise":
        return _fill(template.target, {"score": f"{item.truth:g}"})
    shown_truth = item.truth if order == "original" else SWAPPED[item.truth]
    return _fill(template.target, {"verdict": template.reply[shown_truth]})


def _turns(turns: tuple[str, ...]) -> str:
    """Return one turn as it is, several under numbered headings."""
    if len(turns) == 1:
        return turns[0]
    return "\n\n".join(f"[Turn {number}]\n{turn}" for number, turn in enumerate(turns, 1))


def _fill(text: str, values: dict[str, str | None]) -> str:
    return _PLACEHOLDER.sub(lambda match: str(values.get(match[1], match[0])), text).strip()
