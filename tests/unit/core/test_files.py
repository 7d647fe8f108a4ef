"""Reading and writing files: whole or not at all, readable by the group, and broken lines named."""

import os
import stat

import pytest

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError


@pytest.fixture(params=[0o022, 0o027, 0o077])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_an_error_keeps_the_old_file_and_leaves_no_other(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), files.atomic_writer(path) as file:
        file.write("new")
        file.flush()
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]


def test_an_interruption_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), files.atomic_writer(tmp_path / "table.csv") as file:
        file.write("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_the_new_file_appears_at_the_end(tmp_path):
    path = tmp_path / "deep" / "table.csv"
    with files.atomic_writer(path) as file:
        file.write("ä")
        assert not path.exists()
    assert path.read_bytes() == "ä".encode()
    with files.atomic_writer(path, "wb") as file:
        file.write(b"\xff")
    assert path.read_bytes() == b"\xff"
    assert [entry.name for entry in path.parent.iterdir()] == ["table.csv"]


def test_the_umask_decides_the_mode(tmp_path, umask):
    with files.atomic_writer(tmp_path / "table.csv"):
        pass
    assert stat.S_IMODE((tmp_path / "table.csv").stat().st_mode) == 0o666 & ~umask
    assert files.current_umask() == umask
    (tmp_path / "model" / "part").mkdir(parents=True, mode=0o700)
    (tmp_path / "model" / "part" / "weights").touch(0o600)
    files.make_group_readable(tmp_path / "model")
    assert stat.S_IMODE((tmp_path / "model" / "part").stat().st_mode) == 0o777 & ~umask
    assert stat.S_IMODE((tmp_path / "model" / "part" / "weights").stat().st_mode) == 0o666 & ~umask


def test_rows_come_back_as_they_were(tmp_path):
    rows = [{"a": "ä\u2028\n", "b": None}, {"c": [1, 2.5]}]
    assert files.write_jsonl(tmp_path / "rows.jsonl", iter(rows)) == 2
    assert list(files.read_jsonl(tmp_path / "rows.jsonl")) == rows
    files.write_json(tmp_path / "value.json", rows)
    assert files.read_json(tmp_path / "value.json") == rows


def test_a_broken_line_is_named(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n\n{"a": \n')
    with pytest.raises(JudgemergeError, match=r"rows\.jsonl: line 3 is not JSON \(.*\); fetch or write the file again"):
        list(files.read_jsonl(tmp_path / "rows.jsonl"))
    (tmp_path / "value.json").write_text('{\n"a": 1,\n}')
    with pytest.raises(JudgemergeError, match=r"value\.json: line 3 is not JSON"):
        files.read_json(tmp_path / "value.json")


def test_no_two_lists_of_texts_have_one_digest():
    digests = {files.sha256_text(*parts) for parts in [("ab",), ("a", "b"), ("", "ab"), ("ab", ""), ("1:a", "b"), ()]}
    assert len(digests) == 6


def test_a_file_has_the_digest_of_its_bytes(tmp_path):
    (tmp_path / "empty").touch()
    assert files.sha256_file(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
