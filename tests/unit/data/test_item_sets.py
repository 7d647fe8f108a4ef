"""Which raw files make which item sets, and which overlaps need no warning."""

from types import SimpleNamespace

import pytest

from judgemerge.data.benchmarks import deciding
from judgemerge.data.units import ItemSets
from judgemerge.settings.models import HubModel, LocalModel, Package, PackagedModel

SOURCES = {"train": {"rows": "web"}, "test": {"rows": "web"}, "other": {"rows": "books", "votes": "people"}}


def item_sets(training_sets=(), limits=None):
    """The item sets of a study that looks for prompts of `train` in two benchmarks."""
    return ItemSets(
        SimpleNamespace(
            settings=SimpleNamespace(seed=7),
            models={
                "hub": HubModel(repo="a/b", revision="0" * 40),
                "here": LocalModel(path="models/here"),
                "packed": PackagedModel(package=Package(name="a", version="1", file="m", sha256="0" * 64)),
            },
            catalogues=SimpleNamespace(
                benchmarks={"test": {"loader": "jsonl", "description": "words", "categories": {"physics": "science"}}}
            ),
            benchmark_sources=lambda name: SOURCES.get(name, {}),
            stand_ins=[],
            limit=(limits or {}).get,
            overlap_pairs=[("train", "test"), ("train", "other")],
            training_sets=training_sets,
        )
    )


@pytest.mark.parametrize(
    ("training_sets", "notes"), [((), {("train", "test"): "both are read from web"}), (("train",), {})]
)
def test_two_sets_of_one_file_overlap_without_harm_unless_a_judge_is_trained_on_one(training_sets, notes):
    assert item_sets(training_sets).harmless_overlaps() == notes


def test_another_seed_changes_only_sets_that_are_sampled():
    study = item_sets(limits={"test": 100})
    assert study.sampling_seed("test") == 7
    assert study.sampling_seed("other") is None


def test_what_the_loader_is_told_decides_and_words_for_readers_do_not():
    assert item_sets().deciding("test") == {"loader": "jsonl", "categories": {"physics": "science"}}
    assert item_sets().loader("test") == "jsonl"
    assert item_sets().roles("other") == ["rows", "votes"]
    assert item_sets().downloaded_models() == ["hub", "packed"]


def test_everything_that_a_loader_is_told_decides_the_items():
    told = {"loader": "jsonl", "protocol": "pairwise", "sources": {}, "categories": {"mmlu-*": "mmlu"}, "part": {}}
    assert deciding(told | {"description": "words", "about": 7}) == told
