"""What a job leaves that cannot be done for one judge alone, and what becomes of it."""

import errno
import json

import pytest

import count_recorded
import count_replies
from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.frames import read_table
from judgemerge.core.items import Verdict, VerdictFile, write_verdicts
from judgemerge.core.models import size_on_disk
from judgemerge.judge import failures


def raising(error):
    def function(**arguments):
        raise error

    return function


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (JudgemergeError("weights: cannot be read; fetch them again"), "weights: cannot be read; fetch them again"),
        (RuntimeError("CUDA out of memory"), "unexpected RuntimeError: CUDA out of memory"),
        (FileNotFoundError(errno.ENOENT, "no such file", "config.json"), "unexpected FileNotFoundError: "),
    ],
)
def test_what_one_judge_cannot_do_stands_in_its_outputs(tmp_path, error, reason):
    outputs = [tmp_path / "replies.jsonl", tmp_path / "timing.json"]
    failures.attempt(raising(error), outputs, model="m")
    assert all(failures.reason_of(path).startswith(reason) for path in outputs)
    with pytest.raises(JudgemergeError, match=reason.split(":")[0]):
        failures.check(*outputs)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "no room", "x"), MemoryError(), KeyboardInterrupt()])
def test_what_would_hit_every_judge_is_raised(tmp_path, error):
    with pytest.raises(type(error)):
        failures.attempt(raising(error), [tmp_path / "replies.jsonl"])
    assert not list(tmp_path.iterdir())


def test_what_can_be_done_is_done(tmp_path):
    path = tmp_path / "rows.jsonl"
    failures.attempt(files.write_jsonl, [path], path=path, rows=[{"failed": None, "item": "a"}])
    assert failures.reason_of(path) is None or json.loads(path.read_text())["failed"] is None


def test_files_are_divided_into_those_that_hold_something_and_reasons(tmp_path):
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    files.write_jsonl(good, [{"benchmark": "b"}, failures.row("c", "no file")])
    failures.mark([bad], "no template")
    one, other, none = VerdictFile(good, "b"), VerdictFile(good, "c"), VerdictFile(bad, "b")
    assert failures.divide({"a": one, "b": other, "c": none}) == ({"a": one}, {"b": "no file", "c": "no template"})


def test_pages_name_judge_benchmarks_and_reason():
    rows = [
        ("a", "one", "not judged: no room"),
        ("a", "two", "not judged: no room"),
        ("b", "one", "constant"),
        ("b", "one", float("nan")),
    ]
    assert failures.missing(rows) == " Missing, because they could not judge: a on one, two (no room)."
    assert failures.missing(rows[2:]) == ""


def test_failed_files_are_forgotten_with_their_timings_and_nothing_else(tmp_path):
    results = tmp_path / "results"
    kept = results / "replies/good/suite.jsonl"
    files.write_jsonl(kept, [{"benchmark": "b"}])
    gone = [
        results / name
        for name in ("replies/bad/suite.jsonl", "replies/bad/suite.timing.json", "verdicts/bad/suite.jsonl")
    ]
    failures.mark(gone, "no template")
    half = results / "verdicts/half/suite.jsonl"
    files.write_jsonl(half, [{"benchmark": "b"}, failures.row("c", "other items")])
    timing = results / "timings/judge_suite/bad/suite.tsv"
    timing.parent.mkdir(parents=True)
    timing.touch()
    verdicts = {(path.parent.name, name): path for path in (gone[2], half) for name in "bc"}
    assert failures.sentences(verdicts) == ["bad on b, c: no template", "half on c: other items"]
    assert failures.forget(results) == ["bad: no template", "half: other items"]
    assert [path for path in results.rglob("*") if path.is_file()] == [kept]


def test_a_model_that_cannot_be_had_fails_its_judge_and_is_fetched_again(tmp_path):
    results = tmp_path / "results"
    manifest, folder, replies = results / "models/m.json", results / "models/m", results / "replies/m/s.jsonl"
    (folder / "half").mkdir(parents=True)
    failures.attempt(raising(JudgemergeError("m: no such repository")), [manifest], folders=[folder])
    assert list(folder.iterdir()) == [] and size_on_disk(manifest) is None
    failures.attempt(raising(AssertionError("never called")), [replies], needs=[manifest])
    assert failures.reason_of(replies) == "m: no such repository"
    failures.forget(results)
    assert not manifest.exists() and not folder.exists() and not replies.exists()


def test_tables_of_replies_and_of_recorded_files_say_who_was_not_judged(tmp_path):
    names = ("good.jsonl", "bad.jsonl", "good.counts.jsonl", "bad.counts.jsonl")
    good, bad, good_counts, bad_counts = (str(tmp_path / name) for name in names)
    write_verdicts(good, {"pairs": [Verdict("i0", "original", "first", cut=False)]})
    counts = {"outcomes": {"first": 1}, "rows": {"original": 1}, "values": {}}
    files.write_jsonl(good_counts, [{"benchmark": "pairs", **counts}])
    failures.mark([bad, bad_counts], "no <memory>")
    units = [("good", "pairs"), ("bad", "pairs")]
    count_replies.main([good, bad], units, tmp_path / "replies.csv", tmp_path / "replies.html")
    held = {("pairs", "good"): VerdictFile(good_counts, "pairs"), ("pairs", "bad"): VerdictFile(bad_counts, "pairs")}
    count_recorded.main(held, tmp_path / "recorded.csv", tmp_path / "recorded.html")
    replies, recorded = (read_table(tmp_path / f"{name}.csv") for name in ("replies", "recorded"))
    assert list(replies["verdicts"]) == [1, 0]
    assert list(replies["note"]) == ["", "not judged: no <memory>"]
    assert recorded[recorded["judge"] == "bad"][["count", "name"]].values.tolist() == [["not judged", "no <memory>"]]
    for name in ("replies", "recorded"):
        text = (tmp_path / f"{name}.html").read_text()
        assert "no &lt;memory&gt;" in text and "<memory>" not in text
