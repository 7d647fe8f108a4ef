"""Judging outside a study: JSON records in, verdicts of both orders out, for `scripts/commands/judge.py` and the page.

A record is one JSON object: `prompt` (or `turns`), then `response_a` and `response_b` for a pair, `response` for a
single answer (or `responses`, as in item files); `id`, `reference`, `category` if there are any. Other projects' names
of these are read too, and lists of records (data/loose_records.py). Every other key is a field that a prompt may ask
for (`rubric`, say). What cannot be judged gives an error record; nothing stops the stream.
"""

import dataclasses
import difflib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import SWAPPED, Item, Order, Outcome
from judgemerge.data import loose_records
from judgemerge.judge import backends, endpoints, judging
from judgemerge.judge.backends import LOGPROBS, Backend
from judgemerge.judge.requests import Progress, Request, ask, no_progress
from judgemerge.judge.store import Store
from judgemerge.prompting import dimensions, parsing, rubric_metrics
from judgemerge.prompting.parsing import Reply
from judgemerge.prompting.prompts import Template, Unrenderable, load_template, prompt_sources
from judgemerge.prompting.rubric_metrics import Metric
from judgemerge.settings.models import Endpoint

MOST_CHARACTERS = 4_000_000  # of one record
TOO_LONG = f"the record is longer than {MOST_CHARACTERS} characters; shorten it"
# Keys of an item file that mean nothing here: the answer of people is not looked at.
IGNORED = ("benchmark", "protocol", "truth", "votes", "models", "cluster", "origin")
_ANSWERS = {"pairwise": ("response_a", "response_b"), "pointwise": ("response",)}


class BadRecord(Exception):
    """A record that cannot be judged; `key` is the key that is wrong, None when it is the record as a whole."""

    def __init__(self, key: str | None, message: str):
        super().__init__(message)
        self.key = key


def find_template(name: str, folder: str | Path, sources: str | Path | None = None) -> Template:
    """Return a prompt by its name in `folder`, or by its file; `sources` holds raw files that its texts lie in."""
    path = Path(name) if Path(name).suffix in (".yaml", ".yml") else Path(folder, f"{name}.yaml")
    if path.is_file() and sources is None:
        missing = [source for source in prompt_sources(path) if "/" not in source and not Path(source).suffix]
        if missing:
            raise JudgemergeError(
                f"{path}: takes texts from raw files ({missing[0]} …); give the folder where a study has fetched them, "
                "results/<study>/sources"
            )
    return load_template(path, sources)


def find_metric(name: str | None, template: Template, folder: str | Path) -> Metric | None:
    """Return the metric of a name in `folder`, or of a file, None without a name; refuse a prompt that hides it."""
    if name is None:
        return None
    metric = rubric_metrics.load_metric(rubric_metrics.metric_file(name, "--metric", folder))
    if template.protocol != "pointwise":
        raise JudgemergeError(
            f"--metric {name} grades single answers, but prompt '{template.name}' is {template.protocol}; use "
            "rubric_pointwise"
        )
    rubric_metrics.check_prompt(template, metric, "--prompt")
    return metric


def with_metric(item: Item, metric: Metric) -> Item:
    """Return the item with what a metric's prompt shows in its `extra`; raises BadRecord for an input that it lacks."""
    try:
        values = rubric_metrics.input_values(metric, item, {})
    except Unrenderable as reason:
        key = str(reason).removeprefix("no_")
        raise BadRecord(key, f"key '{key}' is missing; metric '{metric.name}' needs it") from None
    except JudgemergeError as error:
        raise BadRecord(None, str(error)) from None
    placeholders = rubric_metrics.placeholders(metric, values, item.responses[0][-1])
    return dataclasses.replace(item, extra={**item.extra, **placeholders})


