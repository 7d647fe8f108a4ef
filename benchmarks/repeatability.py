"""Asks the same models the same prompts under other conditions and counts which replies and verdicts change.

    python benchmarks/repeatability.py [--results results/demo] [--items 60] [--write FILE]

Takes models and items of a study that has run. Each condition is a process of its own that differs from the first one
(`as it is`) in one thing: batch size, thread count, order of the items, or nothing at all. Greedy replies; a *flip* is
a verdict that is not that of the first condition, errors included. Models are asked with the brief prompts of the demo.
"""

import argparse
import os
import platform
import random
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(HERE / "scripts"), str(HERE / "scripts" / "judge")]

from judgemerge.core import files

PROMPTS = ("brief_pairwise", "brief_pointwise")
AS_IT_IS = {"batch_tokens": 2048, "threads": 1, "order": "as given"}
CONDITIONS = {
    "as it is": {},
    "once more": {},
    "one prompt at a time": {"batch_tokens": 1},
    "large batches": {"batch_tokens": 65536},
    "two threads": {"threads": 2},
    "items reversed": {"order": "reversed"},
    "items shuffled": {"order": "shuffled"},
    "all of it": {"batch_tokens": 65536, "threads": 2, "order": "shuffled"},
}


def judge(model: Path, items: list[Path], n_items: int, condition: dict, folder: Path) -> None:
    """Write replies and verdicts of one condition to `folder`; runs in a process of its own."""
    from judge_suite import main as judge_suite
    from judgemerge.core.items import read_items, write_items
    from parse_replies import main as parse_replies

    given = []
    for path in items:
        drawn = random.Random(0).sample(list(read_items(path)), n_items)
        if condition["order"] == "reversed":
            drawn.reverse()
        if condition["order"] == "shuffled":
            random.Random(1).shuffle(drawn)
        given.append(str(folder / path.name))
        write_items(given[-1], drawn)
    prompts = [str(HERE / "config" / "prompts" / f"{name}.yaml") for name in PROMPTS]
    judge_suite(
        model=str(model),
        digest="0" * 64,
        items=given,
        prompts=prompts,
        sources=None,
        categories={},
        store=str(folder / "store"),
        suite="suite",
        replies=str(folder / "replies.jsonl"),
        dtype="auto",
        batch_tokens=condition["batch_tokens"],
        max_prompt_tokens=1024,
        threads=condition["threads"],
    )
    protocols = dict(zip((Path(path).stem for path in given), ("pairwise", "pointwise"), strict=True))
    parse_replies(str(folder / "replies.jsonl"), prompts, protocols, str(folder / "verdicts.jsonl"))


def outcomes(folder: Path) -> tuple[dict, dict]:
    """Return replies and verdicts by benchmark, item and order."""
    replies = {
        (row["benchmark"], row["item"], row["order"]): row["reply"]
        for row in files.read_jsonl(folder / "replies.jsonl")
    }
    verdicts = {
        (row["benchmark"], row["item"], row["order"]): (row["outcome"], row["score"])
        for row in files.read_jsonl(folder / "verdicts.jsonl")
    }
    return replies, verdicts


def main() -> None:
    """Run every condition for every model, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE / "results" / "demo")
    parser.add_argument(
        "--benchmarks", nargs=2, default=["demo_pairwise", "demo_pointwise"], help="a pairwise, a pointwise"
    )
    parser.add_argument("--models", nargs="*", help="names; unset: every model of the study")
    parser.add_argument("--items", type=int, default=60, help="items of each benchmark")
    parser.add_argument("--write", type=Path, help="Markdown file for the table")
    parser.add_argument("--condition", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    items = [arguments.results / "items" / f"{name}.jsonl" for name in arguments.benchmarks]
    names = arguments.models or sorted(path.stem for path in (arguments.results / "models").glob("*.json"))
    if arguments.condition:
        condition = AS_IT_IS | CONDITIONS[arguments.condition]
        judge(arguments.results / "models" / names[0], items, arguments.items, condition, arguments.folder)
        return
    lines = []
    for model in names:
        first = None
        for name in CONDITIONS:
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, __file__, "--results", str(arguments.results), "--models", model]
                command += ["--items", str(arguments.items), "--condition", name, "--folder", folder]
                command += ["--benchmarks", *arguments.benchmarks]
                threads = str((AS_IT_IS | CONDITIONS[name])["threads"])
                subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": threads})
                replies, verdicts = outcomes(Path(folder))
            first = first or (replies, verdicts)
            changed = sum(replies[key] != value for key, value in first[0].items())
            flips = sum(verdicts[key] != value for key, value in first[1].items())
            errors = sum(outcome == "error" for outcome, _ in verdicts.values())
            lines.append(f"| {model} | {name} | {len(replies)} | {changed} | {len(verdicts)} | {flips} | {errors} |")
            print(lines[-1], flush=True)
    if arguments.write:
        names_of = arguments.benchmarks
        said = [
            "# The same prompts under other conditions",
            "",
            "Made by `python benchmarks/repeatability.py`, which says what the conditions are; each is compared with",
            "`as it is`: batches of 2,048 tokens, one thread, items in their own order, greedy replies on the CPU.",
            f"Study: {arguments.results.name}; {arguments.items} items of {' and of '.join(names_of)}, pairs in both",
            f"orders; {platform.machine()}, {os.cpu_count()} cores.",
            "",
            "| model | condition | replies | differ | verdicts | flips | errors |",
            "|---|---|---|---|---|---|---|",
            *lines,
        ]
        arguments.write.write_text("\n".join(said) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
