"""Read the samples of a task of lm-evaluation-harness (`--log_samples`: samples_<task>_<time>.jsonl) as verdicts.

The task shows its model an item of the benchmark and asks for a verdict or a grade; its model is the judge. Roles and
options are those of `jsonl`; the fields are those of a sample (`doc.id`: what the task's data set has), and three more:

    options:
      fields:
        item: doc.id           # without it, document n of the task belongs to row n of the benchmark's file
        verdict: answer        # what lm-eval's filter left of the reply (`score: answer` of grades); the likeliest
                               # choice of a multiple-choice task, as it is written there
        reply: reply           # the reply before the filter; of a multiple-choice task there is none
        probability: likely    # multiple choice: the share of the likeliest choice (softmax of log-likelihoods), and
                               # likely_of.<choice> that of each: {first: likely_of.A, second: likely_of.B}
      labels: {A: first, B: second, tie: tie}
      filter: verdict          # which of several filters of the task; each has rows of its own
      positions: shown

What a filter could not find (`[invalid]`) is an error `unparsed`. Of several repeats the first counts.
"""

import functools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judgemerge.core import probabilities
from judgemerge.core.errors import JudgemergeError
from judgemerge.data.benchmarks._rows import Row, read_rows
from judgemerge.judge.recorded_formats import _samples, jsonl

ROLES = jsonl.ROLES
OPTIONS = {"filter": str}
NOT_FOUND = "[invalid]"  # what lm-eval's filters put in the place of a match
settings_of, has_probabilities = jsonl.settings_of, jsonl.has_probabilities


def check(entry: dict, where: str) -> None:
    """Refuse an entry that cannot be right."""
    _samples.check(entry, where, OPTIONS)


def samples_of(path: Path, options: Mapping) -> Iterator[Row]:
    """Yield the samples of one filter with the fields answer, reply, likely and likely_of; numbers are documents'."""
    filters: dict[str, None] = {}
    for row in read_rows(path):
        name = row.get("filter") if "filter" in row.data else "none"
        filters[name] = None
        wanted = options.get("filter", next(iter(filters)))
        if "filter" not in options and name != wanted:
            raise JudgemergeError(
                f"{path}: has the samples of several filters, {', '.join(filters)} …; name one in options.filter"
            )
        if name == wanted:
            yield Row(path, row.get("doc_id", int), {**row.data, **_derived(row)})
    if filters and options.get("filter", next(iter(filters))) not in filters:
        raise JudgemergeError(
            f"{path}: has no samples of the filter '{options['filter']}', only of {', '.join(filters)}; correct "
            "options.filter"
        )


def _derived(row: Row) -> dict[str, Any]:
    answers, replies = row.get("filtered_resps", list), row.get("resps", list)
    choices = _choices(row)
    if choices and len(choices) == len(answers) and all(map(_is_likelihood, answers)):
        return _likeliest(choices, [float(one[0]) for one in answers])
    answer = answers[0] if answers else None
    answer = answer[0] if isinstance(answer, list) and answer else answer
    reply = replies[0][0] if replies and isinstance(replies[0], list) and replies[0] else None
    return {"answer": None if answer == NOT_FOUND else answer, "reply": reply if isinstance(reply, str) else None}


def _choices(row: Row) -> list[str]:
    """Return the texts whose likelihoods were asked for; nothing for a task whose model wrote."""
    arguments = row.value("arguments") or {}
    calls = [list(one.values()) for one in arguments.values()] if isinstance(arguments, dict) else arguments
    texts = [call[1] for call in calls if isinstance(call, list) and len(call) > 1]
    return [text.strip() for text in texts] if all(isinstance(text, str) for text in texts) else []


def _is_likelihood(answer: Any) -> bool:
    """Return whether a response is (log-likelihood, whether greedy), numbers as text in files of lm-eval."""
    if not isinstance(answer, list) or len(answer) != 2:
        return False
    try:
        return math.isfinite(float(answer[0]))
    except (TypeError, ValueError):
        return False


def _likeliest(choices: list[str], logarithms: list[float]) -> dict[str, Any]:
    """Return the likeliest choice, and how likely each is among them; two that are equally likely are no verdict."""
    shares = probabilities.normalised(choices, logarithms)
    best = [choice for choice, one in zip(choices, logarithms, strict=True) if one == max(logarithms)]
    answer = best[0] if len(best) == 1 else None
    return {"answer": answer, "reply": None, "likely": max(shares.values()), "likely_of": shares}


samples = functools.partial(_samples.rows, samples_of)
read = functools.partial(_samples.read, samples_of)
unknown_ids = functools.partial(_samples.unknown_ids, samples_of)