def open_model(model: str, settings: Mapping[str, Any], scratch: str | Path):
    """Return the backend of a model folder, a GGUF file, or the address of an endpoint.

    `settings` has what backends.load wants, and `backend` (of a folder), `tokenizer` (folder, of a GGUF file), `name`
    and `api_key` (of an endpoint). `scratch` is an empty folder that must outlive the backend.
    """
    if model.startswith(("http://", "https://")):
        if not (name := settings.get("name")):
            raise JudgemergeError(f"{model}: an endpoint serves several models; say which one with --name")
        sent = settings.get("endpoint_settings")
        entry = Endpoint(url=model, model=name, **({} if sent is None else {"settings": sent}))
        endpoints.check_entry(entry, model)
        manifest = Path(scratch, "endpoint.json")
        files.write_json(manifest, endpoints.manifest(entry))
        return backends.load("openai", manifest, settings)
    path = Path(model)
    if path.suffix == ".gguf" and path.is_file():
        return backends.load("llama_cpp", _gguf_folder(path, settings.get("tokenizer"), Path(scratch)), settings)
    if not path.is_dir():
        raise JudgemergeError(f"{model}: no such folder; give a model folder, a .gguf file or an address (http…)")
    if (path / models.GGUF_FILE).is_file():
        return backends.load("llama_cpp", path, settings)
    models.check_folder(path)
    models.check_one_set_of_weights(path)
    return backends.load(settings.get("backend") or backends.DEFAULT, path, settings)


def _gguf_folder(path: Path, tokenizer: str | None, scratch: Path) -> Path:
    """Fill `scratch` with links to a GGUF file and to the tokenizer of the model that it was made from."""
    folder = Path(tokenizer) if tokenizer else path.parent
    for name in ("tokenizer.json", "config.json"):
        if not (folder / name).is_file():
            raise JudgemergeError(
                f"{path}: {folder} has no {name}; give the folder of the model it was made from with --tokenizer"
            )
    for source in models.description_files(folder):
        link = scratch / source.relative_to(folder)
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(source.resolve())
    (scratch / models.GGUF_FILE).symlink_to(path.resolve())
    return scratch


@dataclass(frozen=True)
class Record:
    """One record as it came: the number of its first line, its text, or why there is no text."""

    line: int
    text: str
    fault: str | None = None


