"""Judges that are asked a second time with other prompts: the same weights, the same store of replies, another judge.

A study names them in `judging.variants`; with the variant `without_reference`, judge `linear` is also among the judges
as `linear_without_reference`. tables/variants.csv compares the two answers to the same items, item by item.
"""

from collections.abc import Mapping
from typing import NamedTuple

from judgemerge.settings.judging import Variant
from judgemerge.settings.study_file import Settings


class VariantJudge(NamedTuple):
    """A judge that is another one's model under other prompts; `name` is that of the variant."""

    model: str
    name: str
    entry: Variant


def variant_judges(settings: Settings) -> Mapping[str, VariantJudge]:
    """Return the judges that the variants of a study add, by name."""
    return {
        f"{judge}_{name}": VariantJudge(judge, name, entry)
        for name, entry in settings.judging.variants.items()
        for judge in entry.judges
    }
