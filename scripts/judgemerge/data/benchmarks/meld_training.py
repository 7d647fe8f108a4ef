"""MELD's training sets, MELD_pairwise and MELD_pointwise: judgments with a score per dimension and a feedback.

Truth rule: the verdict (A, B, Tie) or the overall score that the row's judgment states; GPT-4 wrote it, no person.
The sets lie in Git LFS of Bound2-2/MELD-Eval (data/train) and cannot be fetched publicly: ask its authors, and give the
file by its path (role `rows`), in one of two forms, chosen by `options.form`:

llamafactory: {instruction, input, output} as LLaMA-Factory is trained with. The prompt's data block is taken apart
  again into query, responses, reference and category, so that the set can be compared with benchmarks and shown with
  any prompt; the output must be in the published form. The row itself stays in `extra.training_row`, for experts with
  `format: as_published`.
raw: {id, question_body, answer1_body, answer2_body | answer_body, reference?, category, output}, the fields of the test
  sets with the judgment beside them.

A judgment that cannot be read is left out and counted (`unreadable`). Explanations speak of A and B in the order shown,
so the swapped twin of a pair gets them with the letters exchanged.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from judgemerge.core.items import Item
from judgemerge.data.benchmarks import Entry
from judgemerge.data.benchmarks._rows import Row, counted_rows, form_of, item_of
from judgemerge.prompting import dimensions, parsing

READ = {
    "pairwise": {"format": "final_result", "first": "A", "second": "B", "tie": "Tie"},
    "pointwise": {"format": "overall_score", "minimum": 1, "maximum": 10},
}
_DATA = re.compile(r"\[BEGIN DATA\](.*)\[END DATA\]", re.DOTALL)
_NEXT = r"\[(?:Query|Response|Response [12]|Reference)\]:"
_FIELD = rf"\*\*\*\s*\[{{name}}\]:[ \t]*(.*?)\s*(?=(?:\*\*\*\s*)+{_NEXT}|\*\*\*\s*$)"
# The category stands between marks in some templates and alone on its line in the others.
_CATEGORY = re.compile(
    r"from users:\s*(?:\[scenario start\]\s*)?(.+?)\s*(?:\[scenario end\]\s*)?\n\s*The criteria are", re.DOTALL
)


def load(paths: dict[str, Path], spec: Entry, counts: Counter) -> Iterator[Item]:
    """Yield the items of role `rows`; counts rows and judgments that cannot be read."""
    fields_of = form_of(spec, FORMS)
    for row in counted_rows(paths, counts):
        judgment = row.get("output")
        verdict = parsing.parse(judgment, None, READ[spec.protocol], "", "original")
        scores = dimensions.read_scores(judgment, spec.protocol)
        if verdict.reason or len(scores) != len(_answer_names(spec.protocol)) or None in [s.overall for s in scores]:
            counts.update(unreadable=1)
            continue
        extra = explained(scores, dimensions.feedback(judgment) or "")
        if fields_of is _llamafactory:
            extra |= {"training_row": {name: row.get(name) for name in ("instruction", "input", "output")}}
        truth = verdict.score if spec.protocol == "pointwise" else verdict.outcome
        yield item_of(row, spec, **fields_of(row, spec.protocol), truth=truth, extra=extra)


def explained(scores: list[dimensions.Scores], text: str) -> dict[str, str]:
    """Return what a target needs besides the truth: scores per response and feedback, for both orders of a pair."""
    listed = [dimensions.format_scores(entry.dimensions, entry.overall) for entry in scores]
    if len(listed) == 1:
        return {"scores": listed[0], "explanation": text}
    return {
        "scores_first": listed[0],
        "scores_second": listed[1],
        "scores_first_swapped": listed[1],
        "scores_second_swapped": listed[0],
        "explanation": text,
        "explanation_swapped": exchange_letters(text),
    }


# A and B alone are names only in company of such words: "A" also begins sentences.
_BEFORE = r"(?:[Rr]esponses?|[Aa]nswers?|[Aa]ssistants?|than|over|and|or|to|between|both|unlike|while|whereas)\s+"
_AFTER = r"\s+(?:is|are|was|were|and|or|has|have|does|did|gives|provides|offers|lacks)\b|'s\b"
_LETTER = re.compile(rf"(?<![\w']){_BEFORE}(?P<one>[AB12])\b|\b(?P<two>[AB])(?={_AFTER})")


def exchange_letters(text: str) -> str:
    """Return a text about responses A and B (or 1 and 2) with the two exchanged; twice gives the text back."""
    names = {"A": "B", "B": "A", "1": "2", "2": "1"}
    return _LETTER.sub(lambda m: m[0][:-1] + names[m[0][-1]], text)


def _answer_names(protocol: str) -> tuple[str, ...]:
    return ("answer1_body", "answer2_body") if protocol == "pairwise" else ("answer_body",)


def _raw(row: Row, protocol: str) -> dict:
    return {
        "id": str(row.get("id", (int, str))),
        "prompt": row.get("question_body"),
        "responses": [row.get(name) for name in _answer_names(protocol)],
        "reference": row.get("reference") if "reference" in row.data else None,
        "category": row.get("category"),
    }


def _llamafactory(row: Row, protocol: str) -> dict:
    text = f"{row.get('instruction')}\n{row.get('input')}".strip()
    data = _DATA.search(text)
    if not data:
        raise row.error("field 'instruction' has no [BEGIN DATA] … [END DATA]; give MELD_pairwise or MELD_pointwise")

    def field(name: str) -> str | None:
        match = re.search(_FIELD.format(name=re.escape(name)), data[1].rstrip(), re.DOTALL)
        return match[1] if match else None

    names = ("Response 1", "Response 2") if protocol == "pairwise" else ("Response",)
    query, answers = field("Query"), [field(name) for name in names]
    if query is None or None in answers:
        raise row.error(f"the data block lacks [Query] or [{'] or ['.join(names)}]; is it a {protocol} row?")
    category = _CATEGORY.search(text)
    return {
        "prompt": query,
        "responses": answers,
        "reference": field("Reference"),
        "category": category[1].strip() if category else None,
    }


FORMS = {"raw": _raw, "llamafactory": _llamafactory}
