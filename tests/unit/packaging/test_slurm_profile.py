"""The cluster profile: what it says before and after the site block is filled in."""

import re

import pytest
from yte import process_yaml

NAME = "slurm/profile.v9+.yaml"


@pytest.fixture
def profile(repository):
    """Return a function: the profile as Snakemake reads it, with values of the site block changed."""

    def read(**site):
        text = (repository / NAME).read_text(encoding="utf-8")
        for key, value in site.items():
            text, n_lines = re.subn(rf"(?m)^  {key}: \S+", f"  {key}: {value}", text)
            assert n_lines == 1, f"the site block has no {key}"
        return process_yaml(text, require_use_yte=True)

    return read


def rule_names(repository):
    texts = [path.read_text(encoding="utf-8") for path in (repository / "rules").glob("*.smk")]
    return set(re.findall(r"(?m)^(?:use rule \w+ as|rule) (\w+)", "\n".join(texts)))


def test_as_shipped_it_names_no_site(profile):
    plain = profile()
    assert plain["executor"] == "slurm"
    assert set(plain["default-resources"]) == {"mem_mb", "runtime"}
    assert not plain.keys() & {"set-resources", "precommand", "slurm_account"}


def test_it_cannot_wait_for_an_accounting_database(profile):
    plain = profile()
    assert plain["slurm-status-command"] == "squeue"
    assert 3 * plain["slurm-init-seconds-before-status-checks"] <= 60  # MinJobAge of the strictest sites
    assert profile(job_status="sacct")["slurm-status-command"] == "sacct"


def test_retries_are_in_the_profile_and_in_no_rule(profile, repository):
    assert profile()["retries"] >= 1
    for path in (repository / "rules").glob("*.smk"):
        assert not re.search(r"(?m)^\s+retries:", path.read_text(encoding="utf-8")), path


def test_the_site_block_reaches_every_rule_with_gpus(profile, repository):
    site = profile(account="lab1", cpu_partition="cpu", gpu_partition="gpu", gpu_model="a100", modules="cuda")
    assert site["default-resources"] == {
        "mem_mb": "1000 * attempt",
        "runtime": 30,
        "slurm_account": "'lab1'",
        "slurm_partition": "'cpu'",
    }
    assert site["precommand"] == "module load cuda"
    declared = re.findall(
        r"(?ms)^rule (\w+):(?:(?!^rule ).)*?^        (?:gpu=|\*\*encoder_job)",
        "".join(p.read_text() for p in (repository / "rules").glob("*.smk")),
    )
    assert {"make_model", "train_expert", "judge_suite"} <= set(declared)
    assert set(site["set-resources"]) == set(declared)
    assert set(site["set-resources"]) <= rule_names(repository)
    partition = "'gpu' if $JUDGEMERGE_GPUS else 'cpu'"
    several = {
        "slurm_partition": partition,
        "gpu_model": "'a100' if $JUDGEMERGE_GPUS and $JUDGEMERGE_NODES == 1 else None",
        "gres": "'gpu:a100:$JUDGEMERGE_GPUS' if $JUDGEMERGE_GPUS and $JUDGEMERGE_NODES > 1 else None",
    }
    one = {"slurm_partition": partition, "gpu_model": "'a100' if $JUDGEMERGE_GPUS else None"}
    for rule, asked in site["set-resources"].items():
        assert asked == (several if rule in ("train_expert", "train_trial") else one), rule


def test_gres_replaces_gpus(profile):
    asked = profile(gpu_request="gres", gpu_model="a100")["set-resources"]
    assert asked["train_expert"] == {"gpu": 0, "gres": "'gpu:a100:$JUDGEMERGE_GPUS' if $JUDGEMERGE_GPUS else None"}
    assert asked["screen_base"]["gres"] == "'gpu:a100:1' if $JUDGEMERGE_GPUS else None"
    assert asked["judge_suite"]["gres"] == "'gpu:a100:$JUDGEMERGE_JUDGE_GPUS' if $JUDGEMERGE_GPUS else None"
    assert profile(gpu_request="gres")["set-resources"]["screen_base"]["gres"].startswith("'gpu:1'")


def test_there_is_no_default_profile(repository):
    # It would be picked up silently and win over --profile slurm.
    assert not (repository / "profiles").exists() and not (repository / "default").exists()


def test_rules_of_seconds_are_local(repository):
    texts = {path: path.read_text(encoding="utf-8") for path in (repository / "rules").glob("*.smk")}
    local = {
        name
        for text in texts.values()
        for block in re.findall(r"(?m)^localrules:\n((?:    \w+,\n)+)", text)
        for name in re.findall(r"\w+", block)
    }
    queued = rule_names(repository) - local
    assert {"fetch_source", "download_model", "link_model", "unpack_model"} <= local  # nodes have no internet
    assert {"make_model", "train_expert", "export_expert", "merge_models", "judge_suite", "score_benchmark"} <= queued
    assert not local & {"make_model", "train_expert", "export_expert", "merge_models", "judge_suite"}
