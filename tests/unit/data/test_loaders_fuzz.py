"""Raw files with broken rows, through every loader: items come out, or one sentence does; nothing else ever."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import changed

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.files import read_jsonl, write_jsonl
from judgemerge.core.items import Item
from judgemerge.data.benchmarks import LOADERS, load_catalogue, load_items
from judgemerge.data.sources import load_sources

OWN = {"prompt": "question", "responses": ["answer_a", "answer_b"], "votes": ["anna", "ben"], "id": "key"}
GRADES = {"prompt": "question", "responses": ["answer"], "votes": ["anna", "ben"]}
ROLES = ("rows", "votes", "questions", "references", "answers_a")
# loader, options, protocol → files of tests/data by role
CASES = {
    "pandalm": ("pandalm", {}, "pairwise", {"rows": "pandalm.json"}),
    "pandalm original": ("pandalm", {"compat": "original"}, "pairwise", {"rows": "pandalm.json"}),
    "pandalm training": ("pandalm", {"form": "training"}, "pairwise", {"rows": "pandalm_train.json"}),
    "llmbar": ("llmbar", {}, "pairwise", {"rows": "llmbar.json"}),
    "llmbar results": ("llmbar", {}, "pairwise", {"rows": "llmbar_cot.json"}),
    "autoj": ("autoj", {}, "pairwise", {"rows": "autoj.jsonl"}),
    "autoj single": ("autoj", {"form": "single"}, "pointwise", {"rows": "autoj_single.jsonl"}),
    "autoj training": ("autoj", {"form": "training"}, "pairwise", {"rows": "autoj_pairwise_train.jsonl"}),
    "meld": ("meld", {"form": "pairwise"}, "pairwise", {"rows": "meld_pairwise.json"}),
    "meld grades": ("meld", {"form": "pointwise"}, "pointwise", {"rows": "meld_pointwise.json"}),
    "meld feedback": ("meld", {"form": "feedback"}, "pointwise", {"rows": "meld_feedback.json"}),
    "meld judgebench": ("meld", {"form": "judgebench"}, "pairwise", {"rows": "meld_judgebench.json"}),
    "meld length": ("meld", {"form": "length_bias"}, "pairwise", {"rows": "meld_length_bias.json"}),
    "gpt4 pairs": (
        "gpt4_pair",
        {},
        "pairwise",
        {"rows": "fastchat_gpt4_pair.jsonl"},
    ),
    "jsonl pairs": (
        "jsonl",
        {"fields": OWN, "labels": {1: "first", 2: "second"}},
        "pairwise",
        {"rows": "own_pairs.jsonl"},
    ),
    "jsonl grades": (
        "jsonl",
        {"fields": GRADES, "labels": {"good": 5, "poor": 1}},
        "pointwise",
        {"rows": "own_grades.jsonl"},
    ),
    "mtbench": (
        "mtbench",
        {},
        "pairwise",
        {
            role: f"mtbench_{role}.jsonl"
            for role in ("votes", "questions", "references", "answers_alpha", "answers_zeta")
        },
    ),
}


def rows_of(path, n):
    """Return the first rows of a JSON list, of an object of rows over several lines, or of a file of JSON lines."""
    start = path.read_text(encoding="utf-8")[:64].lstrip("\ufeff \r\n\t")
    if start.startswith("{\n"):
        return list(json.loads(path.read_text(encoding="utf-8")).values())[:n]
    rows = json.loads(path.read_text(encoding="utf-8")) if start.startswith("[") else list(read_jsonl(path))
    return rows[:n]


def try_changes(spec, rows, folder, n_changes):
    """Feed changed rows to an loader; return how often items came out, and how often a sentence."""
    seen = {"items": 0, "refused": 0}

    @settings(
        max_examples=n_changes,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=True))
    def any_change(rng):
        role = rng.choice(list(rows))
        said = []
        given_rows = copy.deepcopy(rows)
        given_rows[role], said = changed(given_rows[role], rng)
        paths = {}
        for name, values in given_rows.items():
            paths[name] = folder / f"{name}.jsonl"
            write_jsonl(paths[name], values)
        try:
            items, _ = load_items("bench", spec, paths)
        except JudgemergeError as error:
            seen["refused"] += 1
            assert "\n" not in str(error) and len(str(error)) < 1300, (role, said)
        else:
            seen["items"] += 1
            assert all(isinstance(item, Item) for item in items)
            json.dumps([item.extra for item in items])

    any_change()
    return seen


@pytest.mark.parametrize("name", CASES)
def test_broken_rows_are_items_or_a_sentence(data, tmp_path, name):
    loader, options, protocol, found = CASES[name]
    spec = {"loader": loader, "options": options, "protocol": protocol, "sources": dict.fromkeys(found, "key")}
    rows = {role: rows_of(data / file, 6 if loader != "mtbench" else 40) for role, file in found.items()}
    seen = try_changes(spec, rows, tmp_path, 120)
    print(name, seen)


@pytest.mark.slow
def test_broken_rows_of_real_files_are_items_or_a_sentence(repository, mirror, tmp_path):
    sources = load_sources(repository / "config" / "sources.yaml")
    tried = set()
    for name, entry in load_catalogue(repository / "config" / "benchmarks.yaml").items():
        spec = {key: value for key, value in entry.items() if key not in ("expected", "part")}
        files = {role: sources[key] for role, key in entry["sources"].items() if key in sources}
        kind = (entry["loader"], str(entry.get("options", {}).get("form")))
        paths = {role: mirror / source.mirror_path for role, source in files.items() if not source.is_local}
        fits = paths and len(paths) == len(entry["sources"]) and all(path.is_file() for path in paths.values())
        if kind in tried or not fits or any(path.suffix == ".parquet" for path in paths.values()):
            continue
        tried.add(kind)
        rows = {role: rows_of(path, 5 if len(paths) == 1 else 100) for role, path in paths.items()}
        print(name, kind, try_changes(spec, rows, tmp_path, 100 if len(paths) == 1 else 20))
    assert len({loader for loader, _ in tried}) >= 6


@settings(max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.text(max_size=100).map(str.encode),
        st.sampled_from([b"", b"[", b"PAR1", b"{}", b"null", b"[1]", b"\xff\xfe[", b"[" * 5000]),
    )
)
def test_a_file_of_any_bytes_is_items_or_a_sentence(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(content)
    paths = dict.fromkeys(ROLES, path)
    for loader in set(LOADERS.names) - {"demo"}:
        for protocol in ("pairwise", "pointwise"):
            spec = {"loader": loader, "protocol": protocol, "sources": dict.fromkeys(ROLES, "key")}
            try:
                load_items("bench", spec, paths)
            except JudgemergeError as error:
                assert "\n" not in str(error)