def read_lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream; of a line that is too long only the beginning, so that memory stays bounded.

    Where the stream begins with a list, all of it is its last line.
    """
    is_begun = False
    while line := stream.readline(MOST_CHARACTERS + 2):
        if not is_begun and loose_records.begins_list(line):
            yield line + stream.read(loose_records.MOST_BYTES)
            return
        is_begun = is_begun or bool(line.strip())
        rest = line
        while not rest.endswith(b"\n") and (rest := stream.readline(MOST_CHARACTERS)):
            pass
        yield line


def split(lines: Iterable[bytes]) -> Iterator[Record]:
    """Yield one record per entry of a list, or per line that is not blank and per object indented over several lines.

    Such an object begins with `{` and ends with `}` at the start of a line. One that is never completed is given back
    as its lines, each to be refused by itself.
    """
    numbered = enumerate(lines, 1)
    number, first = next(((number, line) for number, line in numbered if line.strip()), (1, b""))
    if loose_records.begins_list(first):
        text = first + b"".join(line for _, line in numbered)
        yield from (_of_entry(entry) for entry in loose_records.entries(text, number))
    else:
        yield from _split_lines(itertools.chain([(number, first)], numbered))


def _of_entry(entry: loose_records.Entry) -> Record:
    """Return an entry of a list as a record."""
    too_long = len(entry.text) > MOST_CHARACTERS
    return Record(entry.line, "", TOO_LONG) if too_long else Record(*entry)


def _split_lines(numbered: Iterable[tuple[int, bytes]]) -> Iterator[Record]:
    unfinished: list[Record] = []
    n_characters = 0  # of the lines in `unfinished`
    for number, line in numbered:
        record = _decoded(number, line)
        if not record.text.strip() and record.fault is None:
            continue
        if unfinished and (record.fault or record.text.startswith("{") or n_characters > MOST_CHARACTERS):
            yield from unfinished  # cut off: this line is another record
            unfinished = []
        if not unfinished and not _is_unfinished(record):
            yield record
            continue
        n_characters = len(record.text) + (n_characters if unfinished else 0)
        unfinished.append(record)
        if record.text.startswith("}"):
            whole = Record(unfinished[0].line, "\n".join(part.text for part in unfinished))
            yield from [whole] if parsed(whole.text)[1] is None else unfinished
            unfinished = []
    yield from unfinished


def _is_unfinished(record: Record) -> bool:
    """Whether an object begins here and nothing is wrong until the line ends."""
    if record.fault or not record.text.startswith("{"):
        return False
    try:
        json.loads(record.text)
    except json.JSONDecodeError as error:
        return error.pos >= len(record.text.rstrip())
    except (ValueError, RecursionError):
        return False
    return False


def _decoded(number: int, line: bytes) -> Record:
    line = line.rstrip(b"\r\n").removeprefix(b"\xef\xbb\xbf" if number == 1 else b"")
    if len(line) > MOST_CHARACTERS:
        return Record(number, "", TOO_LONG)
    try:
        return Record(number, line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Record(number, "", f"byte {error.start + 1} is not UTF-8; write the record in UTF-8")


def parsed(text: str) -> tuple[Any, str | None]:
    """Return (value of a JSON text, None), or (None, what is wrong with it)."""
    try:
        return json.loads(text), None
    except json.JSONDecodeError as error:
        return None, f"column {error.colno} is not JSON ({error.msg})"
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
        return None, f"this JSON cannot be read ({str(error) or type(error).__name__})"


def read_item(record: Record, template: Template) -> Item:
    """Return the item in a record, for the protocol of the prompt; raises BadRecord naming the key that is wrong."""
    if record.fault:
        raise BadRecord(None, record.fault)
    value, fault = parsed(record.text)
    if fault:
        raise BadRecord(None, f"{fault}; give one JSON object per line")
    if not isinstance(value, dict):
        raise BadRecord(None, f"the record is {_kind(value)}; give one JSON object per line")
    _check_text(value)
    protocol = template.protocol
    turns = _turns(value)
    responses = _responses(value, protocol)
    known_keys = {"id", "prompt", "turns", "responses", "reference", "category", "extra", *_ANSWERS[protocol], *IGNORED}
    extra = value.get("extra") or {}
    if not isinstance(extra, dict):
        raise BadRecord("extra", f"key 'extra' is {_kind(extra)}; give an object")
    extra = {**extra, **{key: entry for key, entry in value.items() if key not in known_keys}}
    for name in template.extra_fields:
        if extra.get(name) is not None and not isinstance(extra[name], str):
            raise BadRecord(name, f"key '{name}' is {_kind(extra[name])}; give a text")
    return Item(
        id=_id(value, record.line),
        benchmark="input",
        protocol=protocol,
        turns=turns,
        responses=responses,
        truth=None,
        cluster="",
        origin={},
        reference=loose_records.stated(_optional_text(value, "reference")),
        category=_optional_text(value, "category"),
        extra=extra,
    )


def _check_metric_fields(item: Item, template: Template) -> None:
    """Refuse a record that lacks what a metric would fill in, before a prompt without a rubric is asked."""
    for name in ("inputs", "output", "evaluation_criteria", "scoring_rubric"):
        if name in template.extra_fields and name in template.fields and item.extra.get(name) is None:
            raise BadRecord(
                name,
                f"prompt '{template.name}' shows a metric, and key '{name}' is missing; name one of config/metrics "
                "with --metric, such as correctness_5_point",
            )


def _check_text(value: Any) -> None:
    """Refuse half of a surrogate pair, which JSON can spell and no tokenizer or file takes."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (UnicodeEncodeError, ValueError, RecursionError):
        raise BadRecord(None, "a text holds half of a character (a lone surrogate); remove it") from None


def _turns(value: dict) -> tuple[str, ...]:
    key = "turns" if "turns" in value else loose_records.key_of(value, "prompt")
    if key not in value:
        near = difflib.get_close_matches(key, value, n=1)
        raise BadRecord(key, f"key '{key}' is missing; {f'is {near[0]!r} meant?' if near else 'add the question'}")
    return _texts(loose_records.question_of(value, key), key)


