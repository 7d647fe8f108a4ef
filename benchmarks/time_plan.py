"""Prints how long planning takes: a dry run of thousands of jobs, reading the Snakefile, and the start of a first job.

    python benchmarks/time_plan.py [--merges 992] [--runs 5] [--study-results FOLDER]

The study is made here: two experts, a grid of linear merges, two benchmarks; its jobs are planned, not run. Seconds are
those of whole processes, start included; the floor is Snakemake's own start on an empty Snakefile, and what it takes
for as many jobs of rules whose functions do nothing. FOLDER is a checkout in which config/config.yaml has been
finished: it is copied with its code, the weights of merge `linear` are changed in the copy, and the run is stopped as
soon as Snakemake starts the first job.
"""

import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parents[1]
WORKFLOW = ("Snakefile", "rules", "scripts", "config", "envs")
HEAVY = ("torch", "transformers", "pandas", "numpy", "scipy", "matplotlib")
SNAKEMAKE = (sys.executable, "-m", "snakemake", "--cores", "2")
N_TABLES = 14  # jobs of a study that read the verdicts of all judges
# What a grid of merges repeats, with as many files and parameters, and nothing of ours: what Snakemake takes alone.
TRIVIAL = """
merges = [f"m{{number}}" for number in range({n_merges})]

rule all:
    input:
        expand("results/plan/tables/{{table}}.csv", table=range({n_tables})),

rule parents:
    output:
        ["results/plan/models/a", "results/plan/models/a.json", "results/plan/models/b", "results/plan/models/b.json"],
    script:
        "{script}"

rule merge_models:
    input:
        models=lambda wildcards: ["results/plan/models/a", "results/plan/models/b"],
        manifests=lambda wildcards: ["results/plan/models/a.json", "results/plan/models/b.json"],
    output:
        model="results/plan/merges/{{merge}}",
        manifest="results/plan/merges/{{merge}}.json",
        recipe="results/plan/recipes/{{merge}}.yaml",
    log:
        "results/plan/logs/merge_models/{{merge}}.log",
    benchmark:
        "results/plan/timings/merge_models/{{merge}}.tsv"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
        gpu=0,
    params:
        merge=lambda wildcards: dict(method="linear"),
        bases=lambda wildcards: dict(),
        threads=2,
    script:
        "{script}"

rule judge:
    input:
        item_sets=lambda wildcards: ["config/config.yaml", "config/sources.yaml"],
        model="results/plan/merges/{{merge}}",
        manifest="results/plan/merges/{{merge}}.json",
    output:
        "results/plan/replies/{{merge}}/demo.jsonl",
        timing="results/plan/replies/{{merge}}/demo.timing.json",
    log:
        "results/plan/logs/judge/{{merge}}.log",
    benchmark:
        "results/plan/timings/judge/{{merge}}.tsv"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
        gpu=lambda wildcards: 0,
    params:
        asked=lambda wildcards: dict(reply="verdict"),
        chat=lambda wildcards: dict(),
        backend=lambda wildcards: "transformers",
        store="results/plan/store",
    script:
        "{script}"

rule parse:
    input:
        replies="results/plan/replies/{{merge}}/demo.jsonl",
        prompts=lambda wildcards: ["config/prompts/brief_pairwise.yaml"],
    output:
        "results/plan/verdicts/{{merge}}/demo.jsonl",
    log:
        "results/plan/logs/parse/{{merge}}.log",
    benchmark:
        "results/plan/timings/parse/{{merge}}.tsv"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        asked=lambda wildcards: dict(reply="verdict"),
        code="digest",
    script:
        "{script}"

rule table:
    input:
        lambda wildcards: [f"results/plan/verdicts/{{merge}}/demo.jsonl" for merge in merges],
    output:
        "results/plan/tables/{{table}}.csv",
    script:
        "{script}"
"""
# Snakemake and its plugins import some of HEAVY themselves, so what the Snakefile asks for is noted while it is read.
WATCHED = f"""
import builtins
asked, plain = set(), builtins.__import__

def watched(name, *rest, **more):
    asked.add(name.partition(".")[0])
    return plain(name, *rest, **more)

builtins.__import__ = watched
include: "Snakefile"
builtins.__import__ = plain
print("heavy:", sorted(asked & set({HEAVY!r})))
"""


def study(n_merges: int) -> dict:
    """Return a study with so many merges, each of which is judged on two benchmarks."""
    settings = yaml.safe_load((HERE / "config/config.yaml").read_text())
    alphas = [round(number / n_merges, 6) for number in range(n_merges)]
    merge = {"method": "linear", "models": {"pointwise": {}, "pairwise": {}}, "grid": {"alpha": alphas}}
    judges = ["tiny", "pointwise", "pairwise", "sweep", "longer", "random", "majority"]
    suites = {"demo": settings["suites"]["demo"]}
    return settings | {"study": "plan", "merges": {"sweep": merge}, "judges": judges, "suites": suites}


def timed(folder: Path, *arguments: str) -> tuple[float, float, str]:
    """Return wall seconds, CPU seconds and output of Snakemake in `folder`."""
    begun, before = time.monotonic(), os.times()
    run = subprocess.run([*SNAKEMAKE, *arguments], cwd=folder, capture_output=True, text=True)
    seconds, after = time.monotonic() - begun, os.times()
    if run.returncode:
        raise SystemExit(run.stdout + run.stderr)
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, cpu, run.stdout + run.stderr


