"""Study files with one thing or several changed at random: each is valid, or is refused with one sentence.

JUDGEMERGE_FUZZ=N tries N changes of every study instead of 300.
"""

import copy
import functools
import os
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judgemerge import catalogues, study
from judgemerge.errors import JudgemergeError
from judgemerge.resources import Needs

STUDIES = ("embedder", "meld", "orpo", "prometheus", "replay", "unified")
FILES = ("config.yaml", *(f"studies/{name}.yaml" for name in STUDIES))
QUESTIONS = "item_sets source_keys training_sets prompts_used lora_experts overlap_pairs working_sets"
N_CHANGES = int(os.environ.get("JUDGEMERGE_FUZZ", "300"))

ODD_TEXTS = (
    "",
    " ",
    "tiny",
    "linear",
    "demo_pairwise",
    "../../etc/passwd",
    "/",
    "a\nb",
    "\x00",
    "{prompt}",
    "ü",
    "判",
    "🦙",
)
ODD_NUMBERS = (0, -1, 1, 2, 3.5, 1e308, -1e308, float("nan"), float("inf"), 10**30, -(10**30), 0.0, 1e-320)
ODD_SHAPES = (
    [],
    {},
    [[[[[]]]]],
    [None],
    [{"a": {"b": {"c": [1, {"d": None}]}}}],
    {"": {"": {"": ""}}},
    {1: 2, None: None},
)
DEEP = functools.reduce(lambda inner, _: {"deep": inner}, range(60), {})
WRONG_VALUES = (None, True, *ODD_NUMBERS, *ODD_TEXTS, *ODD_SHAPES, DEEP, ["tiny", "tiny"], "x" * 5000)
KINDS = ("delete", "rename", "replace", "swap", "copy", "null", "nest", "number", "text")


@pytest.fixture(scope="module")
def quick(repository):
    """Let `load_study` read catalogues and schema once; they are not what is changed here."""
    patch = pytest.MonkeyPatch()
    patch.chdir(repository)
    read, load = functools.cache(catalogues.load_yaml), functools.cache(study.load_catalogues)
    patch.setattr(study, "load_yaml", lambda path: copy.deepcopy(read(path)))
    patch.setattr(study, "load_catalogues", load)
    yield
    patch.undo()


def places(value, path=()):
    """Yield the path of everything inside a study file."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield (*path, key)
        yield from places(entry, (*path, key))


def at(value, path):
    """Return what stands at a path."""
    return functools.reduce(lambda inner, key: inner[key], path, value)


def names_in(value):
    """Return every text in a study file, keys included."""
    if isinstance(value, dict):
        return [*map(str, value), *(name for entry in value.values() for name in names_in(entry))]
    if isinstance(value, list):
        return [name for entry in value for name in names_in(entry)]
    return [value] if isinstance(value, str) else []


def misspelt(rng, text):
    """Return a text with a letter lost, doubled or added, or in capitals."""
    where = rng.randrange(max(1, len(text)))
    doubled = text[:where] + text[where : where + 1] + text[where:]
    return rng.choice([text[:where] + text[where + 1 :], doubled, text.upper(), text + "é"])


def change(value, rng, names):
    """Change one thing in a study; return what and where."""
    path = rng.choice(sorted(places(value), key=str))
    *above, last = path
    parent, kind = at(value, above), rng.choice(KINDS)
    if kind == "delete":
        del parent[last]
    elif kind == "rename" and isinstance(parent, dict):
        parent[misspelt(rng, str(last))] = parent.pop(last)
    elif kind == "rename":
        parent[last] = misspelt(rng, str(parent[last]))
    elif kind == "replace":
        parent[last] = copy.deepcopy(rng.choice(WRONG_VALUES))
    elif kind == "null":
        parent[last] = None
    elif kind == "nest":
        parent[last] = rng.choice([[parent[last]], {"value": parent[last]}, {str(last): parent[last]}])
    elif kind == "number":
        parent[last] = rng.choice([rng.randint(-5, 5), rng.gauss(0, 10), rng.randint(-(2**70), 2**70)])
    elif kind == "text":
        parent[last] = "".join(map(chr, rng.choices([*range(0xD800), *range(0xE000, 0x11000)], k=rng.randint(1, 9))))
    elif kind == "copy" and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[last]))
    elif kind == "copy":
        parent[f"{last}_2"] = copy.deepcopy(parent[last])
    else:  # a name of the file in another place
        parent[last] = rng.choice(names)
    return kind, path


def changed(original, rng):
    """Return a study with one to three changes, and what was changed."""
    value, names = copy.deepcopy(original), sorted(set(names_in(original)))
    return value, [change(value, rng, names) for _ in range(rng.choice([1, 1, 1, 2, 3])) if value]


def ask_everything(checked):
    """Ask a valid study what the Snakefile asks before it plans."""
    needs = Needs(checked, lambda model: None)
    for question in QUESTIONS.split():
        getattr(checked, question)
    for judge in checked.judges:
        checked.label(judge), checked.own_models(judge)
        for benchmark in checked.all_benchmarks:
            checked.protocol(benchmark), checked.limit(benchmark), checked.rubric(benchmark)
    for merge in checked.merges:
        checked.roots(merge), checked.models_read(merge)
        needs.merge(merge)
    for expert in checked.experts:
        needs.train(expert), checked.leak_benchmarks(expert)


def attempt(value, where, folder):
    """Load a changed study; return the sentence that it is refused with, "" if it is not."""
    try:
        checked = study.load_study(value, where, folder)
    except JudgemergeError as error:
        return str(error)
    ask_everything(checked)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["", "tiny"])
@pytest.mark.parametrize("name", FILES)
def test_a_changed_study_is_valid_or_refused_in_one_sentence(repository, quick, name, scale):
    where = f"config/{name}"
    original = catalogues.load_yaml(repository / "config" / name)
    if scale and "scales" not in original:
        pytest.skip("has one size only")
    attempt(original | ({"scale": scale} if scale else {}), where, repository / "config")
    refused, accepted = [], []

    @settings(
        max_examples=N_CHANGES // (2 if "scales" in original else 1),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=True))
    def any_change(rng):
        value, said = changed(original, rng)
        sentence = attempt(value | ({"scale": scale} if scale else {}), where, repository / "config")
        if not sentence:
            accepted.append(said)
        else:
            refused.append(sentence)
            assert "\n" not in sentence, (said, sentence)
            assert len(sentence) < 1500, (said, sentence)
            assert sentence.startswith((f"{where}: ", "config/")), (said, sentence)
            rest = sentence.partition(": ")[2]
            known = {str(part) for _, path in said for part in path} | set(names_in(value)) | set(names_in(original))
            assert any(re.search(rf"(?<!\w){re.escape(part)}(?!\w)", rest) for part in known if part), (said, sentence)

    any_change()
    print(f"{where} {scale}: {len(refused)} refused, {len(accepted)} valid")
    assert refused and accepted