def _responses(value: dict, protocol: str) -> tuple[tuple[str, ...], ...]:
    names = _ANSWERS[protocol]
    if "responses" in value:
        entries = value["responses"]
        if not isinstance(entries, list) or len(entries) != len(names):
            what = f"{len(entries)} of them" if isinstance(entries, list) else _kind(entries)
            raise BadRecord("responses", f"key 'responses' is {what}; a {protocol} prompt takes a list of {len(names)}")
        return tuple(_texts(entry, "responses") for entry in entries)
    keys = [loose_records.key_of(value, name) for name in names]
    for key in keys:
        if key not in value:
            other = _ANSWERS["pointwise" if protocol == "pairwise" else "pairwise"]
            hint = f" is {protocol} and" if any(loose_records.key_of(value, name) in value for name in other) else ""
            raise BadRecord(key, f"key '{key}' is missing; the prompt{hint} takes {' and '.join(names)}")
    return tuple(_texts(value[key], key) for key in keys)


def _texts(value: Any, key: str) -> tuple[str, ...]:
    """Return one text as a tuple of one turn, a list of texts as its turns."""
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise BadRecord(key, f"key '{key}' is {_kind(value)}; give a text, or a list of texts with one per turn")
    return tuple(texts)


def _optional_text(value: dict, key: str) -> str | None:
    if value.get(key) is not None and not isinstance(value[key], str):
        raise BadRecord(key, f"key '{key}' is {_kind(value[key])}; give a text or null")
    return value.get(key)


def _id(value: dict, line: int) -> str:
    key = loose_records.key_of(value, "id")
    name = value.get(key)
    if name is None:
        return str(line)
    if isinstance(name, bool) or not isinstance(name, (str, int)):
        raise BadRecord(key, f"key '{key}' is {_kind(name)}; give a text or a whole number")
    return str(name)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


class OrderResult(NamedTuple):
    """What a judge said in one order, and how it was read; `scores` are per response, in the order of the record."""

    order: Order
    outcome: Outcome
    score: float | None
    reason: str | None
    scores: list[dimensions.Scores]
    feedback: str
    reply: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    reply_tokens: int | None


class Result(NamedTuple):
    """What became of one record."""

    id: str
    line: int
    protocol: str
    orders: list[OrderResult]

    @property
    def verdict(self) -> str | None:
        """The outcome that all orders agree in."""
        return combined([order.outcome for order in self.orders])[0]

    @property
    def consistent(self) -> bool | None:
        """Whether both orders agree; None when one of them has no verdict, or is missing."""
        return combined([order.outcome for order in self.orders])[1]

    @property
    def score(self) -> float | None:
        """The grade of a single response."""
        return self.orders[0].score if self.orders else None

    @property
    def reasons(self) -> list[str]:
        """Why replies could not be read."""
        return [order.reason for order in self.orders if order.reason]

    def row(self) -> dict[str, Any]:
        """Return the result as it is written (docs/judging.md)."""
        is_pair = self.protocol == "pairwise"
        orders = [order._asdict() | {"scores": list(map(dataclasses.asdict, order.scores))} for order in self.orders]
        value = {"verdict": self.verdict, "consistent": self.consistent} if is_pair else {"score": self.score}
        for order in orders if is_pair else ():
            del order["score"]
        return {"id": self.id, "line": self.line, "protocol": self.protocol, **value, "orders": orders}


class Fault(NamedTuple):
    """Why a record could not be judged."""

    line: int
    key: str | None
    error: str

    def row(self) -> dict[str, Any]:
        """Return what stands in the output in place of a result."""
        return self._asdict()


