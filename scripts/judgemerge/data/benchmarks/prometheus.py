"""Prometheus (Kim et al. 2023, arXiv:2310.08491; 2024, arXiv:2405.01535): graded answers, pairs and training data.

`options.form` says which shape the rows have:

absolute: a whole request with its rubric, taken apart here (`_rubric_prompt`). `options.truth` names the field that
  decides: `gpt4_score` (default; the mean of GPT-4's scores, a model's) or `human_score` (people's, FLASK only). Single
  scores are votes when people gave them; GPT-4's are kept in `extra.gpt4_scores`. The requests of Feedback Bench and
  FLASK have the same form, with one score or several.
pairs: two such requests, of a chosen and of a rejected answer; `tie` 1 is a tie. Files always name the chosen one
  first; here half of the pairs are turned, by the digest of the texts, so that "always the first" earns nothing.
  The category is the `source` (HHH: helpful, harmless, honest, other).
feedback: rows of the Feedback Collection; truth is GPT-4's score, its feedback is the explanation to be learnt.
preference: rows of the Preference Collection; truth is `orig_preference`.
preference_pairs: the same pairs made from rows of the Feedback Collection: the answers to one instruction and rubric
  that have different scores, two by two, the higher score preferred (five scores make ten pairs). Half of the pairs of
  an instruction have the better answer first. The explanation is left out: none was written about the pair.

Training rows: `options.split` is train or test: `options.test_share` (0.01) of the instructions, drawn with
`options.seed` (42), are the test set, so that no instruction stands on both sides. With `options.split_by: row` single
rows are drawn, as the original does (datasets.Dataset.train_test_split with that share and seed, rows in file order):
nearly all instructions of its test rows are trained on.

`extra.rubric` is the whole rubric, `extra.criterion` its first line, which is all that a comparison is shown;
`extra.published_prompt` is the text as published (pairs of requests: one per answer). No F1 is published.
"""

import collections
import hashlib
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from judgemerge.core.catalogues import check_keys
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Vote
from judgemerge.data.benchmarks import Entry, _rubric_prompt
from judgemerge.data.benchmarks._rows import Row, cluster_of, form_of, read_rows
from judgemerge.data.benchmarks._rubric_prompt import SCORES, RubricPrompt, rubric_text

OPTIONS = {"truth": str, "split": str, "test_share": (int, float), "seed": int, "n_instructions": int, "split_by": str}
SPLITS = ("train", "test")
SPLIT_BY = ("instruction", "row")
Made = Iterator[tuple[dict, tuple[Row, ...]]]  # the fields of an item, and the rows it comes from


def load(paths: dict[str, Path], spec: Entry, counts: Counter) -> Iterator[Item]:
    """Yield the items of the roles `rows`, `rows_1` … in the shape of `options.form`; counts rows."""
    items_of = form_of(spec, FORMS)
    check_keys(spec.options, {"form": str}, OPTIONS, f"{spec.where}: options")
    for name, choices in (("split", SPLITS), ("split_by", SPLIT_BY)):
        if (choice := spec.options.get(name, choices[0])) not in choices:
            raise JudgemergeError(f"{spec.where}: option {name} is '{choice}', not {' or '.join(choices)}")
    roles = {Path(path): role for role, path in paths.items() if role.startswith("rows")}
    for item, rows in items_of(_counted(roles, counts), spec, counts):
        sources = list(dict.fromkeys(spec.sources[roles[row.file]] for row in rows))
        numbers = [row.number for row in rows]
        origin = {
            "source": sources[0] if len(sources) == 1 else sources,
            "row": numbers[0] if len(rows) == 1 else numbers,
        }
        # Row numbers are unique within a file; with several files the role tells them apart.
        part = "" if len(roles) == 1 else (roles[rows[0].file].removeprefix("rows").strip("_") or "0") + "."
        item.setdefault("id", part + "-".join(map(str, numbers)))
        yield Item(benchmark=spec.name, protocol=spec.protocol, origin=origin, **item)


def _counted(paths: Iterable[Path], counts: Counter) -> Iterator[Row]:
    for path in paths:
        for row in read_rows(path):
            counts.update(rows=1)
            yield row


# ---- whole requests ----


