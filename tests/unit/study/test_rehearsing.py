"""Rehearsals: every study plans at scale=twins, nothing of it is left out, and what is done otherwise is said."""

import copy
from pathlib import Path

import pytest
from rule_scripts import rule_script

from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.data.units import ItemSets
from judgemerge.report.contents import Contents
from judgemerge.settings.config import at_scale
from judgemerge.study import rehearsing
from judgemerge.study.load import load_study
from judgemerge.train.training import ZERO3, shared_settings

STUDIES = ("embedder", "meld", "orpo", "prometheus", "unified")


def study_at(repository, name, scale="twins", mirror="/nowhere", **changes):
    path = repository / "config/studies" / f"{name}.yaml"
    settings = load_yaml(path) | {"scale": scale, "mirror": mirror} | changes
    return load_study(settings, path.name, repository / "config")


@pytest.mark.parametrize("name", STUDIES)
def test_everything_that_a_study_makes_is_rehearsed(repository, name):
    full, rehearsal = (study_at(repository, name, scale, downloads=True) for scale in ("", "twins"))
    for kind in ("models", "experts", "merges", "quantizations", "searches", "model_comparisons"):
        assert list(getattr(rehearsal.settings, kind)) == list(getattr(full.settings, kind)), kind
    assert rehearsal.judges == full.judges
    assert rehearsal.benchmarks == full.benchmarks
    assert rehearsal.source_keys == full.source_keys
    assert rehearsal.name == f"{name}_twins"
    assert rehearsal.settings.gpus == 0 and not rehearsal.models_by_origin("repo")
    assert (rehearsal.embedding is None) == (full.embedding is None)


@pytest.mark.parametrize("name", STUDIES)
def test_what_is_published_stays_but_for_numbers_of_steps_and_what_needs_a_gpu(repository, name):
    full, rehearsal = (study_at(repository, name, scale) for scale in ("", "twins"))
    cut = {"max_steps", "save_steps", "eval_steps", "logging_steps", "preprocessing_num_workers"}
    for_gpus = {"fp16", "bf16", "quantization_bit", "optim", "deepspeed"}  # the last three without their packages
    for expert in full.experts:
        published, rehearsed = full.training(expert), rehearsal.training(expert)
        changed = {key for key in {*published, *rehearsed} if published.get(key) != rehearsed.get(key)}
        assert changed <= cut | for_gpus, expert
        published, rehearsed = (study.experts[expert].plain() for study in (full, rehearsal))
        kept, few = (one.get("checkpoints", {}) for one in (published, rehearsed))
        assert {**few, "every": None} == {**{key: kept[key] for key in kept if key != "steps"}, "every": None}
        assert few.get("every", 1) == 1
        same = {"settings": {}, "checkpoints": None}
        assert {**published, **same} == {**rehearsed, **same}
    for merge, entry in full.merges.items():
        assert rehearsal.merges[merge].plain() == entry.plain()
    for prompts in ("prompts_used", "asked_prompts"):
        assert getattr(rehearsal, prompts) == getattr(full, prompts)


def test_what_a_cpu_cannot_do_is_said(repository):
    said = " ".join(study_at(repository, "orpo").settings.rehearsal.not_rehearsed)
    for word in ("GPUs", "paged_adamw_8bit", "adamw_8bit", "4 bits", "grids"):
        assert word in said
    assert "4 processes" in " ".join(study_at(repository, "meld").settings.rehearsal.not_rehearsed)
    plain = study_at(repository, "meld", "")
    assert rehearsing.lines(plain.settings, plain.stand_ins) == []
    study = study_at(repository, "meld")
    first, *lines = rehearsing.lines(study.settings, study.stand_ins)
    assert first.startswith("This is a rehearsal.") and "meld_training_pairwise" in lines[-1]


def test_what_is_installed_is_rehearsed(repository, monkeypatch):
    monkeypatch.setattr(rehearsing, "is_installed", lambda package: True)
    study = study_at(repository, "unified")
    assert study.training("qlora")["quantization_bit"] == 4
    assert study.training("full_2b")["deepspeed"] == "config/deepspeed/zero3.json"
    assert not any("bitsandbytes" in said or "DeepSpeed" in said for said in study.settings.rehearsal.not_rehearsed)
    study = study_at(repository, "prometheus")
    assert shared_settings(study.settings)["deepspeed"] == ZERO3
    monkeypatch.setattr(rehearsing, "is_installed", lambda package: False)
    study = study_at(repository, "prometheus")
    assert "deepspeed" not in shared_settings(study.settings)
    assert "DeepSpeed" in " ".join(study.settings.rehearsal.not_rehearsed)