class Judge:
    """One backend asked with one prompt; `orders` are the orders in which pairs are shown."""

    def __init__(
        self,
        backend: Backend,
        template: Template,
        max_prompt_tokens: int,
        orders: tuple[Order, ...] | None = None,
        metric: Metric | None = None,
    ):
        if template.mode != "generate" and LOGPROBS not in backend.abilities:
            able = [name for name in backends.selectable() if LOGPROBS in backends.abilities(name)]
            raise JudgemergeError(
                f"prompt '{template.name}' has mode {template.mode}, but backend "
                f"'{type(backend).__module__.rpartition('.')[2]}' gives no log-probabilities; use a model folder with "
                f"backend {' or '.join(able)}, or a prompt of mode generate"
            )
        self.template = rubric_metrics.with_scale(template, metric) if metric else template
        self.backend, self.max_prompt_tokens, self.metric = backend, max_prompt_tokens, metric
        possible = judging.orders(template)
        self.orders = tuple(order for order in possible if order in orders) if orders else possible

    def answer(self, records: list[Record], progress: Progress = no_progress) -> list[Result | Fault]:
        """Return what became of each record, in their order."""
        planned = [self._plan(record) for record in records]
        store = Store()
        requests = [one for entry in planned if not isinstance(entry, Fault) for one in entry[1]]
        ask(requests, self.backend, store, progress)
        return [
            entry if isinstance(entry, Fault) else self._result(record.line, *entry, store)
            for record, entry in zip(records, planned, strict=True)
        ]

    def _plan(self, record: Record) -> tuple[Item, list[Request]] | Fault:
        """Return a record as an item, and what is asked about it: by itself, so that no other is stopped."""
        try:
            item = read_item(record, self.template)
            if self.metric:
                item = with_metric(item, self.metric)
            else:
                _check_metric_fields(item, self.template)
            requests = judging.plan([item], {item.protocol: self.template}, self.backend, self.max_prompt_tokens)
        except BadRecord as error:
            return Fault(record.line, error.key, f"line {record.line}: {error}")
        except JudgemergeError as error:  # a category without criteria
            return Fault(record.line, "category", f"line {record.line}: {error}")
        return item, [one for one in requests if one.about.order in self.orders]

    def _result(self, line: int, item: Item, requests: list[Request], store: Store) -> Result:
        return Result(item.id, line, item.protocol, list(map(self._order, judging.replies(requests, store))))

    def _order(self, row: Reply) -> OrderResult:
        verdict = parsing.parse_row(row, self.template.reply)
        text = parsing.answer(row.reply or "")[0]
        scores = dimensions.read_scores(text, self.template.protocol)
        return OrderResult(
            row.order,
            verdict.outcome,
            verdict.score,
            verdict.reason,
            scores[::-1] if row.order == "swapped" else scores,
            dimensions.feedback(text) or text.strip(),
            row.reply,
            row.finish_reason,
            row.prompt_tokens,
            row.reply_tokens,
        )


def combined(outcomes: list[str]) -> tuple[str | None, bool | None]:
    """Return (verdict, consistent) of a pair; both are None when an order has no verdict, and one order decides alone.

    Outcomes are in the order of the record. Orders that contradict each other give no verdict: (None, False).
    """
    if not outcomes or any(outcome not in SWAPPED or outcome == "error" for outcome in outcomes):
        return None, None
    if len(outcomes) == 1:
        return outcomes[0], None
    agree = len(set(outcomes)) == 1
    return (outcomes[0], True) if agree else (None, False)


def kinds(result: Result | Fault) -> list[str]:
    """Return what a result counts as in `summary`: one kind of outcome, and the reasons of unreadable replies."""
    if isinstance(result, Fault):
        return ["not read"]
    if result.protocol == "pairwise" and result.consistent is False:
        return ["contradictory"]
    value = result.score if result.protocol == "pointwise" else result.verdict
    return ["no verdict" if value is None else "judged", *(f"reason {reason}" for reason in result.reasons)]


def status(counts: Mapping[str, int]) -> int:
    """Return the exit status of counted `kinds`: 2 where records came and none has a verdict, 1 where one was not read.

    Orders that contradict each other were judged.
    """
    if not any(counts.get(kind) for kind in ("judged", "contradictory")):
        return 2 if any(counts.values()) else 0
    return 1 if counts.get("not read") else 0


def summary(counts: Mapping[str, int]) -> str:
    """Return one sentence from counted `kinds`."""
    main = ("judged", "contradictory", "no verdict", "not read")
    reasons = [f"{key.removeprefix('reason ')} {n}" for key, n in sorted(counts.items()) if key.startswith("reason ")]
    parts = [f"{counts[key]} {key}" for key in main if counts.get(key) or key == "judged"]
    total = sum(counts.get(key, 0) for key in main)
    return f"{total} records: {', '.join(parts)}" + (f" (replies: {', '.join(reasons)})" if reasons else "")
