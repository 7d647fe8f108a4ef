"""Judging and agreement in Python: plain dicts in, verdicts of both orders out, and the statistics of the tables."""

import json
import subprocess
import sys

import numpy as np
import pytest
from endpoint_server import Answer, reply, serving

import judgemerge
from judgemerge import Judge, agreement, compare
from judgemerge.api.agreement import between, with_people
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.comparisons import compare_benchmark
from judgemerge.evaluate.score import score_benchmark
from judgemerge.settings.report import Statistics

FEW = Statistics(resamples=200)


def pair(number: int, **more) -> dict:
    return {"prompt": f"Question {number // 2}?", "response_a": f"good {number}", "response_b": f"bad {number}", **more}


def longer(body: dict, number: int) -> Answer:
    """Prefers what is called good, whichever place it stands in."""
    text = body["messages"][-1]["content"]
    return reply("Verdict: A" if text.index("good") < text.index("bad") else "Verdict: B")


@pytest.fixture
def judge():
    with serving(longer) as endpoint, Judge(endpoint.url, "brief_pairwise", endpoint="m") as opened:
        yield opened


def test_importing_the_package_costs_nothing():
    heavy = "'numpy', 'pandas', 'torch', 'yaml', 'httpx'"
    program = f"import sys, judgemerge; print([name for name in ({heavy}) if name in sys.modules], dir(judgemerge))"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd="scripts", check=True)
    assert process.stdout.startswith("[] ") and "'Judge'" in process.stdout
    assert set(judgemerge.__all__) >= {"Judge", "agreement", "compare"}


def test_pairs_are_judged_in_both_orders(judge):
    judged = judge.compare([pair(0), pair(1, id="x"), {"prompt": "no answers"}])
    assert judged.outcomes == ["first", "first", None]
    assert (judged.n, judged.errors, len(judged.faults)) == (2, 0, 1)
    assert [order.order for order in judged.results[0].orders] == ["original", "swapped"]
    assert judged.rows()[1]["id"] == "x" and judged.rows()[1]["judged"]["m"]["verdict"] == "first"
    assert judged.rows()[2]["judged"]["m"]["error"].startswith("line 3: key 'response_a' is missing")


def test_results_are_those_of_the_command(judge, tmp_path):
    records = [pair(number) for number in range(3)]
    text = "".join(map("{}\n".format, map(json.dumps, records)))
    command = [sys.executable, "scripts/commands/judge.py", "--model", judge.model, "--name", "m"]
    process = subprocess.run(
        [*command, "--prompt", "brief_pairwise"], input=text, capture_output=True, text=True, check=True
    )
    rows = [json.loads(line) for line in process.stdout.splitlines()]
    assert rows == [json.loads(json.dumps(one.row())) for one in judge.compare(records)]


def test_grades_and_a_prompt_of_the_other_protocol():
    with serving(lambda body, number: reply("Score: 7")) as endpoint:
        judge = Judge(endpoint.url, endpoint="m")
        judged = judge.grade([{"prompt": "q", "response": "a", "label": "7"}, {"prompt": "q", "response": 5}])
        assert judged.outcomes == [7.0, None] and judged.labelled_items[0].truth == 7.0
        graded = Judge(endpoint.url, "plain_pointwise", endpoint="m")
        with pytest.raises(JudgemergeError, match="prompt 'plain_pointwise' is pointwise; call grade"):
            graded.compare([pair(0)])


def test_an_unreadable_reply_is_an_error_and_not_a_tie():
    with serving(lambda body, number: reply("I cannot say")) as endpoint:
        judged = Judge(endpoint.url, "brief_pairwise", endpoint="m").compare([pair(0, truth="tie")] * 3)
    assert judged.outcomes == [None] * 3 and judged.errors == 6
    table = agreement(judged, resamples=200).set_index("metric")
    assert (table.value["accuracy"], table.errors["accuracy"], table.n["accuracy"]) == (0, 6, 3)