def _absolute(rows: Iterator[Row], spec: Entry, counts: Counter) -> Made:
    by = spec.options.get("truth", "gpt4_score")
    for row in rows:
        prompt = _parts(row, "instruction")
        scores = _scores(row, by)
        writer = row.data.get("response_source")
        index = row.data.get("idx")
        people = scores if by == "human_score" else ()
        counts.update(scores=len(scores))
        counts.update(same_score_every_time=len(set(scores)) == 1)
        item = {
            **({"id": f"{index}-{writer}"} if index is not None and writer else {}),
            "turns": (prompt.instruction,),
            "responses": ((prompt.response,),),
            "models": (writer,) if writer else (),
            "truth": sum(scores) / len(scores),
            "votes": tuple(Vote(f"person_{number}", score) for number, score in enumerate(people, 1)),
            "reference": prompt.reference,
            "category": row.data.get("category"),
            "cluster": cluster_of(prompt.reference or prompt.instruction),
            "extra": {
                **_rubric(prompt),
                **({"question": index} if index is not None else {}),
                **({"gpt4_scores": list(_scores(row, "gpt4_score"))} if "gpt4_score" in row.data else {}),
                "published_prompt": row.get("instruction"),
            },
        }
        yield item, (row,)


def _parts(row: Row, field: str) -> RubricPrompt:
    try:
        return _rubric_prompt.split(row.get(field))
    except ValueError as problem:
        raise row.error(f"field '{field}' {problem}") from None


def _scores(row: Row, field: str) -> tuple[float, ...]:
    """Return the scores in a field that holds one number or a list of them."""
    value = row.get(field, (int, float, list))
    scores = value if isinstance(value, list) else [value]
    wrong = [score for score in scores if isinstance(score, bool) or not isinstance(score, (int, float))]
    if not scores or wrong or not all(SCORES[0] <= score <= SCORES[-1] for score in scores):
        raise row.error(f"field '{field}' is {value!r}, not one or several scores from 1 to 5")
    return tuple(map(float, scores))


def _rubric(prompt: RubricPrompt) -> dict:
    return {"rubric": prompt.rubric, "criterion": prompt.criterion}


def _pairs(rows: Iterator[Row], spec: Entry, counts: Counter) -> Made:
    for row in rows:
        both = [_parts(row, field) for field in ("chosen_instruction", "rejected_instruction")]
        preferred, rejected = both
        for part in ("instruction", "reference", "criterion", "scores"):
            if getattr(preferred, part) != getattr(rejected, part):
                raise row.error(f"the chosen and the rejected request differ in their {part}")
        tie = row.get("tie", int, (0, 1)) if "tie" in row.data else 0
        turned = is_turned(preferred.instruction, preferred.response, rejected.response)
        in_order = both[::-1] if turned else both
        published = [row.data["chosen_instruction"], row.data["rejected_instruction"]]
        item = {
            "turns": (preferred.instruction,),
            "responses": tuple((prompt.response,) for prompt in in_order),
            "truth": "tie" if tie else "second" if turned else "first",
            "reference": preferred.reference,
            "category": row.get("source") if "source" in row.data else None,
            "cluster": cluster_of(preferred.instruction),
            "extra": {**_rubric(preferred), "published_prompt": published[::-1] if turned else published},
        }
        yield item, (row,)


def is_turned(*texts: str) -> bool:
    """Return whether a pair whose better answer comes first in its file is shown the other way round.

    Decided by the texts, so that it is the same on every machine and whatever rows stand before.
    """
    return hashlib.sha256("\0".join(texts).encode()).digest()[0] % 2 == 1


# ---- training rows ----


def _chosen_split(rows: Iterator[Row], spec: Entry, counts: Counter) -> list[Row]:
    """Return the rows of the split, in their order; instructions with all their rows go to one side."""
    options = spec.options
    split_rows = list(rows)
    if "split" in options and options.get("split_by") == "row":
        split_rows = _drawn_rows(split_rows, options)
    elif "split" in options:
        seed, share = options.get("seed", 42), options.get("test_share", 0.01)
        instructions = dict.fromkeys(row.get("orig_instruction") for row in split_rows)
        by_digest = sorted(instructions, key=lambda text: hashlib.sha256(f"{seed}\0{text}".encode()).digest())
        tested = set(by_digest[: max(1, round(share * len(by_digest)))])
        is_test = options["split"] == "test"
        split_rows = [row for row in split_rows if (row.get("orig_instruction") in tested) == is_test]
    if "n_instructions" in options:
        first = list(dict.fromkeys(row.get("orig_instruction") for row in split_rows))[: options["n_instructions"]]
        split_rows = [row for row in split_rows if row.data["orig_instruction"] in set(first)]
    counts.update(rows_of_the_split=len(split_rows))
    return split_rows


def _drawn_rows(rows: list[Row], options: dict) -> list[Row]:
    """Return the rows of a side, in their order, that `datasets` draws: the test set is the front of a permutation."""
    import numpy as np

    order = np.random.default_rng(options.get("seed", 42)).permutation(len(rows))
    n_test = math.ceil(options.get("test_share", 0.01) * len(rows))
    return [rows[place] for place in sorted(order[:n_test] if options["split"] == "test" else order[n_test:])]


