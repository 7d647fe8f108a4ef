"""The catalogue of raw files: what it must say, and what it refuses."""

import csv
import re

import pytest
import yaml

from judgemerge.core.errors import JudgemergeError
from judgemerge.data.sources import get_source, load_sources

GOOD = {
    "repo": "someone/data",
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "path": "a folder/rows.json",
    "sha256": "ab" * 32,
    "bytes": 12,
    "licence": "MIT",
}
AT_ADDRESS = {name: GOOD[name] for name in ("sha256", "bytes", "licence")}


def load(folder, **entries):
    path = folder / "sources.yaml"
    path.write_text(yaml.safe_dump(entries))
    return load_sources(path)


@pytest.fixture(scope="module")
def catalogue(repository):
    return load_sources(repository / "config" / "sources.yaml")


def test_catalogue_lists_every_file_once(catalogue):
    assert len({source.mirror_path for source in catalogue.values()}) == len(catalogue)
    assert sum(bool(source.repo) and not source.unseen for source in catalogue.values()) == 116
    assert all(source.licence for source in catalogue.values())


def test_catalogue_equals_the_list_of_the_mirror(catalogue, mirror):
    columns = ("repo", "commit", "path", "bytes", "sha256")
    with open(mirror / "MIRROR.tsv", encoding="utf-8") as file:
        listed = {tuple(row[column] for column in columns) for row in csv.DictReader(file, delimiter="\t")}
    seen = [source for source in catalogue.values() if source.repo and not source.unseen]
    # The mirror may hold more than the catalogue names; what the catalogue names must be there, to the byte.
    assert {tuple(str(getattr(source, column)) for column in columns) for source in seen} <= listed


def test_github_address_is_percent_encoded(tmp_path):
    source = load(tmp_path, rows=GOOD)["rows"]
    assert source.url == (
        "https://raw.githubusercontent.com/someone/data/0123456789abcdef0123456789abcdef01234567/a%20folder/rows.json"
    )
    assert str(source.mirror_path) == "someone/data/0123456789abcdef0123456789abcdef01234567/a folder/rows.json"
    assert not source.is_local


def test_other_addresses(tmp_path):
    address = "https://huggingface.co/datasets/someone/data/resolve/abc/rows.jsonl"
    sources = load(tmp_path, far={"address": address, **AT_ADDRESS}, near={"address": "mine/rows.jsonl", **AT_ADDRESS})
    assert sources["far"].url == address
    assert str(sources["far"].mirror_path) == "huggingface.co/datasets/someone/data/resolve/abc/rows.jsonl"
    assert (sources["far"].is_local, sources["near"].is_local) == (False, True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": None}, "sha256 is None, not str"),
        ({"sha256": "AB" * 32}, "sha256 is 'ABAB.*', not 64 hexadecimal digits"),
        ({"commit": "main"}, "commit is 'main', not 40 hexadecimal digits"),
        ({"repo": "data"}, "repo is 'data', not owner/name"),
        ({"bytes": "12"}, "bytes is '12', not int"),
        ({"bytes": True}, "bytes is True, not int"),
        ({"url": "x"}, "has the unknown key 'url'; known: repo, commit, path"),
        ({"path": "/etc/passwd"}, "leaves the repository"),
        ({"path": "../rows.json"}, "leaves the repository"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, change, message):
    with pytest.raises(JudgemergeError, match=f"sources.yaml: source 'rows'.*{message}"):
        load(tmp_path, rows={**GOOD, **change})


def test_a_missing_key_is_named(tmp_path):
    with pytest.raises(JudgemergeError, match="source 'rows' has no commit and no licence; add it"):
        load(tmp_path, rows={name: value for name, value in GOOD.items() if name not in ("commit", "licence")})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {x: 1}\na: {x: 2}\n", "line 2: key 'a' occurs twice"),
        ("a: [1\n", "line 2 is not YAML"),
        ("- a\n", "holds list, not a mapping"),
        ("", "holds NoneType, not a mapping"),
        ("a: text\n", "source 'a' is 'text', not a mapping"),
    ],
)
def test_a_broken_file_is_named(tmp_path, text, message):
    path = tmp_path / "sources.yaml"
    path.write_text(text)
    with pytest.raises(JudgemergeError, match=message):
        load_sources(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(JudgemergeError, match="sources.yaml: no such file"):
        load_sources(tmp_path / "sources.yaml")


def test_an_unknown_key_gets_a_suggestion(catalogue):
    with pytest.raises(JudgemergeError, match="study: unknown source 'pandalm_test'; did you mean 'pandalm_testset'?"):
        get_source(catalogue, "pandalm_test", "study")


def test_an_unseen_file_needs_no_checksum_but_a_pinned_place(tmp_path):
    entry = {name: GOOD[name] for name in ("repo", "commit", "path", "licence")}
    source = load(tmp_path, rows={**entry, "unseen": True})["rows"]
    assert (source.unseen, source.sha256, source.bytes) == (True, "", 0)
    with pytest.raises(JudgemergeError, match="unknown key '(sha256|bytes)'"):
        load(tmp_path, rows={**GOOD, "unseen": True})


def test_the_collections_of_prometheus_are_pinned_to_a_revision(catalogue):
    collections = [source for key, source in catalogue.items() if re.match("(feedback|preference)_collection", key)]
    assert len(collections) == 7
    assert all(re.search(r"/resolve/[0-9a-f]{40}/", source.address) for source in collections)
