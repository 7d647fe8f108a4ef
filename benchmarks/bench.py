"""Runs every speed comparison and writes benchmarks/results/benchmarks.md: bench.py [--mirror DIR] [--only NAME ...]

Each section is one command, which can be run alone. A section that is not run keeps what the page says of it.
"""

import argparse
import datetime
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
PAGE = HERE / "benchmarks/results/benchmarks.md"
INTRO = """# Speed, measured against what people use

Written by `make bench`. Ratios are taken within one run, medians of at least five unless a section says otherwise, and
outputs are compared first. Every section ran on the CPU, and says nothing about a GPU, but one called GPU, which is
written only where there is one (`benchmarks/time_gpu.py`).
"""


def hardware() -> str:
    """Return processor, cores and load in one line."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*:\s*(.*)", info.read_text()) if info.exists() else []
    model = names[0] if names else platform.processor()
    load = f"load {os.getloadavg()[0]:.1f} at the start"
    return f"{model}, {os.cpu_count()} cores, {load}, Python {platform.python_version()}"


def sections(mirror: str | None, harness: str | None, folder: str) -> dict[str, list[str]]:
    """Return the arguments of every comparison by the title of its section."""
    judging = ["time_judging.py", "--model", "results/demo/models/linear"]
    judging += ["--mirror", mirror] if mirror else []
    judging += ["--harness", harness] if harness else []
    on_gpu = ["time_gpu.py", "--mirror", mirror, "--folder", folder]
    return {
        **({"GPU": on_gpu} if mirror and shutil.which("nvidia-smi") else {}),
        "Judging": judging,
        "Planning": ["time_plan.py", "--study-results", "."],
        "Statistics": ["time_scores.py"],
        "Merging": ["time_merges.py", "--folder", folder],
        "Searching": ["time_search.py", "--folder", folder, *(["--mirror", mirror] if mirror else [])],
    }


def sections_of(page: Path) -> dict[str, str]:
    """Return title → text of the sections that the page has."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    return dict(re.findall(r"(?ms)^# (\w+)\n(.*?)(?=^# \w+\n|\Z)", text))


def main() -> None:
    """Run what was asked for and rewrite its sections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", help="raw files, for the real prompts")
    parser.add_argument(
        "--harness", help="folder with lm-evaluation-harness (pip install --target DIR lm_eval evaluate)"
    )
    parser.add_argument("--only", nargs="*", help="titles of sections")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for title, arguments in sections(options.mirror, options.harness, folder).items():
            if options.only and title not in options.only:
                continue
            begun = hardware()
            run = subprocess.run(
                [sys.executable, HERE / "benchmarks" / arguments[0], *arguments[1:]], capture_output=True, text=True
            )
            if run.returncode:
                raise SystemExit(f"benchmarks/{arguments[0]} failed:\n{run.stderr[-2000:]}")
            shown = ["DIR" if Path(part).is_dir() and part != "." else part for part in arguments]
            date = datetime.date.today().isoformat()
            kept = sections_of(PAGE)
            text = run.stdout.strip()
            text = text if "|" in text else f"```\n{text}\n```"
            kept[title] = f"\n`python benchmarks/{' '.join(shown)}` on {begun}; {date}.\n\n{text}\n\n"
            body = "\n".join(f"# {name}\n{kept[name]}" for name in sorted(kept))
            PAGE.write_text(f"{INTRO}\n{body}".rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
