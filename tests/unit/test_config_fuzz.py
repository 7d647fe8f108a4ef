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

FILES = ("config.yaml", *(f"studies/{name}.yaml" for name in ("embedder", "meld", "orpo", "prometheus", "replay", "unified")))
N_CHANGES = int(os.environ.get("JUDGEMERGE_FUZZ", "300"))

WRONG_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1, 2, 3.5, 1e308, -1e308, float("nan"), float("inf"), 10**30, -(10**30), 0.0, 1e-320]),
    st.sampled_from(["", " ", "tiny", "linear", "demo_pairwise", "../../etc/passwd", "/", "a\nb", "\x00", "{prompt}", "ü", "判", "🦙"]),
    st.text(max_size=8),
    st.just([]),
    st.just({}),
    st.just([[[[[]]]]]),
    st.just([None]),
    st.just([{"a": {"b": {"c": [1, {"d": None}]}}}]),
    st.just({"": {"": {"": ""}}}),
    st.just({1: 2, None: None, True: False}),
    st.just(functools.reduce(lambda inner, _: {"deep": inner}, range(60), {})),
    st.just(["tiny", "tiny"]),
    st.just("x" * 5000),
)


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


def misspelt(draw, text):
    """Return a text with a letter lost, doubled, swapped or added."""
    where = draw(st.integers(0, max(0, len(text) - 1)))
    return draw(
        st.sampled_from(
            [text[:where] + text[where + 1 :], text[:where] + text[where : where + 1] + text[where:], text.upper(), text + "é"]
        )
    )


@st.composite
def changed(draw, given_settings):
    """Return a study with one to three changes, and what was changed."""
    value = copy.deepcopy(given_settings)
    said = []
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        path = draw(st.sampled_from(sorted(places(value), key=str)))
        *above, last = path
        parent = at(value, above)
        kind = draw(st.sampled_from(["delete", "rename", "replace", "swap", "copy", "null", "nest", "number"]))
        said.append((kind, path))
        if kind == "delete":
            del parent[last]
        elif kind == "rename":
            if isinstance(parent, dict):
                parent[misspelt(draw, str(last))] = parent.pop(last)
            else:
                parent[last] = misspelt(draw, str(parent[last]))
        elif kind == "replace":
            parent[last] = draw(WRONG_VALUES)
        elif kind == "null":
            parent[last] = None
        elif kind == "nest":
            parent[last] = draw(st.sampled_from([[parent[last]], {"value": parent[last]}, {str(last): parent[last]}]))
        elif kind == "number":
            parent[last] = draw(st.one_of(st.integers(), st.floats()))
        elif kind == "copy":
            if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[last]))
            else:
                parent[f"{last}_2"] = copy.deepcopy(parent[last])
        else:  # a name of the file in another place
            parent[last] = draw(st.sampled_from(sorted(set(names_in(given_settings)))))
    return value, said


def ask_everything(checked):
    """Ask a valid study what the Snakefile asks before it plans."""
    needs = Needs(checked, lambda model: None)
    for question in ("item_sets", "source_keys", "training_sets", "prompts_used", "lora_experts", "overlap_pairs", "working_sets"):
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
    refused = []

    @settings(
        max_examples=N_CHANGES // (2 if "scales" in original else 1),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(changed(original))
    def change(drawn):
        value, said = drawn
        sentence = attempt(value | ({"scale": scale} if scale else {}), where, repository / "config")
        if sentence:
            refused.append(sentence)
            assert "\n" not in sentence, (said, sentence)
            assert len(sentence) < 1500, (said, sentence)
            assert sentence.startswith((f"{where}: ", "config/")), (said, sentence)
            rest = sentence.partition(": ")[2]
            known = {str(part) for _, path in said for part in path} | set(names_in(value)) | set(names_in(original))
            assert any(re.search(rf"(?<!\w){re.escape(part)}(?!\w)", rest) for part in known if part), (said, sentence)

    change()
    print(f"{where} {scale}: {len(refused)} of {N_CHANGES} refused")
    assert refused
