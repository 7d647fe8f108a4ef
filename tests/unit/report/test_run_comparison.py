"""Two runs of a study: flips, the test of agreement, what differs in settings and inputs, the gate and its status."""

import csv
import json
import runpy
import sys

import pytest

import compare_runs
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.files import read_jsonl
from judgemerge.core.items import Item, Verdict, write_items, write_verdicts
from judgemerge.evaluate.comparisons import compare_benchmark
from judgemerge.report.run_comparison import (
    Gate,
    failures_of,
    flips_of,
    lines_of,
    read_run,
)
from judgemerge.report.run_comparison import (
    compare_runs as compared_runs,
)
from judgemerge.settings.report import Statistics

STATISTICS = {"resamples": 400, "confidence": 0.95, "seed": 7}
N = 60


def pair(number, **changes):
    fields = {
        "id": f"p{number}", "benchmark": "pairs", "protocol": "pairwise", "turns": (f"q{number // 2}",),
        "responses": (("a",), ("b",)), "truth": ("first", "second", "tie")[number % 3], "cluster": f"c{number // 2}",
        "origin": {"source": "s", "row": number},
    }  # fmt: skip
    return Item(**{**fields, **changes})


def grade(number):
    return Item(
        id=f"g{number}", benchmark="grades", protocol="pointwise", turns=(f"q{number}",), responses=(("a",),),
        truth=float(number % 5), cluster=f"c{number}", origin={"source": "s", "row": number},
    )  # fmt: skip


def said(item, is_right=True):
    """Return the verdicts on a pair in both orders: right, or wrong."""
    wrong = "second" if item.truth == "first" else "first"
    return [Verdict(item.id, order, item.truth if is_right else wrong) for order in ("original", "swapped")]


def graded(item, score):
    return Verdict(item.id, "original", "score", score=score)


@pytest.fixture
def run(tmp_path):
    """Return a function that writes the results of a run and returns its folder; judge → verdicts of each benchmark."""

    def write(name, verdicts, pairs=None, settings=None, **record):
        folder = tmp_path / name
        items = {"pairs": pairs or [pair(number) for number in range(N)], "grades": [grade(n) for n in range(N)]}
        for benchmark, some in items.items():
            (folder / "items").mkdir(parents=True, exist_ok=True)
            write_items(folder / "items" / f"{benchmark}.jsonl", some)
        for judge, by_benchmark in verdicts.items():
            (folder / "verdicts" / judge).mkdir(parents=True, exist_ok=True)
            write_verdicts(folder / "verdicts" / judge / "all.jsonl", by_benchmark)
        (folder / "tables").mkdir(exist_ok=True)
        with open(folder / "tables" / "agreement.csv", "w", newline="") as file:
            rows = [
                (judge, benchmark, "house") for judge, by_benchmark in verdicts.items() for benchmark in by_benchmark
            ]
            others = [("judge", "an_average", "house"), ("humans", "pairs", "published")]
            csv.writer(file).writerows([("judge", "benchmark", "rules"), *rows, *others])
        study = {"suites": {"all": {"benchmarks": ["pairs", "grades"]}}, "statistics": STATISTICS, **(settings or {})}
        about = {"study": "few", "git": {"commit": "c" * 40, "dirty": False}, "settings": study, **record}
        (folder / "run.json").write_text(json.dumps(about))
        return folder

    return write


def judged(wrong=(), score=lambda item: item.truth):
    """Return the verdicts of a judge: wrong on these pairs, grades by `score`."""
    pairs = [one for number in range(N) for one in said(pair(number), number not in wrong)]
    return {"pairs": pairs, "grades": [graded(grade(number), score(grade(number))) for number in range(N)]}


def compared(a, b):
    return compared_runs(read_run(a), read_run(b))


def test_the_same_verdicts_pass_every_gate(run):
    comparison = compared(run("a", {"judge": judged()}), run("b", {"judge": judged()}))
    assert [(row.benchmark, row.verdicts, len(row.flips)) for row in comparison.compared] == [
        ("pairs", 2 * N, 0), ("grades", N, 0),
    ]  # fmt: skip
    assert failures_of(comparison, Gate.of("0", 0.0)) == []
    text = "\n".join(lines_of(comparison, [], Gate.of("0", 0.0)))
    assert "2 of 2 judges on a benchmark say the same in both runs" in text and "differ" not in text


