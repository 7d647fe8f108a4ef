"""Texts that others published inside their Python files: read, never run.

Judges that were fine-tuned on exact words are asked in exactly these. Their makers keep the words as constants of a
module, so a raw file (config/sources.yaml) is the module, and a name in it says which text is meant.
"""

import ast
from functools import cache
from pathlib import Path
from typing import Any

from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.files import version


def python_text(path: str | Path, name: str, where: str) -> str:
    """Return the text that a Python file gives to `name`; of an f-string with its names in braces, others doubled.

    `name#2` is the second text that is given to that name. `where` opens the error for a name that the file does not
    have, or that holds no text.
    """
    value = _value(path, name, where)
    text = _text(value)
    if text is None:
        raise JudgemergeError(f"{where} names '{name}' of {path}, which is no text there; name a constant that is one")
    return text


def python_arguments(path: str | Path, name: str, where: str) -> dict[str, Any]:
    """Return the keyword arguments of the call that a Python file gives to `name`, calls in them as dicts again."""
    value = _value(path, name, where)
    if not isinstance(value, ast.Call) or not value.keywords:
        raise JudgemergeError(f"{where} names '{name}' of {path}, which is not made of keyword arguments there")
    return _literal(value)


def _value(path: str | Path, name: str, where: str) -> ast.expr:
    bare, _, number = name.partition("#")
    try:
        assigned = _assigned(*version(path))
    except (SyntaxError, ValueError) as error:
        raise JudgemergeError(f"{path}: is not Python ({error}); fetch the file again") from None
    values = assigned.get(bare, [])
    place = int(number) if number.isdigit() else 1
    if not 1 <= place <= len(values):
        raise JudgemergeError(f"{where} names '{name}', which {path} does not have{did_you_mean(bare, assigned)}")
    return values[place - 1]


@cache
def _assigned(path: str | Path, changed: int, size: int) -> dict[str, list[ast.expr]]:
    """Return every value that a Python file gives to a name, in the order of its lines."""
    assigned: dict[str, list[ast.expr]] = {}
    nodes = [node for node in ast.walk(ast.parse(Path(path).read_text("utf-8"))) if isinstance(node, ast.stmt)]
    for node in sorted(nodes, key=lambda node: node.lineno):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if getattr(node, "value", None) is not None:
            for target in targets:
                if isinstance(target, ast.Name):
                    assigned.setdefault(target.id, []).append(node.value)
    return assigned


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [
            f"{{{ast.unparse(part.value)}}}"
            if isinstance(part, ast.FormattedValue)
            else str(part.value).replace("{", "{{").replace("}", "}}")
            for part in node.values
        ]
        return "".join(parts)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "strip":
        text = _text(node.func.value)
        return text if text is None else text.strip()
    return None


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):
        return {keyword.arg: _literal(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(element) for element in node.elts]
    return ast.literal_eval(node)