def test_agreement_is_that_of_the_tables(judge):
    truths = ["first", "second", "tie", "first", "first", "second"]
    judged = judge.compare([pair(number, truth=truth) for number, truth in enumerate(truths)])
    table = agreement(judged, resamples=200)
    items, verdicts = judged.labelled_items, judged.verdicts
    expected = score_benchmark(items, {"judge": verdicts}, FEW)
    assert list(table.metric) == list(expected.metric)
    for column in ("value", "ci_low", "ci_high", "n", "errors", "clusters"):
        assert np.array_equal(table[column], expected[column], equal_nan=True), column
    assert table.clusters[0] == 3  # two questions each
    # The same, told in lists.
    told = agreement([["first", "first"]] * 6, truths, clusters=[n // 2 for n in range(6)], resamples=200)
    assert list(told.value) == list(table.value)


def test_votes_may_be_several_and_some_may_be_missing():
    table = agreement(
        ["first", "second", "tie", "tie"], [["A", "A", "B"], None, ["A", "B"], ["tie"]], metrics=["accuracy_first"]
    )
    assert (table.value[0], table.n[0]) == (1.0, 3)
    grades = agreement([1, 2.5, float("nan"), 4], [1, [2, 3], 3, 4.0], metrics=["mae", "error_rate"])
    assert list(grades.value) == [0.0, 0.25] and list(grades.errors) == [1, 1]


@pytest.mark.parametrize(
    ("verdicts", "votes", "sentence"),
    [
        (["first"], ["A", "B"], "these are of different length: judge 1, votes 2"),
        (["first"], ["maybe"], "votes: item 1 has 'maybe', which is not first, second, tie, A or B"),
        (["best"], ["A"], "verdicts: item 1 has 'best', which is no verdict"),
        (["first"], [None], "votes: nobody labelled an item"),
        (["first"], None, "votes is missing"),
    ],
)
def test_what_cannot_be_compared_is_refused(verdicts, votes, sentence):
    with pytest.raises(JudgemergeError, match=sentence):
        agreement(verdicts, votes)


def test_two_judges_are_compared_in_pairs():
    truths = ["first", "second", "tie", "first"] * 5
    right = [[truth, truth] for truth in truths]
    table = compare(right, [["first", "first"]] * 20, truths, resamples=200)
    items = [
        Item(str(number), "input", "pairwise", (), (), truth, str(number), {}) for number, truth in enumerate(truths, 1)
    ]
    sides = {
        name: [Verdict(item.id, order, say(item)) for item in items for order in ("original", "swapped")]
        for name, say in {"a": lambda item: item.truth, "b": lambda item: "first"}.items()
    }
    expected = compare_benchmark(items, sides, FEW)
    assert table.equals(expected[list(table)])
    assert table.difference[0] == 0.5 and table.n[0] == 20


def test_means_over_judges_resample_the_items_that_they_share():
    truths = ["first", "second"] * 15
    one, two = (serving(lambda body, number, said=said: reply(f"Verdict: {said}")) for said in ("A", "B"))
    with one as first, two as second:
        records = [pair(2 * number, truth=truth) for number, truth in enumerate(truths)]
        judged = [
            Judge(address.url, "brief_pairwise", endpoint=name).compare(records)
            for name, address in (("one", first), ("two", second))
        ]
    table = with_people(judged, resamples=200)
    mean = table[(table.judge == "mean") & (table.metric == "accuracy_first")].iloc[0]
    # Where one is right the other is wrong: the mean is a half in every resample, and each alone is not.
    assert mean.value == 0.5 and mean.n == 30 and mean.note.startswith("mean of 2 judges")
    alone = table[(table.judge == "one") & (table.metric == "accuracy_first")].iloc[0]
    assert alone.value == 0.5 and alone.ci_high - alone.ci_low > 0.2
    apart = between(judged, resamples=200).set_index("metric")
    assert (apart.value["agreement"], apart.n["agreement"], apart.errors["agreement"]) == (1.0, 30, 0)


def test_two_judges_of_one_name_are_refused(judge):
    judged = judge.compare([pair(0)])
    with pytest.raises(JudgemergeError, match="two judges are called 'm'"):
        between([judged, judge.compare([pair(1)])])