def test_flips_are_counted_and_tested_as_our_comparisons_do(run):
    wrong = range(0, N, 4)
    before, after = judged(), judged(wrong)
    comparison = compared(run("a", {"judge": before}), run("b", {"judge": after}))
    row = comparison.compared[0]
    assert (len(row.flips), row.flipped("lost"), row.flipped("gained")) == (30, 30, 0)
    flip = row.flips[0]
    assert (flip.item, flip.order, flip.a, flip.b, flip.truth) == ("p0", "original", "first", "second", "first")
    table = compare_benchmark(
        [pair(number) for number in range(N)],
        {"B/judge": after["pairs"], "A/judge": before["pairs"]},
        Statistics.of(STATISTICS),
    )
    expected = table[table.metric == "accuracy"].iloc[0]
    exact = table[table.test.str.startswith("exact")].iloc[0]
    assert (row.metric, row.values[0], row.difference) == ("accuracy", 1.0, pytest.approx(expected.difference))
    assert (row.low, row.high) == pytest.approx((expected.ci_low, expected.ci_high))
    assert (row.p, row.mcnemar) == pytest.approx((expected.p, exact.p))
    (reason,) = failures_of(comparison, Gate.of())
    assert reason.startswith("judge on pairs: accuracy became worse, -0.250, p after Holm ")
    assert failures_of(comparison, Gate.of(margin=0.5)) == []
    (reason,) = failures_of(comparison, Gate.of(margin=0.2))
    assert reason.endswith(", the margin is 0.2") and "accuracy may be worse by 0.3" in reason


def test_a_run_that_became_better_passes(run):
    comparison = compared(run("a", {"judge": judged(range(30))}), run("b", {"judge": judged()}))
    assert comparison.compared[0].flipped("gained") == 60
    assert failures_of(comparison, Gate.of(margin=0.0)) == [] == failures_of(comparison, Gate.of())


@pytest.mark.parametrize(
    ("allow", "sentence"),
    [("4", None), ("3", "3 may"), ("5%", None), ("3%", "3 % may"), ("0", "0 may"), (None, None)],
)
def test_flips_that_may_be(run, allow, sentence):
    comparison = compared(run("a", {"judge": judged()}), run("b", {"judge": judged([1, 2])}))
    reasons = failures_of(comparison, Gate.of(allow, 0.5))
    assert reasons == ([f"judge on pairs: 4 of 120 verdicts flip, {sentence}"] if sentence else [])


@pytest.mark.parametrize("allow", ["-1", "some", "1.5", "101%", "", "%", "nan"])
def test_what_is_no_number_of_flips_is_refused(allow):
    with pytest.raises(JudgemergeError, match=r"--allow is '.*'; give how many verdicts may flip \(12\)"):
        Gate.of(allow)


def test_a_margin_below_zero_is_refused():
    with pytest.raises(JudgemergeError, match=r"--margin is -0.1; give how far agreement may fall"):
        Gate.of(margin=-0.1)


def test_grades_are_compared_by_their_distance_from_the_truth():
    items = {item.id: item for item in map(grade, range(5))}
    a = [graded(items["g1"], 1.0), graded(items["g2"], 4.0), graded(items["g3"], 3.0), graded(items["g4"], 3.0)]
    error = Verdict("g4", "original", "error", reason="no_score")
    b = [graded(items["g1"], 2.0), graded(items["g2"], 3.0), graded(items["g3"], 3.0), error]
    flips, n, absent = flips_of("judge", "grades", items, a, b)
    assert (n, absent) == (4, 0)
    assert [(flip.item, flip.a, flip.b, flip.change) for flip in flips] == [
        ("g1", "1", "2", "lost"), ("g2", "4", "3", "gained"), ("g4", "3", "error (no_score)", "lost"),
    ]  # fmt: skip


def test_an_unreadable_verdict_is_a_flip_and_one_that_was_not_asked_is_none(run):
    before, after = judged(), judged()
    after["pairs"][0] = Verdict("p0", "original", "error", reason="no_verdict")
    after["pairs"][1] = Verdict("p0", "swapped", "error", reason="not_recorded")
    row = compared(run("a", {"judge": before}), run("b", {"judge": after})).compared[0]
    assert [(flip.b, flip.change) for flip in row.flips] == [("error (no_verdict)", "lost")]
    assert (row.verdicts, row.unreadable, row.absent) == (2 * N - 1, (0, 2), 1)


def test_agreement_that_is_defined_no_more_does_not_pass(run):
    constant = judged(score=lambda item: 3.0)
    comparison = compared(run("a", {"judge": judged()}), run("b", {"judge": constant}))
    for gate in (Gate.of(), Gate.of(margin=1.0)):
        assert failures_of(comparison, gate) == [
            "judge on grades: agreement cannot be compared, spearman is undefined in one of the runs"
        ]


