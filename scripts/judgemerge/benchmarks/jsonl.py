"""Any JSON-lines file (or JSON list) whose fields are named in the catalogue entry: a benchmark without Python.

A set of protocol `prompts` (to be looked for in benchmarks) names the field `prompt`, and neither responses nor label.

Truth: the field `options.fields.label`, mapped by `options.labels` to first, second or tie (pairwise) or to a number
(pointwise); without a label field, the majority of the votes, an even split being a tie (pairwise), or their mean
(pointwise). No F1 is published for data of your own.

    options:
      fields:
        prompt: question            # a field with a text, or with a list of user turns
        responses: [answer_a, answer_b]   # one field per response: a text, or a list of assistant turns
        label: winner
        votes: [anna, ben]          # optional: one field per annotator
        id: key                     # optional, like all that follow; default: the row number, counted from 0
        category: topic
        cluster: source_text        # default: the prompt, with case and white space folded
        reference: solution
        models: [model_a, model_b]
        extra: [difficulty]         # kept as they are
      labels: {a: first, b: second, both: tie}   # value in the file → class or number; applies to votes too
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from judgemerge.benchmarks._rows import Row, cluster_of, majority, read_rows
from judgemerge.catalogues import check_keys
from judgemerge.errors import JudgemergeError
from judgemerge.items import CLASSES, Item, Vote

OPTIONAL = {"votes": list, "models": list, "extra": list} | dict.fromkeys(
    ("id", "category", "cluster", "reference"), str
)
PROMPT_OPTIONAL = {"extra": list} | dict.fromkeys(("id", "category", "cluster"), str)


def load(paths: dict[str, Path], spec: dict, counts: Counter) -> Iterator[Item]:
    """Yield the items of role `rows`; counts rows and votes."""
    fields, labels = _check(spec)
    for row in read_rows(paths["rows"]):
        counts["rows"] += 1
        counts["votes"] += len(fields.get("votes", ()))
        yield _item(row, fields, labels, spec)


def _check(spec: dict) -> tuple[dict, dict]:
    where = f"benchmark '{spec['name']}'"
    check_keys(spec["options"], {"fields": dict}, {"labels": dict}, f"{where}: options")
    fields = spec["options"]["fields"]
    if spec["protocol"] == "prompts":
        check_keys(fields, {"prompt": str}, PROMPT_OPTIONAL, f"{where}: options.fields")
        return fields, {}
    check_keys(fields, {"prompt": str, "responses": list}, {**OPTIONAL, "label": str}, f"{where}: options.fields")
    if not {"label", "votes"} & fields.keys():
        raise JudgemergeError(
            f"{where}: options.fields names neither label nor votes; name the field that has the truth"
        )
    wanted = 2 if spec["protocol"] == "pairwise" else 1
    if len(fields["responses"]) != wanted:
        raise JudgemergeError(
            f"{where}: options.fields.responses names {len(fields['responses'])}, but a {spec['protocol']} item has "
            f"{wanted}; name one field per response"
        )
    # YAML may read 1, true and "1" as three different keys; the file may write any of them.
    labels = {str(value): label for value, label in spec["options"].get("labels", {}).items()}
    wrong = [label for label in labels.values() if _is_wrong(label, spec["protocol"])]
    if wrong:
        meaning = ", ".join(CLASSES) if spec["protocol"] == "pairwise" else "a number"
        raise JudgemergeError(f"{where}: options.labels maps to {wrong[0]!r}, not to {meaning}")
    return fields, labels


def _is_wrong(label: object, protocol: str) -> bool:
    return label not in CLASSES if protocol == "pairwise" else type(label) not in (int, float)


def _item(row: Row, fields: dict, labels: dict, spec: dict) -> Item:
    turns = _turns(row, fields["prompt"])
    pairwise = spec["protocol"] == "pairwise"
    votes = tuple(Vote(name, _label(row, name, labels, spec["protocol"])) for name in fields.get("votes", ()))
    if spec["protocol"] == "prompts":
        truth = None
    elif "label" in fields:
        truth = _label(row, fields["label"], labels, spec["protocol"])
    else:
        truth = majority(votes) if pairwise else sum(vote.vote for vote in votes) / len(votes)
    optional = {name: _optional(row, fields[name]) for name in ("category", "reference") if name in fields}
    return Item(
        id=str(row.get(fields["id"], (str, int))) if "id" in fields else str(row.number),
        benchmark=spec["name"],
        protocol=spec["protocol"],
        turns=turns,
        responses=tuple(_turns(row, name) for name in fields.get("responses", ())),
        models=tuple(row.get(name) for name in fields.get("models", ())),
        votes=votes,
        truth=truth,
        cluster=cluster_of(str(row.get(fields["cluster"], (str, int))) if "cluster" in fields else turns[0]),
        origin={"source": spec["sources"]["rows"], "row": row.number},
        extra={name: row.data.get(name) for name in fields.get("extra", ())},
        **optional,
    )


def _turns(row: Row, field: str) -> tuple[str, ...]:
    value = row.get(field, (str, list))
    turns = (value,) if isinstance(value, str) else tuple(value)
    if not turns or not all(isinstance(turn, str) for turn in turns):
        raise row.error(f"field '{field}' is not a text or a list of texts")
    return turns


def _optional(row: Row, field: str) -> str | None:
    value = row.get(field, (str, int, float, type(None)))
    return None if value is None else str(value)


def _label(row: Row, field: str, labels: dict[str, Any], protocol: str) -> str | float:
    value = row.get(field, (str, int, float, bool))
    # A field read as float compares as the whole number it may have been written as.
    written = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    label = labels.get(written, labels.get(str(value), value))
    if _is_wrong(label, protocol):
        known = f"options.labels knows {', '.join(labels)}" if labels else "say in options.labels what it means"
        raise row.error(f"field '{field}' is {value!r}, which is no {protocol} label; {known}")
    return label if protocol == "pairwise" else float(label)
