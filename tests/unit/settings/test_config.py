"""The schema of a study says everything; whatever does not fit it gets one sentence."""

import copy

import pytest

from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.settings import config, study_file

SMALL = {"study": "small", "suites": {"pairs": {"benchmarks": ["demo_pairwise"]}}, "judges": ["longer"]}
EXPERT = {"train_on": ["demo_pairwise_train"]}
THREADS = "CPU threads of each training, merging and judging job"


@pytest.fixture(scope="module")
def schema():
    return study_file.schema()


def parts(node, path="schema"):
    """Yield (path, part) for the schema and every schema inside it."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from parts(value, f"{path}.{key}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from parts(value, f"{path}.{number}")


def test_every_property_is_described(schema):
    properties = [
        (f"{path}.{name}", entry)
        for path, part in parts(schema)
        if isinstance(part.get("properties"), dict)
        for name, entry in part["properties"].items()
    ]
    assert len(properties) > 80
    assert [path for path, entry in properties if not entry.get("description")] == []


def test_every_object_with_fixed_keys_refuses_others(schema):
    fixed = [(path, part) for path, part in parts(schema) if isinstance(part.get("properties"), dict)]
    fixed = [(path, part) for path, part in fixed if part.get("type") == "object"]
    assert len(fixed) > 12
    assert [path for path, part in fixed if part.get("additionalProperties") is not False] == []


REFUSED = {
    "unknown key": ({"judgs": []}, "key 'judgs' is unknown; did you mean 'judges'?"),
    "unknown key inside": (
        {"judging": {"dtyp": "auto"}},
        "key 'dtyp' in 'judging' is unknown; did you mean 'dtype'?",
    ),
    "unknown key of LLaMA-Factory": (
        {"experts": {"e": {**EXPERT, "settings": {"lora_rnk": 8}}}},
        "key 'lora_rnk' in 'experts.e.settings' is unknown; did you mean 'lora_rank'?",
    ),
    "unknown key of an alternative": (
        {"models": {"m": {"pth": "here"}}},
        "key 'pth' in 'models.m' is unknown; did you mean 'path'?",
    ),
    "wrong type": (
        {"threads": "two"},
        f"'threads' is wrong: 'two' is not of type 'integer'; it is meant as: {THREADS}",
    ),
    "boolean for a number": (
        {"threads": True},
        f"'threads' is wrong: True is not of type 'integer'; it is meant as: {THREADS}",
    ),
    "too small": (
        {"threads": 0},
        f"'threads' is wrong: 0 is less than the minimum of 1; it is meant as: {THREADS}",
    ),
    "wrong enum": ({"judging": {"dtype": "float8"}}, "'judging.dtype' is 'float8'; did you mean 'float32'?"),
    "wrong enum, nothing near": (
        {"experts": {"e": {**EXPERT, "orders": "swapped"}}},
        "'experts.e.orders' is 'swapped'; known: both, original",
    ),
    "wrong word": (
        {"models": {"m": {"make": {"stages": [{"data": "corpsu", "settings": {}}]}}}},
        "'models.m.make.stages.0.data' is 'corpsu'; did you mean 'corpus'?",
    ),
    "missing key": (
        {"study": None},
        "key 'study' is missing; add it (Name of the study; everything it makes lies under results/<study>/)",
    ),
    "missing key inside": (
        {"experts": {"e": {}}},
        "key 'train_on' in 'experts.e' is missing; add it (Item sets of config/benchmarks.yaml, one or several)",
    ),
    "missing key of an alternative": (
        {"models": {"m": {"repo": "owner/name"}}},
        "key 'revision' in 'models.m' is missing; "
        "add it (Commit of the model; a branch name would not be reproducible)",
    ),
    "branch for a commit": (
        {"models": {"m": {"repo": "owner/name", "revision": "main"}}},
        "'models.m.revision' is 'main', which does not match ^[0-9a-f]{40}$; "
        "it is meant as: Commit of the model; a branch name would not be reproducible",
    ),
    "bad name": (
        {"experts": {"My expert": EXPERT}},
        "name 'My expert' in 'experts' does not match ^[a-z][a-z0-9_]*$; rename it",
    ),
    "empty list": (
        {"suites": {"pairs": {"benchmarks": []}}},
        "'suites.pairs.benchmarks' is wrong: [] should be non-empty; it is meant as: Names from config/benchmarks.yaml",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_gets_one_sentence(change, sentence):
    given = {key: value for key, value in {**SMALL, **change}.items() if value is not None}
    with pytest.raises(JudgemergeError) as caught:
        config.read(given, "config/studies/small.yaml")
    assert str(caught.value) == f"config/studies/small.yaml: {sentence}"


def test_defaults_are_filled_at_every_depth():
    given = {
        **SMALL,
        "models": {"m": {"make": {"corpus": {}}}, "found": {"path": "here"}},
        "experts": {"e": EXPERT},
        "merges": {"both": {"method": "linear", "models": {"e": {}}}},
        "statistics": {"seed": 1},
    }
    before = copy.deepcopy(given)
    full = config.read(given, "study.yaml").plain()
    assert given == before
    assert full["threads"] == 2
    assert full["suites"]["pairs"] == {"benchmarks": ["demo_pairwise"], "optional": False}
    assert full["models"]["m"]["make"]["corpus"]["seed"] == 1
    assert full["models"]["m"]["make"]["layers"] == 4
    assert full["models"]["found"] == {"path": "here"}
    assert full["experts"]["e"].items() >= {**EXPERT, "orders": "both", "drop_overlap": True, "settings": {}}.items()
    assert full["merges"]["both"]["seed"] == 7
    assert full["judging"]["prompts"] == {}
    assert full["statistics"] == {
        "resamples": 10000,
        "confidence": 0.95,
        "seed": 1,
        "group_by": "cluster",
    }
    full["judging"]["prompts"]["pairwise"] = "mine"
    assert config.read(SMALL, "study.yaml").judging.prompts.plain() == {}


BROKEN = {
    "twice": (b"a: 1\nb: 2\na: 3\n", "line 3: key 'a' occurs twice; rename or delete one"),
    "twice inside": (b"a: {b: 1, b: 2}\n", "line 1: key 'b' occurs twice; rename or delete one"),
    "tab": (b"a:\n\tb: 1\n", "line 2 is not YAML ("),
    "open bracket": (b"a: [1\n", "line 2 is not YAML ("),
    "list": (b"- a\n", "holds list, not a mapping from names to entries"),
    "empty": (b"", "holds NoneType, not a mapping from names to entries"),
    "Latin-1": (b"a: \xe4\n", "is not text in UTF-8; save it as such"),
}


@pytest.mark.parametrize(("content", "sentence"), BROKEN.values(), ids=BROKEN)
def test_broken_yaml_is_named_with_its_line(tmp_path, content, sentence):
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(JudgemergeError) as caught:
        load_yaml(path)
    assert str(caught.value).startswith(f"{path}: {sentence}")
    assert "\n" not in str(caught.value)


def test_missing_yaml_file_is_named(tmp_path):
    with pytest.raises(JudgemergeError, match=r"none\.yaml: no such file; check the path"):
        load_yaml(tmp_path / "none.yaml")
