"""Any file of rows whose fields are named in the catalogue entry: a benchmark without Python.

JSON lines, a JSON list or object, CSV, TSV or Parquet, plain or gzipped. A set of protocol `prompts` (to be looked for
in benchmarks) names the field `prompt`, and neither responses nor label.

Truth: the field `options.fields.label`, mapped by `options.labels` to first, second or tie (pairwise) or to a number
(pointwise); without a label field, the majority of the votes, an even split being a tie (pairwise), or their mean
(pointwise). No F1 is published for data of your own.

    options:
      fields:                       # names, or paths: scores.fluency, judgments.0.decision
        prompt: question            # a text, a list of user turns, or messages {role, content}; [a, b] joins two fields
        responses: [answer_a, answer_b]   # one field per response: a text, a list of assistant turns, or messages;
                                          # or one field with a list of the two; [] where the texts are not public:
                                          # nothing can be judged anew
        label: winner               # or [score_a, score_b]: the higher score wins, equal ones are a tie
        votes: [anna, ben]          # one field per annotator (or pair of scores of one); or one field with a list of
                                    # votes, with an object {annotator: vote}, or with objects of `vote`, `annotator`
        vote: choice                # with `votes`: the vote in each of its objects; without: every row is one vote,
        annotator: worker           #   by this annotator, and the rows of one `id` are one item
        id: key                     # optional, like all that follow; [question, turn] joins fields; default: the row
                                    # number, counted from 0
        pair: [model_a, model_b]    # who gave the responses; part of the id. A row that names them the other way
                                    # round is about the same item, and its vote is turned round
        category: topic
        cluster: source_text        # default: the prompt, with case and white space folded
        reference: solution         # a list of texts is one reference, with a blank line between them
        models: [model_a, model_b]
        extra: [difficulty]         # kept as they are
      labels: {a: first, b: second, both: tie, skipped: null}   # value in the file → class or number; votes, too
      unlabelled: true              # items without a label or a vote stay: they are judged, and not scored
      label: first                  # instead of fields.label: the same truth for every row (chosen, rejected)
      rows: {list: samples, keys: [annotator, item], where: {split: test}}   # where rows are; see _rows.read_rows

A vote that is absent, null or blank was not cast, and so is a word that `labels` maps to null; an item without a vote,
or with a label that is mapped to null, is left out and counted (`without_truth`). Numbers may be written as text; NaN
and infinite ones are refused. An optional field may be absent or null in a row, but not absent in all of them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from judgemerge.core.catalogues import check_keys
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import SWAPPED, Item, Vote
from judgemerge.data.benchmarks import UNLABELLED, Entry, _fields
from judgemerge.data.benchmarks._rows import Row, check_layout, cluster_of, majority, read_rows

PROMPT_OPTIONAL = {"extra": list, "category": str} | dict.fromkeys(("id", "cluster"), (str, list))
OPTIONAL = PROMPT_OPTIONAL | {
    "label": (str, list),
    "votes": (str, list),
    "vote": (str, list),
    "annotator": str,
    "models": list,
    "pair": list,
    "reference": str,
}


def load(paths: dict[str, Path], spec: Entry, counts: Counter) -> Iterator[Item]:
    """Yield the items of role `rows`; counts rows, votes and items that have no truth."""
    fields, labels = check(spec, f"benchmark '{spec.name}'")
    rows = list(read_rows(paths["rows"], spec.options.get("rows")))
    where = f"benchmark '{spec.name}': options.fields"
    _fields.refuse_unknown(_optional_fields(fields), rows, where)
    for group in _groups(rows, fields):
        counts.update(rows=len(group))
        votes = _votes(group, fields, labels, spec.protocol)
        counts.update(votes=len(votes))
        truth = _truth(group, votes, fields, labels, spec)
        if truth is None and spec.protocol != "prompts" and not spec.options.get(UNLABELLED):
            counts.update(without_truth=1)
            continue
        yield _item(group[0], votes, truth, fields, spec)


def check(spec: Entry, where: str) -> tuple[dict, dict]:
    """Return the fields, with one per response, and the labels of an entry; one that cannot be right is refused."""
    options = spec.options
    types = {"labels": dict, "label": (str, int, float), "rows": dict, UNLABELLED: bool}
    check_keys(options, {"fields": dict}, types, f"{where}: options")
    check_layout(options.get("rows", {}), f"{where}: options.rows")
    fields = options["fields"]
    if spec.protocol == "prompts":
        check_keys(fields, {"prompt": (str, list)}, PROMPT_OPTIONAL, f"{where}: options.fields")
        return fields, {}
    check_keys(fields, {"prompt": (str, list), "responses": (str, list)}, OPTIONAL, f"{where}: options.fields")
    _check_truth(fields, options, where)
    _check_sides(fields, spec.protocol, where)
    n_responses = 2 if spec.protocol == "pairwise" else 1
    if isinstance(fields["responses"], str):
        name = fields["responses"]
        fields = {**fields, "responses": [name] if n_responses == 1 else [f"{name}.0", f"{name}.1"]}
    if len(fields["responses"]) not in (0, n_responses):
        raise JudgemergeError(
            f"{where}: options.fields.responses names {len(fields['responses'])}, but a {spec.protocol} item has "
            f"{n_responses}; name one field per response"
        )
    labels = _fields.label_map(options.get("labels", {}), spec.protocol, where)
    return fields, (_fields.OUR_WORDS if spec.protocol == "pairwise" else {}) | labels


def _check_truth(fields: dict, options: dict, where: str) -> None:
    """Refuse an entry that does not say where its truth is, or says it twice."""
    says_truth = {"label", "votes", "vote"} & fields.keys() or "label" in options
    if not says_truth and not options.get(UNLABELLED):
        raise JudgemergeError(
            f"{where}: options.fields names neither label nor votes; name the field that has the truth, or say "
            "`unlabelled: true` under options"
        )
    if "label" in fields and "label" in options:
        raise JudgemergeError(f"{where}: options.label and options.fields.label both say what is right; delete one")
    if "annotator" in fields and "vote" not in fields:
        raise JudgemergeError(f"{where}: options.fields has annotator and no vote; name the field of one vote")
    if "vote" in fields and "votes" not in fields and "id" not in fields:
        raise JudgemergeError(f"{where}: options.fields has vote and no id; name the field that rows of an item share")
    votes = fields.get("votes", [])
    pairs = [fields.get("label"), fields.get("vote"), *(votes if isinstance(votes, list) else ())]
    if any(isinstance(answer, list) and len(answer) != 2 for answer in pairs):
        raise JudgemergeError(f"{where}: options.fields: two scores are two fields, one per response; name two")


def _check_sides(fields: dict, protocol: str, where: str) -> None:
    """Refuse a `pair` that is none, or that says what another field says as well."""
    _fields.check_pair(fields, "id", where)
    if "pair" in fields and protocol != "pairwise":
        raise JudgemergeError(f"{where}: options.fields has pair, but a {protocol} item has one response; delete pair")
    for other in {"models", "label"} if "vote" in fields else {"models"}:
        if "pair" in fields and other in fields:
            raise JudgemergeError(f"{where}: options.fields has pair and {other}; delete one")


def _optional_fields(fields: dict) -> Iterator[str]:
    """Yield the fields that a row may lack."""
    yield from (fields[name] for name in ("category", "reference") if name in fields)
    yield from (*fields.get("models", ()), *fields.get("extra", ()))
    votes = fields.get("votes", [])
    for answer in [votes] if isinstance(votes, str) else votes:
        yield from _fields.names_of(answer)
    if "votes" not in fields:
        yield from (name for key in ("vote", "annotator") if key in fields for name in _fields.names_of(fields[key]))


def _groups(rows: list[Row], fields: dict) -> Iterable[list[Row]]:
    """Return the rows of every item: one each, or those of one id where a row is a vote."""
    if "vote" not in fields or "votes" in fields:
        return [[row] for row in rows]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(_fields.id_of(row, "id", fields), []).append(row)
    for group in groups.values():
        _check_same(group, fields)
    return groups.values()


def _check_same(group: list[Row], fields: dict) -> None:
    """Refuse rows of one item that show other texts or another label, and two votes of one annotator."""
    label = fields.get("label", [])
    same, sides = [*_fields.names_of(fields["prompt"]), *_fields.names_of(label)], fields["responses"]
    models = _fields.pair_of(group[0], fields)
    seen: dict[str, int] = {}
    for row in group:
        in_order = sides[::-1] if _fields.is_turned(row, fields, models) else sides
        for name, first in [*zip(same, same, strict=True), *zip(in_order, sides, strict=True)]:
            if row.find(name) != group[0].find(first):
                raise row.error(f"has another '{name}' than row {group[0].number} with the same id; correct one id")
        annotator = row.value(fields["annotator"]) if "annotator" in fields else None
        if annotator is not None and seen.setdefault(str(annotator), row.number) != row.number:
            raise row.error(
                f"is a second vote of '{annotator}', after row {seen[str(annotator)]}; leave one out, or take "
                "annotator out of options.fields, so that every row is a vote"
            )


def _votes(group: list[Row], fields: dict, labels: dict, protocol: str) -> tuple[Vote, ...]:
    if "votes" in fields:
        where = _fields.VoteFields(fields["votes"], fields.get("vote"), fields.get("annotator"))
        return _fields.read_votes(group[0], where, labels, protocol)
    if "vote" not in fields:
        return ()
    votes, models = [], _fields.pair_of(group[0], fields)
    for number, row in enumerate(group, 1):
        name = row.value(fields["annotator"]) if "annotator" in fields else None
        turned = _fields.is_turned(row, fields, models)
        for one in _fields.read_votes(row, _fields.VoteFields([fields["vote"]]), labels, protocol):
            votes.append(Vote(str(number if name is None else name), SWAPPED[one.vote] if turned else one.vote))
    return tuple(votes)


def _truth(group: list[Row], votes: tuple[Vote, ...], fields: dict, labels: dict, spec: Entry) -> str | float | None:
    if spec.protocol == "prompts":
        return None
    if "label" in spec.options:
        constant = Row(group[0].file, group[0].number, {"options.label": spec.options["label"]})
        return _fields.read_answer(constant, "options.label", labels, spec.protocol)
    if "label" in fields:
        return _fields.read_answer(group[0], fields["label"], labels, spec.protocol)
    if not votes:
        return None
    return majority(votes) if spec.protocol == "pairwise" else sum(vote.vote for vote in votes) / len(votes)


def _item(row: Row, votes: tuple[Vote, ...], truth: str | float | None, fields: dict, spec: Entry) -> Item:
    has_texts = spec.protocol == "prompts" or fields["responses"] != []
    prompt = _fields.read_prompt(row, fields["prompt"], is_name=not has_texts)
    held = spec.options["fields"].get("responses")
    if spec.protocol == "pairwise" and isinstance(held, str) and len(row.get(held, list)) != 2:
        raise row.error(f"field '{held}' is a list of {len(row.get(held, list))}, not of two responses")
    extra: dict[str, Any] = {"system": prompt.system} if prompt.system is not None else {}
    return Item(
        id=_fields.id_of(row, "id", fields),
        benchmark=spec.name,
        protocol=spec.protocol,
        turns=prompt.turns,
        responses=tuple(_fields.read_response(row, name, prompt) for name in fields.get("responses", ())),
        models=_fields.pair_of(row, fields)
        or tuple(_fields.joined_text(row, name) or "" for name in fields.get("models", ())),
        votes=votes,
        truth=truth,
        cluster=cluster_of(_fields.name_of(row, fields["cluster"]) if "cluster" in fields else prompt.turns[0]),
        origin=row.origin(spec),
        extra=extra | {name: _fields.plain_value(row, name) for name in fields.get("extra", ())},
        **{name: _fields.joined_text(row, fields[name]) for name in ("category", "reference") if name in fields},
    )
