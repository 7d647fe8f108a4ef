"""Prints how long planning takes: a dry run of thousands of jobs, and what reading the Snakefile alone costs.

    python benchmarks/time_plan.py [--merges 700] [--runs 5]

The study is made here: two experts, a grid of linear merges, two benchmarks. Nothing is run. Seconds are wall
seconds of whole processes, start included; the floor is Snakemake's own start on an empty Snakefile and 1 ms per job.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "transformers", "pandas", "numpy", "scipy", "matplotlib")


def study(n_merges: int) -> dict:
    """Return a study with so many merges, each of which is judged on two benchmarks."""
    settings = yaml.safe_load((HERE / "config/config.yaml").read_text())
    alphas = [round(number / n_merges, 6) for number in range(n_merges)]
    merge = {"method": "linear", "models": {"pointwise": {}, "pairwise": {}}, "grid": {"alpha": alphas}}
    judges = ["tiny", "pointwise", "pairwise", "sweep", "longer", "random", "majority"]
    suites = {"demo": settings["suites"]["demo"]}
    return settings | {"study": "plan", "merges": {"sweep": merge}, "judges": judges, "suites": suites}


def dry_run(folder: Path, *arguments: str) -> tuple[float, str]:
    """Return wall seconds and output of `snakemake -n` in `folder`."""
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "2", *arguments]
    begun = time.monotonic()
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    seconds = time.monotonic() - begun
    if run.returncode:
        raise SystemExit(run.stdout + run.stderr)
    return seconds, run.stdout + run.stderr


def main() -> None:
    """Time the dry run, the small dry run and the empty one, and name heavy imports of the Snakefile."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--merges", type=int, default=700)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name in ("Snakefile", "rules", "scripts", "config", "envs"):
            (folder / name).symlink_to(HERE / name)
        (folder / "large.yaml").write_text(yaml.safe_dump(study(options.merges)))
        (folder / "small.yaml").write_text(yaml.safe_dump(study(2)))
        (folder / "empty.smk").write_text("rule all:\n    input: []\n")
        ways = {
            "empty Snakefile": ("--snakefile", "empty.smk"),
            "small study": ("--configfile", "small.yaml"),
            "large study": ("--configfile", "large.yaml"),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        jobs = {}
        for _ in range(options.runs):
            for name, arguments in ways.items():
                spent, output = dry_run(folder, *arguments)
                seconds[name].append(spent)
                found = re.search(r"^total\s+(\d+)", output, re.MULTILINE)
                jobs[name] = int(found[1]) if found else 0
        empty = statistics.median(seconds["empty Snakefile"])
        print(
            "| dry run | jobs | seconds (median) | range | above an empty Snakefile | per job |\n"
            "|---|---|---|---|---|---|"
        )
        for name, times in seconds.items():
            middle, above = statistics.median(times), statistics.median(times) - empty
            per_job = f"{1000 * above / jobs[name]:.2f} ms" if jobs[name] else "–"
            spread = f"{min(times):.2f}–{max(times):.2f}"
            print(f"| {name} | {jobs[name]} | {middle:.2f} | {spread} | {above:.2f} | {per_job} |")
    check = (
        f"import sys; sys.path.insert(0, {str(HERE / 'scripts')!r}); import judgemerge.study, judgemerge.resources; "
    )
    check += f"print([name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout.strip()
    print(f"\nHeavy packages imported to check a study: {loaded}")


if __name__ == "__main__":
    main()
