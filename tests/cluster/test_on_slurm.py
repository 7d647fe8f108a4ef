"""`snakemake --profile slurm` on a real SLURM: what jobs ask for, and what every kind of accident does."""

import os
import re
import signal
import stat
import subprocess
import time
from types import SimpleNamespace

import lab
import pytest
import yaml

GPU_RULES = {"make_model", "train_expert", "judge_suite", "weigh_models"}


@pytest.fixture(scope="module")
def models(repository, tmp_path_factory):
    """Return a finished study with a model, an expert, a merge and a judge, and what was seen on the way."""
    folder = lab.copy_workflow(repository, tmp_path_factory.mktemp("models"), lab.MODELS)
    packets = lab.without_route()
    mask, start = os.umask(0o027), time.monotonic()
    try:
        process = lab.start(folder)
        lab.wait_until(lambda: lab.queue(folder) or process.poll() is not None, 60)
        first = time.monotonic() - start
        code = process.wait(400)
    finally:
        os.umask(mask)
    wall = time.monotonic() - start
    jobs = lab.queue(folder)
    print(f"\n{len(jobs)} jobs, the first in the queue after {first:.1f} s, all done after {wall:.0f} s")
    for job in jobs:
        print("  ", *job.values())
    assert code == 0, lab.log(folder)[-5000:]
    return SimpleNamespace(folder=folder, jobs=jobs, first=first, packets=lab.without_route() - packets)


def test_the_plan_is_printed_before_the_first_job(models):
    text = lab.log(models.folder)
    plan = re.search(r"This plan asks for at most (\S+) GPU hours and (\S+) CPU hours in (\d+) jobs:", text)
    assert plan and float(plan.group(1)) > 0 and int(plan.group(3)) == len(models.jobs)
    assert plan.start() < text.index("has been submitted with SLURM jobid")


def test_short_rules_stay_out_of_the_queue(models):
    rules = [job["rule"] for job in models.jobs]
    long = {"export_expert", "merge_models", "score_benchmark", "compare_judges", "check_overlap", "check_export"}
    # One rule makes all tables, and some take long; so does the explorer. A linear merge has nothing to weigh.
    tables = ["make_table"] * 4
    assert sorted(rules) == sorted([*tables, "write_explorer", *long, *(GPU_RULES - {"weigh_models"})])
    assert models.first < 20


def test_gpus_are_asked_for_where_they_are_needed_and_nowhere_else(models):
    for job in models.jobs:
        needs = job["rule"] in GPU_RULES
        assert job["Partition"] == ("gpu" if needs else "cpu"), job
        # A training on several nodes asks by the node, everything else by the job.
        by = {"tres-per-job": "N/A", "tres-per-node": "N/A"}
        if needs:
            by["tres-per-node" if job["rule"] == "train_expert" else "tres-per-job"] = "gres:gpu:a100:1"
        assert {key: job[key] for key in by} == by, job
        assert job["State"] == "COMPLETED"


def test_the_expert_is_trained_on_two_nodes(models):
    nodes = {job["rule"]: job["NumNodes"] for job in models.jobs}
    assert nodes.pop("train_expert") == "2"
    assert set(nodes.values()) == {"1"}
    log = (models.folder / "results" / "lab" / "logs" / "train_expert" / "pairwise.log").read_text()
    assert "num nodes: 2, node rank: 0" in log and "num nodes: 2, node rank: 1" in log
    assert "world size: 2" in log
    recipe = yaml.safe_load((models.folder / "results" / "lab" / "recipes" / "pairwise.train.yaml").read_text())
    assert (recipe["nodes"], recipe["processes"]) == (2, 1)


def test_memory_and_time_are_what_the_plan_says(models):
    planned = re.findall(
        r"^  (\w+) +(\d+) jobs +(\S+) GPUs +(\S+) CPUs +(\S+) MB +(\S+) min$", lab.log(models.folder), re.M
    )
    asked = {rule: (int(cpus), int(mb), int(limit)) for rule, _, _, cpus, mb, limit in planned}
    for job in models.jobs:
        memory, unit = re.match(r"(\d+)([MG])", job["MinMemory"]).groups()
        seen = int(job["NumCPUs"]), int(memory) * (1000 if unit == "G" else 1), lab.minutes(job["TimeLimit"])
        # squeue shows 2000 MB as 2G, and whole gigabytes of 1024 as well
        cpus, mb, limit = asked[job["rule"]]
        assert seen[0] == cpus and abs(seen[1] - mb) <= 0.05 * mb and seen[2] == limit, (job, asked)


