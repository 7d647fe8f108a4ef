"""BiGGen-Bench (Kim et al. 2024, arXiv:2406.05761): 765 instances, each with a rubric and a reference of its own.

The rows are what BiGGen-Bench's scripts and its data sets have: `id`, `capability`, `task`, `system_prompt`, `input`,
`reference_answer`, `score_rubric` (criterion and five descriptions), `response` and its writer (`response_model_name`
or `model_name`). A file is a list, Parquet, or one object of rows by their id (sample_responses.json). `options.form`
says what is made of them:

prompts: the instances alone, each once, whoever answered; `response` is not read (in the sample files it is a
  placeholder).
answers: items to be graded, one per instance and writer. `options.truth` names the field that decides: `human_score`
  (people's; null or −1 leaves the row out, counted), or the score of a recorded judge (`gpt4_score` …), a model's.
  Several scores in a list are averaged; people's are votes. Without `options.truth` nobody has graded the items
  (`unlabelled: true`): they are judged and not scored.

Judges are shown `input` alone, as in the paper's evaluation; the system prompt that the answering models had is kept in
`extra.system_prompt`, and stands before the question in form `prompts`, which models are to answer. The category is the
capability; the cluster is the instance. With a file in the role `words` (Prometheus' prompts, a Python file that is
read and not run) `extra.published_prompt` is the whole request with the reference answer, as the paper's evaluation
made it. No F1 is published.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from judgemerge.core.items import Item, Vote
from judgemerge.data.benchmarks import UNLABELLED, Entry
from judgemerge.data.benchmarks._rows import Row, checked_options, form_of, read_rows
from judgemerge.data.benchmarks._rubric_prompt import SCORES, rubric_text
from judgemerge.prompting.published_texts import python_text

PEOPLE = "human_score"
UNREAD = -1
REQUEST = "ABSOLUTE_PROMPT"


def load(paths: dict[str, Path], spec: Entry, counts: Counter) -> Iterator[Item]:
    """Yield the items of the role `rows` in the shape of `options.form`; counts rows, and rows without a score."""
    items_of = form_of(spec, FORMS)
    checked_options(spec, form=str, truth=str, unlabelled=bool)
    rows = list(rows_of(paths["rows"]))
    counts.update(rows=len(rows))
    words = python_text(paths["words"], REQUEST, spec.where) if "words" in paths else None
    for item in items_of(rows, spec, counts):
        yield item if words is None else _with_request(item, words)


def _with_request(item: Item, words: str) -> Item:
    """Return an answer with the whole request that the paper's evaluation made of it."""
    request = words.format(
        instruction=item.turns[0],
        response=item.responses[0][0],
        reference_answer=item.reference,
        rubric=item.extra["rubric"],
    )
    return replace(item, extra=item.extra | {"published_prompt": request})


def rows_of(path: Path) -> Iterator[Row]:
    """Yield the rows of a list, or of one object of rows by their id."""
    number = 0
    for record in read_rows(path):
        nested = "id" not in record.data and record.data and all(isinstance(one, dict) for one in record.data.values())
        for row in record.data.values() if nested else (record.data,):
            yield Row(path, number, row)
            number += 1


def id_of(row: Row) -> str:
    """Return the id of an answer: its instance and who wrote it."""
    return f"{row.get('id')}-{writer_of(row)}"


def writer_of(row: Row) -> str:
    """Return the model that wrote the answer of a row."""
    return str(row.value("response_model_name") or row.get("model_name"))


def scores_of(row: Row, field: str) -> tuple[float, ...]:
    """Return the scores of a field that holds one or a list of them; null and −1 are none (nobody could read it)."""
    value = row.get(field, (int, float, list, type(None)))
    every = value if isinstance(value, list) else [value]
    scores = [score for score in every if score is not None and score != UNREAD]
    if not all(type(score) in (int, float) and SCORES[0] <= score <= SCORES[-1] for score in scores):
        raise row.error(f"field '{field}' is {row.data[field]!r}, not one or several scores from 1 to 5")
    return tuple(map(float, scores))


def _prompts(rows: Sequence[Row], spec: Entry, counts: Counter) -> Iterator[Item]:
    seen = set()
    for row in rows:
        instance = row.get("id")
        if instance not in seen:
            seen.add(instance)
            yield _item(row, spec, instance, turns=(f"{row.get('system_prompt')}\n\n{row.get('input')}",), responses=())


def _answers(rows: Sequence[Row], spec: Entry, counts: Counter) -> Iterator[Item]:
    field = spec.options.get("truth")
    for row in rows:
        scores = scores_of(row, field) if field else ()
        if field and not scores and not spec.options.get(UNLABELLED):
            counts.update(without_score=1)
            continue
        people = scores if field == PEOPLE else ()
        yield _item(
            row,
            spec,
            id_of(row),
            turns=(row.get("input"),),
            responses=((row.get("response"),),),
            models=(writer_of(row),),
            truth=sum(scores) / len(scores) if scores else None,
            votes=tuple(Vote(f"person_{number}", score) for number, score in enumerate(people, 1)),
        )


def _item(row: Row, spec: Entry, name: str, truth: float | None = None, **fields: tuple) -> Item:
    rubric = Row(row.file, row.number, row.get("score_rubric", dict))
    criterion = rubric.get("criteria")
    scores = tuple(rubric.get(f"score{score}_description") for score in SCORES)
    return Item(
        id=name,
        benchmark=spec.name,
        protocol=spec.protocol,
        truth=truth,
        reference=row.get("reference_answer"),
        category=row.get("capability"),
        cluster=row.get("id"),
        origin=row.origin(spec),
        extra={
            "rubric": rubric_text(criterion, scores),
            "criterion": criterion,
            "task": row.get("task"),
            "system_prompt": row.get("system_prompt"),
        },
        **fields,
    )


FORMS = {"prompts": _prompts, "answers": _answers}
