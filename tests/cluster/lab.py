"""Small studies on a real SLURM: fresh copies of the workflow with the site block of the profile filled in."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

PARTS = ("Snakefile", "rules", "scripts", "config", "envs", "slurm")
SITE = {"cpu_partition": "cpu", "gpu_partition": "gpu", "gpu_model": "a100"}
# The first look at the queue after 5 s and not 15: the jobs are short.
QUICK = ("--slurm-init-seconds-before-status-checks", "5", "--latency-wait", "5")

# One model, one expert, one merge; a few steps each. GPUs are asked for, and pretended by the lab. The expert trains on
# both nodes: the other rules with GPUs show what is asked for on one.
STEPS = {
    "cutoff_len": 512,
    "per_device_train_batch_size": 2,
    "learning_rate": 1.0e-3,
    "max_steps": 2,
    "disable_gradient_checkpointing": True,
}
MODELS = {
    "study": "lab",
    "gpus": 1,
    "nodes": 2,
    "threads": 1,
    "models": {
        "tiny": {
            "make": {
                "layers": 1,
                "vocabulary": 512,
                "corpus": {"n_sentences": 300},
                "stages": [{"data": ["demo_pairwise_base"], "orders": "original", "settings": STEPS}],
            }
        }
    },
    "base": "tiny",
    "training": {**STEPS, "deepspeed": "none"},
    "experts": {"pairwise": {"train_on": ["demo_pairwise_train"]}},
    "merges": {"linear": {"method": "linear", "models": {"tiny": {"weight": 0.5}, "pairwise": {"weight": 0.5}}}},
    "suites": {"lab": {"benchmarks": ["demo_pairwise"]}},
    "judges": ["linear", "longer"],
    "judging": {"prompts": {"pairwise": "brief_pairwise"}, "max_prompt_tokens": 2048},
    "statistics": {"resamples": 200},
}
# No model at all: the scores are the only jobs that go to the queue, one per benchmark.
BASELINES = {
    "study": "few",
    "suites": {"few": {"benchmarks": ["demo_pairwise", "demo_pointwise"]}},
    "judges": ["longer", "random"],
    "statistics": {"resamples": 200},
}


def copy_workflow(repository: Path, folder: Path, study: dict, site: dict[str, str] = SITE) -> Path:
    """Copy the workflow to `folder` with a study, few items and the profile's site block filled in; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PARTS:
        if (repository / name).is_dir():
            shutil.copytree(repository / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(repository / name, folder / name)
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    fill_in_site(folder, site)
    catalogue = folder / "config" / "benchmarks.yaml"
    text = catalogue.read_text(encoding="utf-8")
    catalogue.write_text(re.sub(r"n_items: \d+", "n_items: 20", text), encoding="utf-8")
    return folder


def fill_in_site(folder: Path, site: dict[str, str]) -> None:
    """Edit the lines of the site block in the profile, as the first step of docs/cluster.md asks people to do."""
    profile = folder / "slurm" / "profile.v9+.yaml"
    text = profile.read_text(encoding="utf-8")
    for key, value in site.items():
        text, n_lines = re.subn(rf"(?m)^  {key}: \S+", f"  {key}: {value}", text)
        assert n_lines == 1, key
    profile.write_text(text, encoding="utf-8")


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """Start Snakemake with the cluster profile; output goes to run.log in the folder."""
    environment = {key: value for key, value in os.environ.items() if key not in ("JUDGEMERGE_MIRROR", "PYTHONPATH")}
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "--configfile", "study.yaml"]
    with open(folder / "run.log", "ab") as log:
        return subprocess.Popen(
            [*command, *QUICK, *arguments],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
            # A caller in the background of a script ignores SIGINT, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def run(folder: Path, *arguments: str, timeout: float = 400) -> int:
    """Run Snakemake with the cluster profile to its end and return its exit code."""
    process = start(folder, *arguments)
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        raise


def log(folder: Path) -> str:
    """Return what Snakemake has printed so far."""
    return (folder / "run.log").read_text(encoding="utf-8", errors="replace")


def queue(folder: Path) -> list[dict[str, Any]]:
    """Return the jobs sent from `folder`, finished ones of the last five minutes too, in the order of submission."""
    fields = "JobID,State,Partition,tres-per-job,tres-per-node,MinMemory,TimeLimit,NumCPUs,NumNodes"
    widths = ",".join(f"{field}:40" for field in fields.split(","))
    command = ["squeue", "-h", "-t", "all", "-O", f"{widths},Comment:120,WorkDir:400"]
    jobs = []
    for line in subprocess.check_output(command, text=True).splitlines():
        values = [line[start : start + 40].strip() for start in range(0, 360, 40)]
        comment, workdir = line[360:480].strip(), line[480:].strip()
        if workdir == str(folder):
            rule = re.match(r"rule_(.*?)(_wildcards_.*)?$", comment)
            jobs.append(dict(zip(fields.split(","), values, strict=True)) | {"rule": rule.group(1), "comment": comment})
    return sorted(jobs, key=lambda job: int(job["JobID"]))


def minutes(limit: str) -> int:
    """Return a time limit of squeue (minutes:seconds or hours:minutes:seconds) in minutes."""
    *hours, whole, _ = map(int, limit.split(":"))
    return whole + 60 * (hours[0] if hours else 0)


def processes(folder: Path) -> list[int]:
    """Return the processes whose working directory is `folder`: also those of the nodes, which are this machine."""
    found = []
    for directory in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if directory.readlink() == folder:
                found.append(int(directory.parent.name))
        except OSError:
            continue
    return found


def wait_until(condition: Callable[[], Any], seconds: float) -> Any:
    """Return the condition's first true value, or its last one when the time is over."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.2)
    return value


def without_route() -> int:
    """Return how many packets of this network namespace found no route: attempts to reach another machine."""
    head, values = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Ip:"))
    return int(values[head.index("OutNoRoutes")])


def insert(script: Path, lines: str) -> None:
    """Let a script do something before its work, when its log is open; `snakemake` is there for it."""
    head, start, body = script.read_text(encoding="utf-8").partition("    with logged(snakemake.log[0]):\n")
    assert start, script
    inserted = "".join(f"        {line}\n" for line in lines.splitlines())
    script.write_text(head + start + inserted + body, encoding="utf-8")


def status(folder: Path) -> str:
    """Return what `make status` prints."""
    command = [sys.executable, "scripts/commands/show_status.py", "--study", "study.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def record(folder: Path, study: str) -> dict:
    """Return run.json of a finished study."""
    return json.loads((folder / "results" / study / "run.json").read_text())