def test_results_are_readable_by_the_group(models):
    modes = {path: path.stat().st_mode for path in (models.folder / "results").rglob("*") if not path.is_symlink()}
    closed = [str(path) for path, mode in modes.items() if not mode & stat.S_IRGRP]
    assert list((models.folder / "results").rglob("*.safetensors"))
    assert closed == []


def test_no_job_tries_to_reach_another_machine(models):
    if os.environ.get("JUDGEMERGE_LAB_ROUTE") != "none":
        pytest.skip("no network namespace could be made here (unshare --net), so nothing was cut off")
    attempt = subprocess.run(["bash", "-c", "exec 3<>/dev/tcp/192.0.2.1/80"], capture_output=True, text=True)
    assert "unreachable" in attempt.stderr  # the namespace has no route
    assert models.packets == 0


def test_a_second_run_submits_nothing(models):
    assert lab.run(models.folder) == 0
    assert "Nothing to be done" in lab.log(models.folder)
    assert len(lab.queue(models.folder)) == len(models.jobs)


def test_status_and_costs_of_a_finished_study(models):
    assert re.match(r"lab: \d+ done, 0 running, 0 failed, 0 left", lab.status(models.folder))
    timings = lab.record(models.folder, "lab")["timings"]
    assert sum(timing["job"].startswith("judge_suite/") for timing in timings) == 1


# ---- accidents ----


def test_a_job_killed_for_memory_or_time_gets_more(repository, tmp_path):
    folder = lab.copy_workflow(repository, tmp_path, lab.BASELINES)
    # 600 MB are too few for the one, one minute for the other; twice as much is enough. The latter waits once only,
    # so that the test does not have to.
    lab.insert(
        folder / "scripts" / "evaluate" / "score_benchmark.py",
        "import pathlib, time\n"
        'ballast = b"x" * 550_000_000 if "pairwise" in snakemake.wildcards.benchmark else b""\n'
        'slow = not ballast and not pathlib.Path("tried").exists()\n'
        'pathlib.Path("tried").touch() if slow else None\n'
        "time.sleep(300 if slow else 8)",
    )
    start = time.monotonic()
    asks = ["mem_mb=600*attempt", "runtime=attempt"]
    code = lab.run(folder, "--set-resources", *(f"score_benchmark:{ask}" for ask in asks), "--", *scores("few"))
    text, jobs = lab.log(folder), lab.queue(folder)
    print(f"\nboth retried within {time.monotonic() - start:.0f} s")
    for job in jobs:
        print("  ", *job.values())
    assert code == 0, text[-5000:]
    by_name = {name: [job for job in jobs if job["comment"].endswith(name)] for name in ("pairwise", "pointwise")}
    assert [(job["State"], job["MinMemory"]) for job in by_name["pairwise"]] == [
        ("FAILED", "600M"),
        ("COMPLETED", "1200M"),
    ]
    assert [(job["State"], job["TimeLimit"]) for job in by_name["pointwise"]] == [
        ("TIMEOUT", "1:00"),
        ("COMPLETED", "2:00"),
    ]
    reasons = "".join(path.read_text() for path in (folder / ".snakemake" / "slurm_logs").rglob("*.log"))
    assert "exceeded" in reasons and "DUE TO TIME LIMIT" in reasons


def scores(study):
    return [f"results/{study}/scores/demo_{protocol}.csv" for protocol in ("pairwise", "pointwise")]


def test_ctrl_c_cancels_the_jobs(repository, tmp_path):
    folder = lab.copy_workflow(repository, tmp_path, lab.BASELINES)
    lab.insert(folder / "scripts" / "evaluate" / "score_benchmark.py", "import time\ntime.sleep(300)")
    process = lab.start(folder)
    assert lab.wait_until(lambda: [job for job in lab.queue(folder) if job["State"] == "RUNNING"], 60), lab.log(folder)
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    assert process.wait(90) != 0
    unfinished = {"RUNNING", "PENDING", "COMPLETING"}
    assert lab.wait_until(lambda: not unfinished & {job["State"] for job in lab.queue(folder)}, 30), lab.queue(folder)
    assert {job["State"] for job in lab.queue(folder)} == {"CANCELLED"}
    assert lab.wait_until(lambda: not lab.processes(folder), 20), "processes outlive their cancelled jobs"
    assert " 0 running" in lab.status(folder)


