"""The test sets in the MELD-Eval repository: four shapes of rows, chosen by `options.form`.

pairwise (960): `label` A = first, B = second, Tie = tie (54), given by people; tie is a class. One label per row.
pointwise (960): `label` is a score of people, 0 to 10 in 13 distinct values; agreement is correlation.
length_bias (206): A = first, B = second, no ties. 103 rows are tagged long (the longer answer is right), 103 short; the
  tag is the category and the bias is the gap between the two accuracies. The file also holds Auto-J's replies.
feedback (1000): `gpt4_score` 1 to 5 is GPT-4's, not people's. 200 instructions with a response for every score. The
  rubric of the original Feedback Bench is missing in this copy (whose file name, Feedback-Bech.json, is misspelt).
judgebench (350): called Auto-J-Test.json and kept in the pointwise folder, but it is the GPT-4o half of JudgeBench
  (Tan et al. 2025, arXiv:2410.12784): pairs, `A>B` = first, `B>A` = second by an objective check, no ties.

No F1 is published for any of them.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from judgemerge.core.items import Item
from judgemerge.data.benchmarks import Entry
from judgemerge.data.benchmarks._rows import Row, counted_rows, form_of, item_of

AB_CLASS = {"A": "first", "B": "second"}
ABT_CLASS = {**AB_CLASS, "Tie": "tie"}
JUDGEBENCH_CLASS = {"A>B": "first", "B>A": "second"}


def load(paths: dict[str, Path], spec: Entry, counts: Counter) -> Iterator[Item]:
    """Yield the items of role `rows` in the shape of `options.form`; counts rows."""
    fields_of = form_of(spec, FORMS)
    for row in counted_rows(paths, counts):
        yield item_of(row, spec, **fields_of(row))


def _pairwise(row: Row) -> dict:
    return {
        "id": str(row.get("id", int)),
        "prompt": row.get("question_body"),
        "responses": (row.get("answer1_body"), row.get("answer2_body")),
        "truth": ABT_CLASS[row.get("label", str, ABT_CLASS)],
        "reference": row.get("reference"),
        "category": row.get("category"),
        "extra": _scenario(row),
    }


def _pointwise(row: Row) -> dict:
    return {
        "id": str(row.get("id", int)),
        "prompt": row.get("question_body"),
        "responses": (row.get("answer_body"),),
        "truth": row.get("label", float),
        "category": row.get("category"),
        "extra": _scenario(row),
    }


def _scenario(row: Row) -> dict:
    return {"scenario": row.get("scenario"), "complexity": row.get("complexity", dict).get("level")}


def _length_bias(row: Row) -> dict:
    return {
        "id": str(row.get("id", int)),
        "prompt": row.get("question"),
        "responses": (row.get("answer1_body"), row.get("answer2_body")),
        "truth": AB_CLASS[row.get("label", str, AB_CLASS)],
        "category": row.get("tag", str, ("long", "short")),
    }


def _feedback(row: Row) -> dict:
    score = row.get("gpt4_score", int, range(1, 6))
    return {
        "id": f"{row.get('idx')}-{score}",
        "prompt": row.get("instruction"),
        "responses": (row.get("response"),),
        "truth": float(score),
        "reference": row.get("reference"),
        "category": row.get("category"),
    }


def _judgebench(row: Row) -> dict:
    return {
        "id": row.get("pair_id"),
        "prompt": row.get("question"),
        "responses": (row.get("response_A"), row.get("response_B")),
        "models": (row.get("response_model"),) * 2,
        "truth": JUDGEBENCH_CLASS[row.get("label", str, JUDGEBENCH_CLASS)],
        "category": row.get("category"),
        "extra": {"source": row.get("source")},
    }


FORMS = {
    "pairwise": _pairwise,
    "pointwise": _pointwise,
    "length_bias": _length_bias,
    "feedback": _feedback,
    "judgebench": _judgebench,
}