def planned(output: str) -> int:
    """Return the number of jobs in the output of a dry run."""
    found = re.search(r"^total\s+(\d+)", output, re.MULTILINE)
    return int(found[1]) if found else 0


def table(folder: Path, ways: dict[str, tuple[str, ...]], n_runs: int) -> None:
    """Print a row per way to call Snakemake; the first one is what the others are compared with."""
    found = {name: [] for name in ways}
    for _ in range(n_runs):
        for name, arguments in ways.items():
            found[name].append(timed(folder, *arguments))
    middles = {name: statistics.median(wall for wall, _, _ in runs) for name, runs in found.items()}
    processor = {name: statistics.median(cpu for _, cpu, _ in runs) for name, runs in found.items()}
    empty = next(iter(processor.values()))
    print("| call | jobs | seconds (median) | range | CPU seconds | above an empty Snakefile | CPU per job |")
    print("|---|---|---|---|---|---|---|")
    for name, runs in found.items():
        walls, _, outputs = zip(*runs, strict=True)
        n_jobs, above = planned(outputs[0]), processor[name] - empty
        per_job = f"{1000 * above / n_jobs:.2f} ms" if n_jobs else "–"
        spread = f"{min(walls):.2f}–{max(walls):.2f}"
        print(
            f"| {name} | {n_jobs} | {middles[name]:.2f} | {spread} | {processor[name]:.2f} | {above:.2f} | {per_job} |"
        )


def first_job(checkout: Path, folder: Path) -> tuple[float, str]:
    """Return seconds from the call to the first job, and that job, after the weights of one finished merge changed."""
    shutil.copy2(checkout / "Snakefile", folder)
    for name in (*WORKFLOW[1:], "results", ".snakemake"):
        shutil.copytree(checkout / name, folder / name, symlinks=True)
    settings = yaml.safe_load((folder / "config/config.yaml").read_text())
    _, _, before = timed(folder, "-n")
    if re.search(r"^merge_models\s", before, re.MULTILINE):  # the record of the run knows the folder, and is to do
        raise SystemExit(f"{checkout}: merges are to do; finish the default study there first")
    settings["merges"]["linear"]["models"] = {"pointwise": {"weight": 0.4}, "pairwise": {"weight": 0.6}}
    (folder / "changed.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))  # order is a parameter, too
    command = [*SNAKEMAKE, "--configfile", "changed.yaml"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    begun = time.monotonic()
    run = subprocess.Popen(command, cwd=folder, start_new_session=True, **pipes)
    seen = []
    for line in run.stdout:
        seen.append(line)
        if re.match(r"(Job \d+|(local)?(rule|checkpoint) \w+):", line):
            seconds = time.monotonic() - begun
            os.killpg(run.pid, signal.SIGKILL)  # the copy is thrown away
            run.wait()
            return seconds, line.strip()
    raise SystemExit("no job was started:\n" + "".join(seen))


def main() -> None:
    """Time dry runs, reading the Snakefile and, where there is a finished study, the start of a first job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--merges", type=int, default=992, help="992 make about 3,000 jobs")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--study-results", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for name in WORKFLOW:
            (folder / name).symlink_to(HERE / name)
        (folder / "large.yaml").write_text(yaml.safe_dump(study(options.merges)))
        (folder / "small.yaml").write_text(yaml.safe_dump(study(2)))
        (folder / "empty.smk").write_text("rule all:\n    input: []\n")
        (folder / "watched.smk").write_text(WATCHED)
        trivial = TRIVIAL.format(n_merges=options.merges, n_tables=N_TABLES, script="scripts/judge/parse_replies.py")
        (folder / "trivial.smk").write_text(trivial)
        empty, small, large = (
            ("--snakefile", "empty.smk"),
            ("--configfile", "small.yaml"),
            ("--configfile", "large.yaml"),
        )
        dry = {"empty Snakefile": empty, "small study": small, "large study": large}
        planning = {**dry, "as many merges, trivial functions": ("--snakefile", "trivial.smk")}
        table(folder, {f"dry run, {way}": ("-n", *arguments) for way, arguments in planning.items()}, options.runs)
        print()
        table(folder, {f"reading, {way}": ("--list-rules", *arguments) for way, arguments in dry.items()}, options.runs)
        _, _, output = timed(folder, "--list-rules", "--snakefile", "watched.smk", *small)
        print(f"\nHeavy packages imported by the Snakefile: {re.search('^heavy: (.*)', output, re.MULTILINE)[1]}")
    if options.study_results is None:
        print("First job after a changed merge: not measured, it needs a finished study (--study-results FOLDER)")
        return
    found = []
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
            found.append(first_job(options.study_results.resolve(), Path(name)))
    seconds, jobs = zip(*found, strict=True)
    spread = f"{min(seconds):.2f}–{max(seconds):.2f}"
    print(f"First job after a changed merge: {statistics.median(seconds):.2f} s ({spread}), {jobs[0]}")


if __name__ == "__main__":
    main()
