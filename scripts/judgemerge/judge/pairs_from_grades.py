"""Judges of pairs that grade both responses of a pair on their own, and then compare the two grades.

Prometheus uses its absolute judges on pairs in this way ("a2r"; Kim et al. 2024, arXiv:2405.01535). The judge never
sees the two responses together, so there is no order to swap: the verdict is the same in both orders by construction,
and position consistency says nothing here. Equal grades are a tie. A pair is an error when either grade is one.
Prometheus samples equal grades of a pair that people do not call a tie again, twice at most
(`pairs_from_grades.tie_resamples`): that looks at the truth, and favours the judge.

A study names the judges in `pairs_from_grades.judges`; `direct` then also answers pairs as `direct_from_grades`.
"""

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Verdict
from judgemerge.core.probabilities import of_compared_grades
from judgemerge.settings.study_file import Settings

SUFFIX = "_from_grades"
SIDES = ("first", "second")


def derived_judges(settings: Settings) -> dict[str, str]:
    """Return the derived judges of a study: name → the judge whose grades are compared."""
    return {f"{judge}{SUFFIX}": judge for judge in settings.pairs_from_grades.judges}


def split_pairs(items: Iterable[Item]) -> Iterator[Item]:
    """Yield each response of each pair as an item to be graded, which nobody has graded.

    The id is the pair's with the side: `17/first`.
    """
    for item in items:
        for number, side in enumerate(SIDES):
            published = item.extra.get("published_prompt")
            # One text is about the pair; a list has one per response.
            extra = item.extra | (
                {"published_prompt": published[number] if isinstance(published, list) else None} if published else {}
            )
            yield dataclasses.replace(
                item,
                id=f"{item.id}/{side}",
                protocol="pointwise",
                responses=(item.responses[number],) if item.judgeable else (),
                models=item.models[number : number + 1],
                votes=(),
                truth=None,
                extra=extra,
            )


def compare_grades(verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
    """Yield the verdict on each pair, in both orders, from the grades of its sides: the higher wins, equal is a tie.

    Raises JudgemergeError when a side is missing.
    """
    grades: dict[str, dict[str, Verdict]] = {}
    for verdict in verdicts:
        pair, _, side = verdict.item.rpartition("/")
        grades.setdefault(pair, {})[side] = verdict
    for pair, sides in grades.items():
        if sides.keys() != set(SIDES):
            raise JudgemergeError(f"pair {pair} has a grade for {', '.join(sides)} alone; judge the suite again")
        first, second = (sides[side] for side in SIDES)
        reason = first.reason or second.reason
        if reason:
            outcome = "error"
        elif first.score == second.score:
            outcome = "tie"
        else:
            outcome = "first" if first.score > second.score else "second"
        shares = None if reason else of_compared_grades(first.probabilities, second.probabilities)
        for order in ("original", "swapped"):
            yield Verdict(pair, order, outcome, reason=reason, probabilities=shares)


def compare_runs(runs: Mapping[int, Iterable[Verdict]], decided: Collection[str]) -> Iterator[Verdict]:
    """Yield the verdict on each pair from the first run whose grades differ; of all equal ones, the tie of the first.

    Only pairs in `decided`, those whose truth is no tie, are looked at again; an error of the first run stays one.
    """
    compared = [{(one.item, one.order): one for one in compare_grades(grades)} for _, grades in sorted(runs.items())]
    for key, verdict in compared[0].items():
        again = (later[key] for later in compared[1:]) if verdict.outcome == "tie" and key[0] in decided else ()
        yield next((one for one in again if one.outcome in ("first", "second")), verdict)
