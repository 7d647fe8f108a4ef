"""Published verdict files: judges that somebody else ran, read as verdicts on our items.

A reader takes `(paths, items, options)` and yields one `Recorded` per item and available order: the verdict, mapped
back to the benchmark's order, and what is left of the judge's reply. Rows are joined to items by index or id, and the
texts must agree wherever the file has them. An unreadable reply is an error `unparsed`, never a tie; an item without a
row is an error `not_recorded`. A format is one function and one entry of FORMATS and
ROLES; the judges are in config/recorded.yaml.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from judgemerge.benchmarks import mtbench
from judgemerge.benchmarks._rows import Row, normalise, read_rows
from judgemerge.catalogues import check_keys, load_yaml
from judgemerge.errors import JudgemergeError, did_you_mean
from judgemerge.items import CLASSES, SWAPPED, Item, Verdict

ORDERS = ("original", "swapped")
REQUIRED = {"label": str, "format": str, "benchmarks": dict}
OPTIONAL = {"options": dict, "description": str, "own_models": list}


@dataclass(frozen=True)
class RecordedJudge:
    """A judge of config/recorded.yaml: `benchmarks` maps a benchmark to its source keys by role.

    `own_models` are the names, as benchmarks have them, of the models that are the judge or what it was made from.
    """

    name: str
    label: str
    format: str
    benchmarks: dict[str, dict[str, str]]
    options: dict = field(default_factory=dict)
    description: str = ""
    own_models: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Recorded:
    """A verdict with the reply it was read from (null when the file has none) and what else the file says of it."""

    verdict: Verdict
    reply: str | None = None
    extra: dict = field(default_factory=dict)


def load_recorded(path: str | Path) -> dict[str, RecordedJudge]:
    """Return the recorded judges of a catalogue by name; an entry that cannot be right raises JudgemergeError."""
    judges = {}
    for name, entry in load_yaml(path).items():
        where = f"{path}: recorded judge '{name}'"
        check_keys(entry, REQUIRED, OPTIONAL, where)
        if entry["format"] not in FORMATS:
            raise JudgemergeError(
                f"{where}: unknown format '{entry['format']}'{did_you_mean(entry['format'], FORMATS)}"
            )
        check_keys(entry["benchmarks"], {}, dict.fromkeys(entry["benchmarks"], dict), f"{where}: benchmarks")
        required, optional = ROLES[entry["format"]]
        for benchmark, roles in entry["benchmarks"].items():
            check_keys(roles, dict.fromkeys(required, str), dict.fromkeys(optional, str), f"{where}: {benchmark}")
        if entry["format"] == "jsonl":
            _check_jsonl(entry, where)
        judges[name] = RecordedJudge(name=name, **entry)
    return judges


def read_recorded(
    format: str, paths: dict[str, Path], items: Iterable[Item], options: dict | None = None
) -> Iterator[Recorded]:
    """Yield the recorded verdicts on the items, in their order; an item has one per order that the format records."""
    if format not in FORMATS:
        raise JudgemergeError(f"unknown format of recorded verdicts '{format}'{did_you_mean(format, FORMATS)}")
    return FORMATS[format](paths, list(items), options or {})


def read_llmbar(paths: dict[str, Path], items: list[Item], options: dict) -> Iterator[Recorded]:
    """Read an LLMBar result.json (role `result`) of any of its strategies; both orders.

    The verdict is in the last element of `results`, whatever the strategy put before it (metrics, a reference, the
    first round of Swap). Winners are already in the benchmark's order. Rating strategies score each output once, and
    LLMBar turns the two scores into winners: equal scores into one win each, and unreadable scores too. Here the scores
    decide (equal = tie, unreadable = `unparsed`), and LLMBar's winners are kept for the rows with published rules; with
    `rating: winners` they decide everywhere. The reply of a rating is its two scores, one per line.
    """
    rule = options.get("rating", "scores")
    if rule not in ("scores", "winners"):
        raise JudgemergeError(f"option rating is '{rule}', not scores or winners")
    rows = _by_key(paths["result"], lambda row: row.number)
    for item in items:
        row = rows.get(item.origin["row"])
        if row is None:
            yield from _not_recorded(item, ORDERS)
            continue
        _check_text(row, "input", item.turns[0], item)
        _check_text(row, "output_1", item.responses[0][0], item)
        _check_text(row, "output_2", item.responses[1][0], item)
        results = row.get("results", list)
        if not results or not isinstance(results[-1], dict):
            raise row.error("field 'results' does not end with an object that has the winners")
        last = Row(row.file, row.number, results[-1])
        for order, key in zip(ORDERS, ("swap = False", "swap = True"), strict=True):
            yield _llmbar_verdict(item, order, last, Row(row.file, row.number, last.get(key, dict)), rule)


def _llmbar_verdict(item: Item, order: str, last: Row, game: Row, rule: str) -> Recorded:
    outcome = {"1": "first", "2": "second", None: None}[game.get("winner", (str, type(None)), ("1", "2", None))]
    if "score_1" not in last.data:
        completion = game.get("completion", list)
        return _recorded(item, order, outcome, completion[0], finish_reason=completion[1])
    texts = [last.get(f"score_{number}", list)[0] for number in (1, 2)]
    winner = outcome
    if rule == "scores":
        outcome = _compare(*(int(text) if re.fullmatch(r"\s*[+-]?\d+\s*", text) else None for text in texts))
    recorded = _recorded(item, order, outcome, "\n".join(texts))
    if winner == outcome:
        return recorded
    return dataclasses.replace(recorded, verdict=dataclasses.replace(recorded.verdict, published=winner or "error"))


def _compare(first: int | None, second: int | None) -> str | None:
    if first is None or second is None:
        return None
    return "tie" if first == second else "first" if first > second else "second"


def read_autoj(paths: dict[str, Path], items: list[Item], options: dict) -> Iterator[Recorded]:
    """Read Auto-J's verdicts (roles `original`, and `swapped` for the exchange file): {output: 0, 1 or 2} per line.

    The exchange file speaks of the positions that were shown, so 0 and 1 change places. The files have no texts: lines
    belong to rows by their number alone, and a file with more lines than items is refused.
    """
    outcomes = {0: "first", 1: "second", 2: "tie"}
    files = {order: _by_key(paths[order], lambda row: row.number) for order in ORDERS if order in paths}
    for order, rows in files.items():
        if len(rows) > len(items) and not options.get("drawn"):
            raise JudgemergeError(
                f"{paths[order]}: {len(rows)} verdicts for {len(items)} items; without texts they can only be matched "
                "by number, so give all items of the benchmark"
            )
    for item in items:
        for order, rows in files.items():
            row = rows.get(item.origin["row"])
            if row is None:
                yield from _not_recorded(item, (order,))
                continue
            outcome = outcomes.get(row.get("output", (int, str, type(None))))
            yield _recorded(item, order, SWAPPED[outcome] if outcome and order == "swapped" else outcome, None)


def read_pandalm(paths: dict[str, Path], items: list[Item], options: dict) -> Iterator[Recorded]:
    """Read PandaLM's verdict files (role `verdicts`), joined by idx; one order.

    `pandalm_result` is 0, 1 or 2; `gpt_result` is "1", "2", "Tie" or "garbage", which is `unparsed`. The files keep
    only parts of the reply: the reason is given as the reply, the judge's own answer is in `extra`.
    """
    outcomes = {"0": "tie", "1": "first", "2": "second", "Tie": "tie"}
    rows = _by_key(paths["verdicts"], lambda row: str(row.get("idx", int)))
    for item in items:
        row = rows.get(item.id)
        if row is None:
            yield from _not_recorded(item, ORDERS[:1])
            continue
        prefix = "pandalm" if "pandalm_result" in row.data else "gpt"
        outcome = outcomes.get(str(row.get(f"{prefix}_result", (int, str))))
        reply = row.get(f"{prefix}_reason") or None
        yield _recorded(item, "original", outcome, reply, reference=row.get(f"{prefix}_reference"))


def read_mtbench_snapshot(paths: dict[str, Path], items: list[Item], options: dict) -> Iterator[Recorded]:
    """Read GPT-4's verdicts of the MT-Bench snapshot (role `verdicts`), joined by question, turn and models.

    A row is one verdict from both orders, given once, as `original`: a win is a win in both orders, and "tie
    (inconsistent)" is a tie whose `extra.inconsistent` is true, as in the MT-Bench paper. There are no replies.
    """
    winners = (*mtbench.WINNERS, "tie (inconsistent)")
    rows = _by_key(paths["verdicts"], lambda row: mtbench.item_id(mtbench.pair_of(row)))
    for item in items:
        row = rows.get(item.id)
        if row is None:
            yield from _not_recorded(item, ORDERS[:1])
            continue
        outcome = mtbench.class_of(row, winners)
        yield _recorded(item, "original", outcome, None, inconsistent=row.get("winner") == "tie (inconsistent)")


def read_fastchat_pairs(paths: dict[str, Path], items: list[Item], options: dict) -> Iterator[Recorded]:
    """Read a FastChat gpt-4_pair.jsonl (role `verdicts`), joined by question, turn and models; both orders.

    Game 1 shows model_1 first, game 2 model_2 first; both winners name the model, so neither is swapped again. An item
    whose models are the other way round has game 2 as its original order. "error" is `unparsed`. The question, and the
    answers where they are public, must occur in the stored prompts in the order shown.
    """
    rows = _by_key(
        paths["verdicts"],
        lambda row: (
            row.get("question_id", int),
            row.get("turn", int),
            *sorted((row.get("model_1"), row.get("model_2"))),
        ),
    )
    for item in items:
        row = rows.get((item.extra.get("question_id"), item.extra.get("turn"), *sorted(item.models)))
        if row is None:
            yield from _not_recorded(item, ORDERS)
            continue
        same = row.get("model_1") == item.models[0]
        for order, game in zip(ORDERS, ("g1", "g2") if same else ("g2", "g1"), strict=True):
            _check_prompt(row, f"{game}_user_prompt", item, order)
            winner = row.get(f"{game}_winner", str, ("model_1", "model_2", "tie", "error"))
            outcome = {"model_1": "first", "model_2": "second", "tie": "tie", "error": None}[winner]
            outcome = outcome if same or outcome is None else SWAPPED[outcome]
            yield _recorded(item, order, outcome, row.get(f"{game}_judgment"), template=row.get("judge", list)[-1])


def read_meld_autoj(paths: dict[str, Path], items: list[Item], options: dict) -> Iterator[Recorded]:
    """Read the Auto-J replies in MELD's length-bias file (role `verdicts`), joined by id; one order.

    The verdict is what follows the last "final decision is": Response 1, Response 2 or Tie.
    """
    outcomes = {"response 1": "first", "response 2": "second", "tie": "tie"}
    rows = _by_key(paths["verdicts"], lambda row: str(row.get("id", int)))
    for item in items:
        row = rows.get(item.id)
        if row is None:
            yield from _not_recorded(item, ORDERS[:1])
            continue
        _check_text(row, "question", item.turns[0], item)
        _check_text(row, "answer1_body", item.responses[0][0], item)
        _check_text(row, "answer2_body", item.responses[1][0], item)
        reply = row.get("autoj_response")
        decision = reply.rpartition("final decision is")[2] if "final decision is" in reply else ""
        match = re.match(r"\s*(response [12]|tie)\b", decision, re.IGNORECASE)
        yield _recorded(item, "original", outcomes[match[1].lower()] if match else None, reply)


def _check_jsonl(entry: dict, where: str) -> None:
    """Refuse options of the format `jsonl` that cannot be right."""
    known = {"labels": dict, "positions": str}
    check_keys(entry.get("options"), {"fields": dict}, known, f"{where}: options")
    options, answers = entry["options"], {"verdict", "score"}
    optional = dict.fromkeys((*answers, "reply"), str)
    check_keys(options["fields"], {"item": str}, optional, f"{where}: options.fields")
    if len(answers & options["fields"].keys()) != 1:
        raise JudgemergeError(f"{where}: options.fields needs either verdict (of pairs) or score (of single answers)")
    for label in options.get("labels", {}).values():
        if label not in CLASSES:
            raise JudgemergeError(f"{where}: options.labels maps to {label!r}, not to {', '.join(CLASSES)}")
    swapped = any("swapped" in roles for roles in entry["benchmarks"].values())
    if swapped and options.get("positions") not in ("shown", "benchmark"):
        raise JudgemergeError(
            f"{where}: options.positions is '{options.get('positions')}'; say `shown` when `first` in the swapped file "
            "is the response that was shown first, `benchmark` when it is the benchmark's first"
        )


def read_jsonl(paths: dict[str, Path], items: list[Item], options: dict) -> Iterator[Recorded]:
    """Read verdicts of your own (role `original`, and `swapped` when both orders were judged): a JSON object per item.

    `options.fields` names the fields with the item's id (`item`), with the `verdict` on a pair or the `score` of one
    answer, and with the `reply` if there is one. `options.labels` maps verdicts to first, second and tie; any other
    value, null too, is `unparsed`. `options.positions` says what `first` means in the swapped file: the response
    `shown` first, or the `benchmark`'s first. A file without a single known item is refused.
    """
    fields, labels = options["fields"], {str(key): label for key, label in options.get("labels", {}).items()}
    labels = labels or dict(zip(CLASSES, CLASSES, strict=True))
    answer = "verdict" if "verdict" in fields else "score"
    wanted = {"pairwise": "verdict", "pointwise": "score"}[items[0].protocol] if items else answer
    if answer != wanted:
        raise JudgemergeError(
            f"{paths['original']}: options.fields names a {answer}, but {items[0].benchmark} is {items[0].protocol}; "
            f"name the field with the {wanted}"
        )
    files = {order: _by_key(paths[order], lambda row: str(row.get(fields["item"], (str, int)))) for order in paths}
    for order, rows in files.items():
        if rows and not rows.keys() & {item.id for item in items}:
            raise JudgemergeError(
                f"{paths[order]}: none of its ids ({', '.join(list(rows)[:3])} …) is an item; items are called "
                f"{', '.join(item.id for item in items[:3])} …"
            )
    for item in items:
        for order in (order for order in ORDERS if order in files):
            row = files[order].get(item.id)
            if row is None:
                yield from _not_recorded(item, (order,))
                continue
            reply = row.get(fields["reply"], (str, type(None))) if "reply" in fields else None
            if "score" in fields:
                yield _scored(item, order, row.get(fields["score"], (float, str, type(None))), reply)
                continue
            outcome = labels.get(str(row.get(fields["verdict"], (str, int, bool, type(None)))))
            back = order == "swapped" and options["positions"] == "shown"
            yield _recorded(item, order, SWAPPED[outcome] if outcome and back else outcome, reply)


def _scored(item: Item, order: str, score: object, reply: str | None) -> Recorded:
    """Return a recorded grade; what is no number could not be read."""
    if isinstance(score, float):
        return Recorded(Verdict(item.id, order, "score", score=score), reply)
    return Recorded(Verdict(item.id, order, "error", reason="unparsed"), reply)


FORMATS: dict[str, Callable[[dict[str, Path], list[Item], dict], Iterator[Recorded]]] = {
    "llmbar": read_llmbar,
    "autoj": read_autoj,
    "pandalm": read_pandalm,
    "mtbench_snapshot": read_mtbench_snapshot,
    "fastchat_pairs": read_fastchat_pairs,
    "meld_autoj": read_meld_autoj,
    "jsonl": read_jsonl,
}


ROLES = {  # the files that a format wants, and those that it can do without
    "llmbar": (("result",), ()),
    "autoj": ((), ("original", "swapped")),
    "pandalm": (("verdicts",), ()),
    "mtbench_snapshot": (("verdicts",), ()),
    "fastchat_pairs": (("verdicts",), ()),
    "meld_autoj": (("verdicts",), ()),
    "jsonl": (("original",), ("swapped",)),
}
VERDICT_FIELDS = {
    "autoj": ("output",),
    "pandalm": ("pandalm_result", "gpt_result"),
    "mtbench_snapshot": ("winner",),
    "fastchat_pairs": ("g1_winner", "g2_winner"),
}


def count_recorded(format: str, paths: dict[str, Path], recorded: Iterable[Recorded]) -> dict:
    """Return what was counted on the way: `outcomes` on the items, and the `rows` and verdict `values` of each role.

    The outcome of an error is its reason. Values are counted as they stand in the file, also in rows that belong to no
    item; formats whose verdict is not a field of the row have none.
    """
    outcomes = Counter(one.verdict.reason or one.verdict.outcome for one in recorded)
    rows = {role: list(read_rows(path)) for role, path in paths.items()}
    fields = VERDICT_FIELDS.get(format, ())
    values = {
        role: Counter(str(row.data[name]) for row in held for name in fields if name in row.data)
        for role, held in rows.items()
    }
    return {
        "outcomes": dict(outcomes),
        "rows": {role: len(held) for role, held in rows.items()},
        "values": {role: dict(counted) for role, counted in values.items() if counted},
    }


def _by_key(path: Path, key_of: Callable[[Row], Hashable]) -> dict[Hashable, Row]:
    rows = {}
    for row in read_rows(path):
        key = key_of(row)
        if key in rows:
            raise row.error(f"a second verdict on {key}, after row {rows[key].number}")
        rows[key] = row
    return rows


def _recorded(item: Item, order: str, outcome: str | None, reply: str | None, **extra: object) -> Recorded:
    """Return a recorded verdict; no outcome means that nobody could read the reply."""
    verdict = Verdict(item.id, order, outcome or "error", reason=None if outcome else "unparsed")
    return Recorded(verdict, reply, extra)


def _not_recorded(item: Item, orders: Iterable[str]) -> Iterator[Recorded]:
    for order in orders:
        yield Recorded(Verdict(item.id, order, "error", reason="not_recorded"))


def _check_text(row: Row, name: str, expected: str, item: Item) -> None:
    if normalise(str(row.data.get(name))) != normalise(expected):
        raise row.error(
            f"field '{name}' starts with {str(row.data.get(name))[:40]!r}, but item {item.id} of {item.benchmark} has "
            f"{expected[:40]!r}"
        )


def _check_prompt(row: Row, name: str, item: Item, order: str) -> None:
    """Raise unless the last question, and both last answers in the order shown, occur in a stored prompt."""
    prompt, start = normalise(row.get(name)), 0
    responses = item.responses if order == "original" else item.responses[::-1]
    for text in (item.turns[-1], *(response[-1] for response in responses)):
        position = prompt.find(normalise(text), start)
        if position < 0:
            raise row.error(f"field '{name}' lacks {text[:40]!r}, which item {item.id} shows there in {order} order")
        start = position + len(normalise(text))