def test_several_gpus_are_rehearsed_as_two_processes(repository):
    assert shared_settings(study_at(repository, "prometheus").settings)["processes"] == 2
    assert "processes" not in shared_settings(study_at(repository, "orpo").settings)


def test_only_a_rehearsal_makes_raw_files_up_and_only_those_that_are_not_here(repository, tmp_path, monkeypatch):
    assert study_at(repository, "unified", "").stand_ins == []
    study = study_at(repository, "unified", mirror=str(tmp_path))
    assert set(study.stand_ins) == {"autoj_pairwise_train", "pandalm_train", "lmsys_gpt4_pair"}
    sets = ItemSets(study)
    assert sets.is_stand_in("pandalm_train") and not sets.is_stand_in("pandalm_testset")
    assert "expected" not in sets.deciding("autoj_pairwise_train")
    assert sets.deciding("pandalm")["expected"]["rows"] == 999
    copy_in_mirror = tmp_path / study.catalogues.sources["lmsys_gpt4_pair"].mirror_path
    copy_in_mirror.parent.mkdir(parents=True)
    copy_in_mirror.write_text("")
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data/pandalm_train.json").write_text("[]")
    assert ItemSets(study_at(repository, "unified", mirror=str(tmp_path))).study.stand_ins == ["autoj_pairwise_train"]


def test_every_item_set_is_short_the_learnt_ones_less_so(repository):
    study = study_at(repository, "orpo")
    assert study.limit("capybara_preferences_train") == study.limit("finetome_train") == 12
    assert study.limit("finetome_test") == study.limit("capybara_preferences_development") == 2
    larger = {"scales": {"twins": {"rehearsal": {"items": 5, "training_items": 7}}}}
    study = study_at(repository, "orpo", **larger)
    assert (study.limit("finetome_train"), study.limit("finetome_test")) == (7, 5)


def test_a_grid_stays_a_grid_through_the_studys_own_setting(repository):
    search = study_at(repository, "orpo").searches["settings"]
    assert search.sampler == "grid" and search.rounds * search.width == 4
    assert {name: span.choices for name, span in search.space.items()} == {
        "lora_rank": (16, 8),
        "lora_alpha": (32, 8),
    }


@pytest.mark.parametrize("scale", ["other_bases,twins", "full_sets,twins", "original,twins", ["original", "twins"]])
def test_a_rehearsal_of_another_scale_of_the_study(repository, scale):
    study = study_at(repository, "unified", scale)
    names = scale if isinstance(scale, list) else scale.split(",")
    assert study.name == "_".join(("unified", *names))
    assert ("chatglm3" in study.experts) == ("other_bases" in names)
    if "other_bases" in names:
        assert study.models["chatglm3_6b"].twin.of == "models/chatglm3-6b" and not study.merges


def test_scales_are_laid_over_one_another_in_their_order():
    study = {"study": "mine", "seed": 1, "merges": {"a": {}}, "scales": {"one": {"seed": 2}, "two": {"seed": 3}}}
    assert at_scale({**study, "scale": "one,two"}, "s.yaml") == {
        "study": "mine_one_two",
        "seed": 3,
        "merges": {"a": {}},
    }
    assert at_scale({**study, "scale": "two, one"}, "s.yaml")["seed"] == 2
    nulls = copy.deepcopy(study) | {"scales": {"twins": {"merges": None, "seed": 4}}}
    assert at_scale({**nulls, "scale": "twins"}, "s.yaml") == {
        "study": "mine_twins",
        "seed": 4,
        "twins": {"dtype": "float32"},
        "rehearsal": {},
    }
    with pytest.raises(JudgemergeError, match="scale 'twin' is unknown; did you mean 'twins'"):
        at_scale({"study": "mine", "scale": "twin"}, "s.yaml")
    with pytest.raises(JudgemergeError, match="scales.one is 3, not a mapping"):
        at_scale({"study": "mine", "scale": "twins,one", "scales": {"one": 3}}, "s.yaml")


def test_the_record_has_the_checksum_of_a_file_that_the_catalogue_never_saw(repository, tmp_path):
    """At full size the last job would have looked for it at its address."""
    for scale, url in (("", "https://huggingface.co/"), ("twins", "made up for a rehearsal")):
        source = Contents(study_at(repository, "orpo", scale)).sources()["finetome"]
        assert source["url"].startswith(url) and not source["sha256"]
        assert source["file"].endswith("/sources/finetome")
        (tmp_path / "finetome").write_text("rows")
        record = rule_script("report/write_run_record").with_checksum(source | {"file": str(tmp_path / "finetome")})
        assert len(record["sha256"]) == 64 and "file" not in record