def _own_rubric(row: Row) -> dict:
    scores = tuple(row.get(f"orig_score{score}_description") for score in SCORES)
    return {"rubric": rubric_text(row.get("orig_criteria"), scores), "criterion": row.get("orig_criteria")}


def _score(row: Row, field: str = "orig_score") -> int:
    """Return a score that the file may write as a number or as text."""
    value = row.get(field, (int, float, str))
    if str(value).strip() not in {f"{score}{end}" for score in SCORES for end in ("", ".0")}:
        raise row.error(f"field '{field}' is {value!r}, not a whole score from 1 to 5")
    return int(float(value))


def _feedback(rows: Iterator[Row], spec: Entry, counts: Counter) -> Made:
    for row in _chosen_split(rows, spec, counts):
        item = {
            "turns": (row.get("orig_instruction"),),
            "responses": ((row.get("orig_response"),),),
            "truth": float(_score(row)),
            "reference": row.get("orig_reference_answer"),
            "cluster": cluster_of(row.get("orig_instruction")),
            "extra": {**_own_rubric(row), "explanation": row.get("orig_feedback"), **_request(row)},
        }
        yield item, (row,)


def _request(row: Row) -> dict:
    """Return the whole request of a training row, where its file has it."""
    return {"published_prompt": row.get("instruction")} if "instruction" in row.data else {}


_POSITION = re.compile(r"\b([Rr]esponses?|[Aa]nswers?|[Aa]ssistants?) ([AB])\b")


def swap_positions(text: str) -> str:
    """Return a feedback with "Response A" and "Response B" exchanged, all at once; twice gives the text back."""
    return _POSITION.sub(lambda match: f"{match[1]} {'AB'['BA'.index(match[2])]}", text)


def _preference(rows: Iterator[Row], spec: Entry, counts: Counter) -> Made:
    for row in _chosen_split(rows, spec, counts):
        item = {
            "turns": (row.get("orig_instruction"),),
            "responses": ((row.get("orig_response_A"),), (row.get("orig_response_B"),)),
            "truth": {"A": "first", "B": "second"}[row.get("orig_preference", str, ("A", "B"))],
            "reference": row.get("orig_reference_answer"),
            "cluster": cluster_of(row.get("orig_instruction")),
            "extra": {
                "criterion": row.get("orig_criteria"),
                "explanation": row.get("orig_feedback"),
                "explanation_swapped": swap_positions(row.get("orig_feedback")),
                **_request(row),
            },
        }
        yield item, (row,)


def _preference_pairs(rows: Iterator[Row], spec: Entry, counts: Counter) -> Made:
    groups = collections.defaultdict(list)
    for row in _chosen_split(rows, spec, counts):
        groups[(row.get("orig_instruction"), row.get("orig_criteria"))].append(row)
    for (instruction, criterion), members in groups.items():
        counts.update(instructions=1)
        counts.update(instructions_without_five_scores={*map(_score, members)} != set(SCORES))
        pairs = [
            sorted(pair, key=_score, reverse=True)
            for pair in itertools.combinations(members, 2)
            if _score(pair[0]) != _score(pair[1])
        ]
        counts.update(equal_scores_left_out=len(members) * (len(members) - 1) // 2 - len(pairs))
        # Half of an instruction's pairs are turned, the ones whose digest is in the upper half: balanced and seeded.
        seed = spec.options.get("seed", 42)
        digests = [_pair_digest(seed, better, worse) for better, worse in pairs]
        turned = set(sorted(range(len(pairs)), key=digests.__getitem__)[: len(pairs) // 2])
        for number, (better, worse) in enumerate(pairs):
            in_order = (worse, better) if number in turned else (better, worse)
            item = {
                "turns": (instruction,),
                "responses": tuple((row.get("orig_response"),) for row in in_order),
                "truth": "second" if number in turned else "first",
                "reference": better.get("orig_reference_answer"),
                "cluster": cluster_of(instruction),
                "extra": {"criterion": criterion, "scores": [_score(row) for row in in_order]},
            }
            yield item, (better, worse)


def _pair_digest(seed: int, *rows: Row) -> bytes:
    texts = [row.get("orig_response") for row in rows]
    return hashlib.sha256("\0".join([str(seed), *texts]).encode()).digest()


FORMS = {
    "absolute": _absolute,
    "pairs": _pairs,
    "feedback": _feedback,
    "preference": _preference,
    "preference_pairs": _preference_pairs,
}
