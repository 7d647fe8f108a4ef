"""Files of verdicts on several benchmarks."""

import pytest

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Verdict, read_verdicts, verdict_rows, write_verdicts

VERDICTS = {
    "pairs": [Verdict("1", "original", "first", raw="A"), Verdict("1", "swapped", "tie")],
    "pairs_also": [Verdict('"benchmark":"pairs"', "original", "error", reason="cut")],
    "none": [],
}


def test_each_benchmark_is_read_alone(tmp_path):
    assert write_verdicts(tmp_path / "suite.jsonl", VERDICTS) == 3
    assert {name: list(read_verdicts(tmp_path / "suite.jsonl", name)) for name in VERDICTS} == VERDICTS
    assert all(next(iter(row)) == "benchmark" for row in files.read_jsonl(tmp_path / "suite.jsonl"))


def test_a_file_of_one_set_names_no_benchmark(tmp_path):
    files.write_jsonl(tmp_path / "set.jsonl", verdict_rows(VERDICTS["pairs"]))
    assert list(read_verdicts(tmp_path / "set.jsonl")) == VERDICTS["pairs"]


def test_a_broken_row_is_named_by_its_line_whatever_is_passed_over(tmp_path):
    rows = ['{"benchmark":"other","broken', '{"benchmark":"pairs","broken']
    (tmp_path / "suite.jsonl").write_text("\n".join(rows))
    with pytest.raises(JudgemergeError, match="line 2 is not JSON"):
        list(read_verdicts(tmp_path / "suite.jsonl", "pairs"))
