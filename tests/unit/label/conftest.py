"""A small part that is labelled: forty pairs or answers, of which some are drawn."""

from types import SimpleNamespace

import pytest
from label_cases import item

from judgemerge.evaluate.labels import draw, strata_of
from judgemerge.label.choices import grade_choices, pair_choices
from judgemerge.label.desk import Desk, Question, kept_values
from judgemerge.label.votes import VoteFile
from judgemerge.settings.report import Statistics


@pytest.fixture
def part(tmp_path):
    """Return a function that opens the desk of a part; called again it opens the same one, as after a restart."""

    def opened(n=10, protocol="pairwise", seed=1, items=None, choices=None, folder=tmp_path):
        items = items or [item(number, protocol) for number in range(40)]
        by_unit = {one.id: one for one in items}
        about = {"of": "set", "metric": "pairs", "protocol": protocol, "by": ""}
        drawn = draw(strata_of(items), n, seed, **about)
        choices = choices or (pair_choices() if protocol == "pairwise" else grade_choices([1.0, 2.0, 3.0, 4.0, 5.0]))
        shown = {one.unit: by_unit[one.unit] for one in drawn.drawn}
        votes = VoteFile(folder / "set.votes.jsonl", shown, kept_values(choices))
        desk = Desk(drawn, by_unit, Question("Which?"), choices, votes, Statistics(resamples=200))
        return SimpleNamespace(desk=desk, drawn=drawn, items=by_unit, path=votes.path, choices=choices)

    return opened