def test_after_kill_9_only_what_was_running_is_repeated(repository, tmp_path):
    folder = lab.copy_workflow(repository, tmp_path, lab.BASELINES)
    # The script stays as it is in both runs: its own text is part of what decides the result.
    slow = folder / "slow"
    slow.touch()
    waits = f'"pointwise" in snakemake.wildcards.benchmark and pathlib.Path({str(slow)!r}).exists()'
    lines = f"import pathlib\nimport time\nif {waits}:\n    time.sleep(300)"
    lab.insert(folder / "scripts" / "evaluate" / "score_benchmark.py", lines)
    done, running = (folder / path for path in scores("few"))
    process = lab.start(folder)
    assert lab.wait_until(lambda: "(Rule: score_benchmark)" in lab.log(folder), 90), lab.log(folder)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    assert "running score_benchmark demo_pointwise" in lab.status(folder)
    # docs/cluster.md, "After kill -9"
    run_id = re.search(r"SLURM run ID: (\S+)", lab.log(folder)).group(1)
    subprocess.run(["scancel", "-n", run_id], check=True)
    assert lab.wait_until(lambda: not lab.processes(folder), 30)
    slow.unlink()
    assert lab.run(folder, "--unlock") == 0
    assert "failed score_benchmark demo_pointwise" in lab.status(folder)
    earlier, written = {job["JobID"] for job in lab.queue(folder)}, done.stat().st_mtime_ns
    assert lab.run(folder) == 0, lab.log(folder)[-5000:]
    again = [job["comment"] for job in lab.queue(folder) if job["JobID"] not in earlier]
    assert again.count("rule_score_benchmark_wildcards_demo_pointwise") == 1
    assert not any("demo_pairwise" in comment for comment in again), again
    assert done.stat().st_mtime_ns == written and running.exists()


def test_the_job_of_a_node_that_goes_down_starts_again_on_another(repository, tmp_path):
    folder = lab.copy_workflow(repository, tmp_path, lab.BASELINES)
    lab.insert(folder / "scripts" / "evaluate" / "score_benchmark.py", "import time\ntime.sleep(8)")
    process, start = lab.start(folder, "--", *scores("few")[:1]), time.monotonic()
    try:
        assert lab.wait_until(lambda: "RUNNING" in {job["State"] for job in lab.queue(folder)}, 60), lab.log(folder)
        time.sleep(3)
        job = lab.queue(folder)[0]["JobID"]
        node = subprocess.check_output(["squeue", "-h", "-j", job, "-o", "%N"], text=True).strip()
        subprocess.run(["scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test"], check=True)
        try:
            assert process.wait(240) == 0, lab.log(folder)[-5000:]
        finally:
            subprocess.run(
                ["scontrol", "update", f"NodeName={node}", "State=RESUME"], capture_output=True
            )  # or it is back
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(90)
    print(f"\nmade again on another node within {time.monotonic() - start:.0f} s")
    for job in lab.queue(folder):
        print("  ", *job.values())
    assert (folder / scores("few")[0]).exists()


def test_a_site_that_wants_gres(repository, tmp_path):
    site = {**lab.SITE, "gpu_request": "gres"}
    folder = lab.copy_workflow(repository, tmp_path, lab.MODELS, site)
    lab.insert(folder / "scripts" / "train" / "make_model.py", "import time\ntime.sleep(300)")
    process = lab.start(folder)
    try:
        jobs = lab.wait_until(lambda: [job for job in lab.queue(folder) if job["rule"] == "make_model"], 60)
        assert jobs, lab.log(folder)[-5000:]
        shown = subprocess.check_output(["scontrol", "show", "-d", "job", jobs[0]["JobID"]], text=True)
        assert re.search(r"TresPer(Node|Job)=gres:gpu:a100:1", shown), shown
        assert "Partition=gpu" in shown
        assert re.search(r"at most 0\.[1-9]", lab.log(folder))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(90)
