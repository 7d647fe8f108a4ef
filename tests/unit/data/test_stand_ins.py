"""Stand-ins for raw files that nobody here can fetch: each unseen file has one, and each loader and prompt reads it."""

import pytest
from rule_scripts import rule_script

from judgemerge.data import stand_ins
from judgemerge.data.benchmarks import load_catalogue, load_items
from judgemerge.data.sources import Source, load_sources
from judgemerge.prompting import rubric_metrics
from judgemerge.prompting.prompts import load_template, prompt_sources

# What loaders' docstrings name as odd, and whether the stand-ins have it: item set → counts that are not 0.
ODD = {
    "biggen_human": ("without_score",),
    "autoj_pairwise_train": ("critique_undecided", "critique_against_people"),
    "mtbench_gpt4_train": ("second_turns", "errors", "with_reference"),
    "meld_pairwise_train": ("unreadable",),
    "meld_pointwise_train": ("unreadable",),
    "orpo_dpo_mix_train": ("parted_early", "with_system"),
    "capybara_preferences_train": ("parted_early", "with_system"),
    "finetome_train": ("with_system",),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    for source in stand_ins.FILES:
        stand_ins.write(source, folder / source)
    return folder


@pytest.fixture(scope="module")
def catalogues(repository):
    config = repository / "config"
    return load_sources(config / "sources.yaml"), load_catalogue(config / "benchmarks.yaml")


def test_every_unseen_file_has_a_stand_in_and_no_other(catalogues):
    assert {key for key, source in catalogues[0].items() if source.unseen} == set(stand_ins.FILES)


def test_every_item_set_is_read_from_its_stand_in(folder, catalogues):
    made_up = 0
    for name, spec in catalogues[1].items():
        files = spec.get("sources", {})
        if not files or not set(files.values()) <= set(stand_ins.FILES):
            continue
        without_counts = {key: value for key, value in spec.items() if key != "expected"}
        items, counts = load_items(name, without_counts, {role: folder / key for role, key in files.items()})
        assert items, name
        assert all(counts[odd] for odd in ODD.get(name, ())), (name, counts)
        made_up += 1
    assert made_up > 20


def test_every_prompt_and_metric_finds_its_words(folder, repository, catalogues):
    for key in catalogues[0]:
        if key.startswith("meld_criteria"):
            (folder / key).write_text("words")
    prompts = sorted((repository / "config/prompts").glob("*.yaml"))
    asked = [path for path in prompts if set(prompt_sources(path)) & set(stand_ins.FILES)]
    assert len(asked) == 19
    for path in asked:
        assert load_template(path, folder).user.strip()
    metrics = sorted((repository / "config/metrics").glob("flow_judge_*.yaml"))
    for path in metrics:
        assert rubric_metrics.load_metric(path, folder).criteria != "not read"


def test_a_stand_in_is_the_same_every_time(folder, tmp_path):
    for source, stand_in in stand_ins.FILES.items():
        stand_ins.write(source, tmp_path / source)
        assert (tmp_path / source).read_bytes() == (folder / source).read_bytes(), stand_in


def test_a_file_at_hand_is_the_one_of_a_mirror_or_of_this_machine(tmp_path):
    there = Source("there", "", 0, "MIT", address=str(tmp_path / "rows.json"), unseen=True)
    elsewhere = Source("elsewhere", "", 0, "MIT", repo="a/b", commit="0" * 40, path="rows.json", unseen=True)
    assert not there.is_at_hand("") and not elsewhere.is_at_hand(tmp_path) and not elsewhere.is_at_hand(None)
    (tmp_path / "rows.json").write_text("[]")
    (tmp_path / elsewhere.mirror_path).parent.mkdir(parents=True)
    (tmp_path / elsewhere.mirror_path).write_text("[]")
    assert there.is_at_hand("") and elsewhere.is_at_hand(tmp_path)


def test_the_job_of_a_stand_in_fetches_nothing(tmp_path):
    rule_script("data/fetch_source").main(
        "finetome", "config/sources.yaml", str(tmp_path / "finetome"), None, str(tmp_path), stand_in=True
    )
    spec = {"loader": "preferences", "protocol": "prompts", "sources": {"rows": "finetome"}}
    items, _ = load_items("talks", spec | {"options": {"form": "conversation"}}, {"rows": tmp_path / "finetome"})
    assert len(items) == 100
