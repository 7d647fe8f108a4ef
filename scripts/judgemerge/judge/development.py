"""What juries and cascades are fitted on: labelled items that they are not scored on.

Without a development set of its own a benchmark is divided into two halves by prompt, and each half is judged with what
was fitted on the other: no verdict was decided with the label of its own prompt.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import NOT_ASKED, Item, Verdict

ORDERS = ("original", "swapped")
HALVES = ("first half of the prompts", "second half of the prompts")
Answers = Mapping[str, Mapping[str, Mapping[str, Verdict]]]  # member → item → order → verdict


class Fit(NamedTuple):
    """What is judged with what: `fitted_on` names it in records, `development` and `judged` are items by benchmark."""

    fitted_on: str
    development: Mapping[str, Sequence[Item]]
    judged: Collection[str]


def halves(items: Sequence[Item], seed: int) -> tuple[list[Item], list[Item]]:
    """Return two halves of the items; whole prompts are divided, so that none is in both."""
    clusters = sorted({item.cluster for item in items}, key=lambda cluster: files.sha256_text(str(seed), cluster))
    first = set(clusters[: (len(clusters) + 1) // 2])
    return [item for item in items if item.cluster in first], [item for item in items if item.cluster not in first]


def fits(items: Sequence[Item], development: Mapping[str, Sequence[Item]], seed: int) -> list[Fit]:
    """Return which items of a benchmark are judged with what is fitted on which labelled ones."""
    if development:
        _refuse_shared_prompts(items, development)
        return [Fit(", ".join(development), development, {item.id for item in items})]
    name, parts = items[0].benchmark, halves(items, seed)
    return [
        Fit(HALVES[other], {name: parts[other]}, {item.id for item in parts[1 - other]})
        for other in (1, 0)
        if parts[1 - other]
    ]


def _refuse_shared_prompts(items: Sequence[Item], development: Mapping[str, Sequence[Item]]) -> None:
    """Refuse development sets with a prompt that is judged: its label would help to decide what is held against it."""
    judged = {item.turns for item in items if item.turns}
    for name, labelled in development.items():
        n_shared = len(judged & {item.turns for item in labelled})
        if n_shared:
            raise JudgemergeError(
                f"development set '{name}' has {n_shared} of the prompts of '{items[0].benchmark}', which is judged; "
                "name other items in `development`, or none"
            )


def one_per_prompt(items: Sequence[Item], seed: int) -> list[Item]:
    """Return one item of every prompt, drawn with the seed: tests that take items as independent may count them."""
    drawn: dict[str, Item] = {}
    for item in sorted(items, key=lambda item: files.sha256_text(str(seed), item.id)):
        drawn.setdefault(item.cluster, item)
    return [item for item in items if drawn[item.cluster] is item]


def by_item(verdicts: Mapping[str, Sequence[Verdict]]) -> Answers:
    """Return the verdicts of each member by item and order."""
    answers: dict[str, dict[str, dict[str, Verdict]]] = {}
    for member, some in verdicts.items():
        of_member = answers.setdefault(member, {})
        for verdict in some:
            of_member.setdefault(verdict.item, {})[verdict.order] = verdict
    return answers


def shared_orders(verdicts: Mapping[str, Sequence[Verdict]]) -> list[str]:
    """Return the orders that every member was asked in; of another one nobody has all verdicts."""
    asked = [{one.order for one in some if one.reason not in NOT_ASKED} for some in verdicts.values()]
    return [order for order in ORDERS if all(order in orders for orders in asked)]
