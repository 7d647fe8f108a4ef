"""Before and after a run on a cluster: the plan of a dry run, `make status`, `make costs`."""

import re
import shutil
import subprocess

import fork_server
import pytest
import yaml
from workflow_runs import runner

from judgemerge.core.catalogues import load_yaml

CLUSTER = ("--dry-run", "--profile", "slurm")
FEW = ("--configfile", "few.yaml")


def plan(process):
    """Return (GPU hours, CPU hours, jobs) and per rule (jobs, GPUs, CPUs, MB, minutes) of a dry run's plan."""
    assert process.returncode == 0, process.stdout + process.stderr
    head = re.search(r"at most (\S+) GPU hours and (\S+) CPU hours in (\d+) jobs:", process.stderr)
    rows = re.findall(r"^  (\w+) +(\d+) jobs +(\S+) GPUs +(\S+) CPUs +(\S+) MB +(\S+) min$", process.stderr, re.M)
    return head and tuple(map(float, head.groups())), {rule: values for rule, *values in rows}


def show(folder, script, study="few.yaml", *arguments):
    command = [fork_server.python(), f"scripts/commands/{script}.py", "--study", study, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture
def on_gpus(repository, checkout):
    """Return arguments that choose the demo on four GPUs with eight threads."""
    settings = load_yaml(repository / "config" / "config.yaml") | {"gpus": 4, "threads": 8}
    (checkout / "gpus.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return ("--configfile", "gpus.yaml")


def test_a_dry_run_on_the_cluster_says_what_it_would_ask_for(snakemake, on_gpus):
    (gpu_hours, cpu_hours, n_jobs), rows = plan(snakemake(*CLUSTER, *on_gpus))
    gpus = {rule: asked for rule, (_, asked, *_) in rows.items()}
    assert gpus.pop("train_expert") == "4" and gpus.pop("make_model") == gpus.pop("judge_suite") == "1"
    assert set(gpus.values()) == {"0"}
    assert not rows.keys() & {"write_items", "answer_baselines", "parse_replies", "draw_figure", "all"}
    assert n_jobs == sum(int(row[0]) for row in rows.values())
    assert rows["train_expert"][2] == "8"
    assert 0 < gpu_hours < cpu_hours


def test_a_study_without_gpus_asks_for_none(snakemake):
    (gpu_hours, cpu_hours, _), rows = plan(snakemake(*CLUSTER))
    assert gpu_hours == 0 < cpu_hours
    assert {row[1] for row in rows.values()} == {"0"}


def test_a_dry_run_on_this_machine_says_nothing_of_it(snakemake):
    assert plan(snakemake("--dry-run")) == (None, {})


def test_the_site_block_decides_where_gpu_jobs_go(checkout, snakemake, on_gpus):
    profile = checkout / "slurm" / "profile.v9+.yaml"
    before = profile.read_text(encoding="utf-8")
    site = {"cpu_partition": "batch", "gpu_partition": "accel", "gpu_model": "h100"}
    after = before
    for key, value in site.items():
        after = after.replace(f'  {key}: ""', f"  {key}: {value}")
    profile.write_text(after, encoding="utf-8")
    try:
        # Rules with a message do not list their resources in a dry run.
        for rule in (checkout / "rules").glob("*.smk"):
            text = rule.read_text(encoding="utf-8")
            rule.write_text(re.sub(r'\n    message:\n        ".*"', "", text), encoding="utf-8")
        asked = {}
        for arguments in ((), on_gpus):
            process = snakemake(*CLUSTER, *arguments)
            assert process.returncode == 0, process.stderr
            listed = re.findall(r"(?s)\nrule (\w+):\n.*?\n    resources: ([^\n]*)", process.stdout + process.stderr)
            asked[arguments] = dict(listed)
        cpu, gpu = asked[()], asked[on_gpus]
        for rule in ("make_model", "train_expert", "judge_suite"):
            assert "slurm_partition=batch" in cpu[rule] and "gpu_model" not in cpu[rule] and "gpu=0" in cpu[rule]
            assert "slurm_partition=accel" in gpu[rule] and "gpu_model=h100" in gpu[rule]
        assert all("slurm_partition=batch" in cpu[rule] for rule in cpu)
        assert "gpu=4" in gpu["train_expert"] and "gpu=1" in gpu["judge_suite"]
        assert "slurm_partition=batch" in gpu["merge_models"] and "gpu" not in gpu["merge_models"].replace("gpus", "")
    finally:
        profile.write_text(before, encoding="utf-8")


def test_status_of_a_finished_study(finished):
    process = show(finished.folder, "show_status")
    assert process.returncode == 0, process.stderr
    first, *rows = process.stdout.splitlines()
    n_done = int(re.match(r"few: (\d+) done, 0 running, 0 failed, 0 left$", first).group(1))
    assert n_done == sum(int(row.split()[1]) for row in rows[1:])


def test_status_names_the_failed_job_and_its_last_words(finished, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder)
    script = folder / "scripts" / "evaluate" / "score_benchmark.py"
    code = script.read_text(encoding="utf-8")
    script.write_text(
        code.replace('"""Score all', 'raise OSError("the disk is full")\n    """Score all'), encoding="utf-8"
    )
    (folder / "results" / "few" / "scores" / "demo_pairwise.csv").unlink()
    assert runner(folder)(*FEW, "--", "results/few/scores/demo_pairwise.csv").returncode != 0
    lines = show(folder, "show_status").stdout.splitlines()
    where = lines.index("failed score_benchmark demo_pairwise")
    assert lines[where + 1] == "  results/few/logs/score_benchmark/demo_pairwise.log: OSError: the disk is full"
    assert "1 failed" in lines[0]


def test_costs_of_a_finished_study(finished):
    process = show(finished.folder, "show_costs")
    assert process.returncode == 0, process.stderr
    rows = {line.split()[0]: line.split()[1:] for line in process.stdout.splitlines()[2:]}
    assert rows["answer_baselines"][0] == "2"
    assert int(rows["total"][0]) == sum(int(row[0]) for rule, row in rows.items() if rule != "total")
    assert rows["total"][3] == "0.000"


def test_a_scale_is_named_as_for_snakemake(finished):
    """Its results lie in a folder of their own, so that the study at full size has none."""
    scaled = (finished.folder / "few.yaml").read_text(encoding="utf-8") + "scales: {small: {seed: 4}}\n"
    (finished.folder / "scaled.yaml").write_text(scaled, encoding="utf-8")
    status = show(finished.folder, "show_status", "scaled.yaml", "--config", "scale=small")
    assert status.stdout.startswith("few_small: 0 done"), status.stdout + status.stderr
    costs = show(finished.folder, "show_costs", "scaled.yaml", "--config", "scale=small")
    assert costs.stderr.startswith("results/few_small/timings: nothing has run yet"), costs.stderr
    wrong = show(finished.folder, "show_costs", "scaled.yaml", "--config", "scale=smal")
    assert wrong.returncode == 1 and "scale 'smal' is unknown" in wrong.stderr, wrong.stderr


def test_costs_before_the_first_run_are_one_sentence(finished):
    (finished.folder / "other.yaml").write_text(
        (finished.folder / "few.yaml").read_text().replace("few\n", "other\n", 1)
    )
    process = show(finished.folder, "show_costs", "other.yaml")
    assert process.returncode == 1 and len(process.stderr.splitlines()) == 1, process.stderr
    assert "nothing has run yet" in process.stderr
