"""Study files with one thing or several changed at random: each is valid, or is refused with one sentence.

JUDGEMERGE_FUZZ=N tries N changes of every study instead of 60.
"""

import functools
import os
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import changed, names_in

from judgemerge.core import catalogues
from judgemerge.core.errors import JudgemergeError
from judgemerge.study import load
from judgemerge.study.resources import Needs

STUDIES = ("embedder", "meld", "orpo", "prometheus", "replay", "unified")
FILES = ("config.yaml", *(f"studies/{name}.yaml" for name in STUDIES))
QUESTIONS = "item_sets source_keys training_sets prompts_used lora_experts overlap_pairs working_sets"
N_CHANGES = int(os.environ.get("JUDGEMERGE_FUZZ", "60"))


@pytest.fixture(scope="module")
def quick(repository):
    """Let `load_study` read catalogues and schema once; they are not what is changed here."""
    patch = pytest.MonkeyPatch()
    patch.chdir(repository)
    patch.setattr(load, "load_catalogues", functools.cache(load.load_catalogues))
    yield
    patch.undo()


def ask_everything(checked):
    """Ask a valid study what the Snakefile asks before it plans."""
    needs = Needs(checked, lambda model: None)
    for question in QUESTIONS.split():
        getattr(checked, question)
    for judge in checked.judges:
        checked.labels[judge], checked.own_models(judge)
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
        checked = load.load_study(value, where, folder)
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
    if scale and scale not in original.get("scales", {}):
        pytest.skip("has one size only")
    attempt(original | ({"scale": scale} if scale else {}), where, repository / "config")
    refused, accepted = [], []

    @settings(
        max_examples=N_CHANGES // (2 if "tiny" in original.get("scales", {}) else 1),
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
