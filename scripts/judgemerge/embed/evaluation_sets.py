"""Evaluation sets: made from documents that are not trained on, reviewed by a person, or brought along.

All become evaluation rows (`retrieval.task_of`).
"""

import csv
import io
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.records import read_records
from judgemerge.embed import Chunk, EvaluationRow, Pair, texts

REVIEW_COLUMNS = ("id", "keep", "question", "text", "document", "remark")
_NO = {"no", "n", "0", "false", "x", "nein", "否"}
_YES = {"", "yes", "y", "1", "true", "ja", "是"}
# Names that a question and its text have in published files: RAGSDK's README, its code, FlagEmbedding.
QUESTION_KEYS, TEXT_KEYS = ("anchor", "query", "question"), ("positive", "corpus", "pos", "text")


def held_out(chunks: Sequence[Chunk], share: float, seed: int) -> set[str]:
    """Return the documents that are kept for evaluation: round(n × share) of them, at least one, drawn with the seed.

    Whole documents are held out, because neighbouring chunks overlap. A share of 0 holds nothing out.
    """
    documents = list(dict.fromkeys(chunk.document for chunk in chunks))
    if share == 0:
        return set()
    n_held = max(1, round(len(documents) * share))
    if n_held >= len(documents):
        raise JudgemergeError(
            f"embedding.evaluation.held_out keeps {n_held} of {len(documents)} documents for evaluation, which leaves "
            "none to train on; add documents or hold out fewer"
        )
    return set(random.Random(f"held out:{seed}").sample(documents, n_held))


def rows_of(pairs: Iterable[Pair]) -> list[EvaluationRow]:
    """Return evaluation rows of pairs."""
    return [EvaluationRow(pair.id, pair.anchor, [pair.positive], [], pair.document) for pair in pairs]


def write_rows(path: str | Path, rows: Iterable[EvaluationRow]) -> None:
    """Write evaluation rows."""
    files.write_jsonl(path, (row._asdict() for row in rows))


def read_rows(path: str | Path) -> list[EvaluationRow]:
    """Return the evaluation rows of a file."""
    return [EvaluationRow(**row) for row in files.read_jsonl(path)]


def pairs_of(rows: Iterable[EvaluationRow]) -> list[Pair]:
    """Return evaluation rows as pairs, each question with the first of its right texts."""
    return [
        Pair(row.id, row.cluster, row.anchor, row.positives[0], texts.language_of(row.positives[0])) for row in rows
    ]


def review_text(rows: Iterable[EvaluationRow]) -> str:
    """Return the CSV text that a person reviews: `keep` empty or yes, or no; questions may be edited."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(REVIEW_COLUMNS)
    for row in rows:
        writer.writerow((row.id, "", row.anchor, row.positives[0], row.cluster, ""))
    return text.getvalue()


def read_set(path: str | Path, keys: Mapping[str, str]) -> tuple[list[EvaluationRow], dict]:
    """Return evaluation rows and counts {rows, queries, left_out, reasons} of a .csv review, or of rows in JSON or
    Parquet.

    `keys` names the keys of a question (`query`) and of its text or texts (`document`) where the file has unusual ones.
    A row with an empty question or no text is left out and counted.
    """
    path = Path(path)
    if not path.is_file():
        raise JudgemergeError(f"{path}: the evaluation set is not there; correct embedding's `path`, or write the file")
    rows_and_reasons = _review(path) if path.suffix == ".csv" else _lines(path, keys)
    rows, reasons, n_rows = [], {}, 0
    for row, reason in rows_and_reasons:
        n_rows += 1
        if reason:
            reasons[reason] = reasons.get(reason, 0) + 1
        else:
            rows.append(row)
    if not rows:
        raise JudgemergeError(f"{path}: no usable row ({reasons or 'the file is empty'}); check its keys")
    unusable = sum(n for reason, n in reasons.items() if reason != "rejected in the review")
    return rows, {"rows": n_rows, "queries": len(rows), "left_out": unusable, "reasons": reasons}


def _review(path: Path) -> Iterable[tuple[EvaluationRow | None, str | None]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = {"keep", "question", "text"} - set(reader.fieldnames or ())
        if missing:
            raise JudgemergeError(
                f"{path}: column '{sorted(missing)[0]}' is missing; keep the columns of the review file"
            )
        for line, row in enumerate(reader, 2):
            keep = (row["keep"] or "").strip().lower()
            if keep not in _NO | _YES:
                raise JudgemergeError(f"{path}: line {line}: keep is '{row['keep']}'; write yes, no, or nothing")
            question, text = (row["question"] or "").strip(), (row["text"] or "").strip()
            if keep in _NO:
                yield None, "rejected in the review"
            elif not question or not text:
                yield None, "empty question or text"
            else:
                yield _row(row.get("id") or str(line), question, [text], [], row.get("document")), None


def _lines(path: Path, keys: Mapping[str, str]) -> Iterable[tuple[EvaluationRow | None, str | None]]:
    question_key = text_key = None
    for number, row in enumerate(read_records(path)):
        if not isinstance(row, dict):
            raise JudgemergeError(f"{path}: row {number} is {type(row).__name__}, not an object with named fields")
        if question_key is None:
            question_key = _key(path, row, keys.get("query"), QUESTION_KEYS, "query")
            text_key = _key(path, row, keys.get("document"), TEXT_KEYS, "document")
        question, texts_of_row = row.get(question_key), row.get(text_key)
        texts_of_row = [texts_of_row] if isinstance(texts_of_row, str) else texts_of_row
        usable = isinstance(texts_of_row, list) and all(isinstance(text, str) for text in texts_of_row)
        right = [text for text in texts_of_row if text.strip()] if usable else []
        if not isinstance(question, str) or not question.strip() or not right:
            yield None, "empty question or text"
        else:
            others = row["neg"] if isinstance(row.get("neg"), list) else []
            wrong = [text for text in others if isinstance(text, str) and text not in right]
            document = row.get("document") if text_key != "document" else None
            document = document if isinstance(document, str) else None
            yield _row(f"row {number}", question.strip(), right, wrong, document), None


def _key(path: Path, row: Mapping, named_key: str | None, usual: Sequence[str], role: str) -> str:
    if named_key is not None:
        if named_key not in row:
            raise JudgemergeError(f"{path}: row 0 has no key '{named_key}' (keys.{role}){did_you_mean(named_key, row)}")
        return named_key
    usual_key = next((name for name in usual if name in row), None)
    if usual_key is None:
        raise JudgemergeError(
            f"{path}: row 0 has none of the keys {', '.join(usual)}; name the right one in keys.{role}"
        )
    return usual_key


def _row(name: str, question: str, right: list[str], wrong: list[str], document: str | None) -> EvaluationRow:
    cluster = document or files.sha256_text(right[0])[:16]
    return EvaluationRow(name, question, right, wrong, cluster)