def test_a_judge_that_is_gone_does_not_pass_and_a_new_one_does(run):
    comparison = compared(run("a", {"one": judged(), "two": judged()}), run("b", {"one": judged(), "new": judged()}))
    assert failures_of(comparison, Gate.of()) == ["B lacks two on pairs", "B lacks two on grades"]
    assert comparison.new == ["new on pairs", "new on grades"]


def test_a_judge_that_could_not_judge_any_more_does_not_pass(run):
    a, b = run("a", {"one": judged(), "two": judged()}), run("b", {"one": judged(), "two": judged()})
    (b / "verdicts" / "two" / "all.jsonl").write_text('{"failed": "no memory"}\n')
    assert failures_of(compared(a, b), Gate.of()) == [
        "B lacks two on pairs (could not judge)", "B lacks two on grades (could not judge)",
    ]  # fmt: skip


def test_what_differs_besides_is_said(run):
    items = [pair(0, truth="tie"), pair(1, turns=("another",)), *(pair(number) for number in range(2, N - 1)), pair(99)]
    a = run("a", {"judge": judged()}, versions={"torch": "1"}, models={"m": "d" * 64}, sources={"s": {"sha256": "1"}})
    b = run(
        "b", {"judge": judged()}, pairs=items, settings={"judging": {"backend": "vllm"}, "description": "other words"},
        versions={"torch": "2"}, models={}, sources={"s": {"sha256": "2"}},
        git={"commit": "e" * 40, "dirty": True},
    )  # fmt: skip
    text = "\n".join(lines_of(compared(a, b), [], Gate.of()))
    for line in (
        "judging.backend: unset → vllm",
        f"commit: {'c' * 40} → {'e' * 40}",
        "code of B is no clean commit",
        "version torch: 1 → 2",
        "raw file s: 1 → 2",
        f"model m: {'d' * 16} → none",
        "items of pairs: 2 with other texts or truth, 1 only in A, 1 only in B; compared are the other 57",
    ):
        assert f"  {line}\n" in text
    assert "description" not in text and "grades:" not in text
    (reason,) = failures_of(compared(a, b), Gate.of())
    assert reason.startswith("items of pairs: 2 with other texts") and reason.endswith("; --other-items lets that pass")
    assert failures_of(compared(a, b), Gate.of(other_items=True)) == []


def test_an_order_that_was_not_asked_any_more_does_not_pass(run):
    after = judged()
    after["pairs"] = [one for one in after["pairs"] if one.order == "original"]
    comparison = compared(run("a", {"judge": judged()}), run("b", {"judge": after}))
    assert failures_of(comparison, Gate.of()) == ["judge on pairs: B lacks 60 of 120 verdicts"]


def test_runs_of_nothing_in_common_and_folders_without_a_run_are_refused(run, tmp_path):
    a, b = run("a", {"one": judged()}), run("b", {"two": judged()})
    with pytest.raises(JudgemergeError, match="have no judge with a benchmark in common"):
        compared(a, b)
    with pytest.raises(JudgemergeError, match=r"run.json is missing; give the folder of a finished study"):
        read_run(tmp_path)


def test_the_command_writes_all_flips(run, tmp_path):
    a, b = run("a", {"judge": judged()}), run("b", {"judge": judged(range(20))})
    text, passes = compare_runs.main(str(a), str(b), flips=str(tmp_path / "new" / "flips.jsonl"), shown=3)
    assert "40 of 180 verdicts flip:" in text and "… and 37 more" in text
    rows = list(read_jsonl(tmp_path / "new" / "flips.jsonl"))
    assert len(rows) == 40 and rows[0]["change"] == "lost" and not passes


@pytest.mark.parametrize(("more", "status"), [(("--margin", "0.7"), 0), (("--allow", "0"), 1), (("--allow", "x"), 2)])
def test_its_exit_status_is_for_a_gate(run, monkeypatch, capsys, more, status):
    a, b = run("a", {"judge": judged()}), run("b", {"judge": judged(range(20))})
    monkeypatch.setattr(sys, "argv", ["compare_runs.py", "--a", str(a), "--b", str(b), *more])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(compare_runs.__file__, run_name="__main__")
    assert int(ended.value.code) == status
    out, err = capsys.readouterr()
    assert ("Gate (" in out) == (status < 2) and ("--allow is 'x'" in err) == (status == 2)
