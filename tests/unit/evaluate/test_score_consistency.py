"""A judge's own scores against its verdicts: shares by hand, and everything that says too little is counted."""

import math

import pytest

from judgemerge.core.items import Item
from judgemerge.evaluate.score_consistency import score_consistency_table
from judgemerge.prompting.parsers import ReplySettings
from judgemerge.prompting.parsing import Reply, parse
from judgemerge.report.tables.score_consistency import sections
from judgemerge.settings.report import Statistics

FORM = ReplySettings("final_result", first="A", second="B", tie="Tie")


def reply(one, other, verdict):
    scores = [
        f"response {name}: Scores per dimension: ['x': {n}, 'Overall Score': {n}]"
        for name, n in (("A", one), ("B", other))
    ]
    return "".join(f"@@@{{{part}}}" for part in scores) + f"###Final Result: {{{verdict}}}"


REPLIES = {
    ("i0", "original"): reply(8, 3, "A"),  # fits, right
    ("i0", "swapped"): reply(3, 8, "A"),  # says A, scores say B; truth is shown as B
    ("i1", "original"): reply(5, 5, "B"),  # scores say tie
    ("i1", "swapped"): "nothing",
}


@pytest.fixture
def table():
    items = [
        Item(f"i{n}", "pairs", "pairwise", ("q",), (("a",), ("b",)), truth, f"c{n}", {"source": "x", "row": n})
        for n, truth in enumerate(("first", "tie"))
    ]
    rows = [Reply("pairs", item, order, reply=text) for (item, order), text in REPLIES.items()]
    verdicts = [parse(row.reply, None, FORM, row.item, row.order) for row in rows]
    return score_consistency_table(items, "judge", rows, verdicts, Statistics(resamples=200, seed=0))


def test_shares_by_hand(table):
    found = table.set_index("statement")
    assert found.loc["overall scores = mean of dimensions", ["value", "n", "errors"]].tolist() == [1, 3, 1]
    assert found.loc["verdict = better overall scores", ["value", "n", "errors"]].tolist() == [
        pytest.approx(1 / 3),
        3,
        1,
    ]
    assert found.loc["accuracy of the stated verdict", "value"] == pytest.approx(1 / 3)
    assert found.loc["accuracy of the verdict by overall scores", ["value", "n", "errors"]].tolist() == [1, 3, 1]
    assert (found["ci_low"] <= found["value"]).all() and (found["value"] <= found["ci_high"]).all()


def test_a_judge_that_states_nothing_has_no_value_but_a_reason(table):
    items = [Item("i0", "pairs", "pairwise", ("q",), (("a",), ("b",)), "first", "c", {"source": "x", "row": 0})]
    row = Reply("pairs", "i0", "original", reason="prompt_too_long")
    verdict = parse(None, "prompt_too_long", FORM, "i0", "original")
    found = score_consistency_table(items, "judge", [row], [verdict], Statistics(resamples=200, seed=0))
    assert all(map(math.isnan, found["value"])) and set(found["note"]) == {"no reply states enough"}
    assert set(found["errors"]) == {1} and set(found["n"]) == {0}


def test_the_page_has_a_column_per_judge(table):
    ((heading, html),) = sections(table)
    assert heading == "pairs" and "judge" in html and "0.333" in html and "errors 1" in html
