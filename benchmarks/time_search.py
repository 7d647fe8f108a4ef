"""Trials of a search for a merge per CPU minute: a process per trial that writes its model, or one that writes none.

    python benchmarks/time_search.py --folder DIR [--mirror DIR] [--trials 6] [--pairs 6] [--runs 1]

The model is SmolLM2-135M-Instruct from the Python package that config/studies/unified.yaml names (scale small), its
parents two copies with noise in every weight; the other one is the demo's architecture with random weights. Each way
merges with the same proposals and judges the same pairs in both orders by log-probability. Values and verdicts are
compared first. CPU seconds are those of whole processes, start and mergekit included, as the operating system counts
them (wait4); Snakemake's own start of a job, which the old way pays per trial, is not counted.
"""

import argparse
import dataclasses
import json
import os
import shutil
import statistics
import sys
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

HERE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HERE / "scripts"), str(HERE / "benchmarks")]

PARENTS = ("one", "two")
MERGES = {  # what is merged: method and engine
    "linear": {"method": "linear", "engine": "streamed"},
    "ties": {"method": "ties", "engine": "streamed", "base": "base"},
    "dare_ties by mergekit": {"method": "dare_ties", "base": "base"},
}


def make_models(folder: Path, kind: str) -> None:
    """Write a model, as `base`, and two copies with noise of a tenth of each tensor's spread."""
    import torch
    import yaml
    from safetensors.torch import load_file, save_file

    from judgemerge.settings.models import Package
    from judgemerge.synthetic import demo_tasks, tiny
    from judgemerge.train import packaged_models

    if (folder / "two").is_dir():
        return
    if kind == "SmolLM2-135M":
        scale = yaml.safe_load((HERE / "config/studies/unified.yaml").read_text(encoding="utf-8"))["scales"]["small"]
        package = Package.of(scale["models"]["smollm2"]["package"])
        packaged_models.make(package, "smollm2", str(folder / "base"), str(folder / "base.json"))
    else:
        tiny.make_base(folder / "base", demo_tasks.corpus(seed=1, n_sentences=2000), 0, layers=4, vocab_size=2048)
    for seed, name in enumerate(PARENTS, 1):
        shutil.copytree(folder / "base", folder / f"{name}.part")
        path, generator = folder / f"{name}.part" / "model.safetensors", torch.Generator().manual_seed(seed)
        tensors = {
            key: values + (0.1 * values.float().std() * torch.randn(values.shape, generator=generator)).to(values.dtype)
            for key, values in load_file(path).items()
        }
        save_file(tensors, path, metadata={"format": "pt"})
        (folder / f"{name}.part").rename(folder / name)


def write_pairs(path: Path, mirror: str | None, n_pairs: int) -> None:
    """Write the development set: real pairs of LLMBar Natural and PandaLM, or the demo's where there is no mirror."""
    from time_judging import read_pairs

    from judgemerge.core.items import write_items
    from judgemerge.synthetic.demo_tasks import make_items

    if mirror:
        items = read_pairs(Path(mirror), ("llmbar_natural", "pandalm"), n_pairs)
    else:
        items = make_items("pairwise", "base", n_pairs, seed=5)
    one_set = [dataclasses.replace(item, benchmark="pairs", id=f"{item.benchmark}/{item.id}") for item in items]
    write_items(path, one_set)


def search_of(folder: Path, what: str, n_trials: int, place: Path):
    """Return the search that both ways run."""
    from judgemerge.merge import runs
    from judgemerge.merge.recipes import Merge
    from judgemerge.search import searching
    from judgemerge.search.merge_trials import MergeTrials

    values = {"weight": 0.5} | ({} if "linear" in what else {"density": 0.5})
    merge = {"models": dict.fromkeys(PARENTS, values), "parameters": {}, "dtype": "float32", "seed": 7, **MERGES[what]}
    space = {f"models.{name}.{key}": {"low": 0.1, "high": 1.0} for name in PARENTS for key in values}
    keys = {"merge": what, "space": space, "rounds": 1, "width": n_trials, "development": "pairs"}
    names = Merge.of(merge).models_read
    parents = runs.Parents({name: str(folder / name) for name in names}, dict.fromkeys(names, "0"))
    judging = {"dtype": "float32", "batch_tokens": 2048, "max_prompt_tokens": 2048}
    settings = {"prompts": {"pairwise": "brief_pairwise_choice"}, "judging": judging, "sources": "."}
    settings["default"] = searching.defaults(merge, space)
    return MergeTrials.at(
        keys, str(place), merge=merge, parents=parents, threads=1, development=[str(folder / "pairs.jsonl")],
        prompt_contents={}, trial_settings=settings,
    )  # fmt: skip


def one_written(folder: Path, what: str, n_trials: int, place: Path, number: int) -> None:
    """Run one trial as a job of its own: propose, write the merge, load it, judge it, remove it."""
    from judgemerge.core import files
    from judgemerge.judge.backends.transformers import Transformers
    from judgemerge.merge import runs
    from judgemerge.search import searching

    search = search_of(folder, what, n_trials, place)
    proposed = searching.proposals(search.search, 0, [], search.trial_settings["default"])
    files.write_json(place / "round_0.json", {"round": 0, "trials": proposed})
    trial = search.trial(number)
    model, manifest, recipe = (trial.folder / name for name in ("model", "manifest.json", "recipe.yaml"))
    merge = searching.applied(search.merge, trial.params)
    runs.make_model(merge, search.parents, 1, str(model), str(manifest), str(recipe))
    judging = trial.judging
    values = trial.judge(Transformers(model, judging["dtype"], judging["batch_tokens"], 1))
    shutil.rmtree(model)
    trial.write("complete", **values)


def child(way: str, arguments: list[str], log: Path) -> float:
    """Run this file again for one way and return its CPU seconds."""
    from time_merges import measured

    return measured([sys.executable, str(Path(__file__).resolve()), "--way", way, *arguments], log)["cpu"]


def compared(one: Path, two: Path, n_trials: int) -> str:
    """Return how values and verdicts of both ways differ, or that they are equal."""
    names = [f"trial_{number}{end}" for number in range(n_trials) for end in (".json", "/verdicts.pairs.jsonl")]
    differ = [name for name in names if (one / name).read_bytes() != (two / name).read_bytes()]
    return f"{', '.join(differ)} differ" if differ else "values and verdicts equal"


def row(folder: Path, kind: str, what: str, given: argparse.Namespace, n_pairs: int) -> None:
    """Print one row: CPU seconds per trial of both ways, trials per CPU minute, and their ratio."""
    old, new, judging = [], [], []
    for _ in range(given.runs):
        places = [folder / name for name in ("old", "new")]
        for place in places:
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
        about = [str(folder), what, str(given.trials)]
        numbers = range(min(given.jobs, given.trials))  # a job is like the other: some of them stand for all
        each = [child("old", [*about, str(places[0]), str(number)], folder / "log") for number in numbers]
        old.append(statistics.mean(each))
        new.append(child("new", [*about, str(places[1])], folder / "log") / given.trials)
        judging.append(json.loads((places[1] / "judging.json").read_text())["seconds"] / given.trials)
    note = compared(*places, len(numbers))
    ratio = statistics.median(a / b for a, b in zip(old, new, strict=True))
    before, now, asking = map(statistics.median, (old, new, judging))
    besides = statistics.median((a - c) / (b - c) for a, b, c in zip(old, new, judging, strict=True))
    cells = [before, now, asking, 60 / before, 60 / now, ratio, besides]
    print(f"| {kind}, {what}, {n_pairs} pairs | {' | '.join(f'{cell:.1f}' for cell in cells)} | {note} |", flush=True)


def run_new(folder: Path, what: str, n_trials: int, place: Path) -> None:
    """Run the search in one process, and write what judging alone took of it."""
    from judgemerge.search import trials

    ask, spent = trials.judge_planned, []

    def timed(*arguments):
        begun = time.process_time()
        try:
            return ask(*arguments)
        finally:
            spent.append(time.process_time() - begun)

    trials.judge_planned = timed
    search_of(folder, what, n_trials, place).run()
    (place / "judging.json").write_text(json.dumps({"seconds": sum(spent)}))


def main() -> None:
    """Print one row per model, method and size of the development set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="scratch folder")
    parser.add_argument("--mirror", help="raw files, for real pairs; without it the demo's pairs are judged")
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--jobs", type=int, default=1, help="how many of the trials are run as a job each")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--models", nargs="*", default=["SmolLM2-135M", "demo"])
    parser.add_argument("--methods", nargs="*", default=list(MERGES))
    parser.add_argument("--way", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        way, folder, what, *rest = given.way
        if way == "make":
            return make_models(Path(folder), what)
        n_trials, place, *number = rest
        if way == "old":
            return one_written(Path(folder), what, int(n_trials), Path(place), int(number[0]))
        return run_new(Path(folder), what, int(n_trials), Path(place))
    times = "one run" if given.runs == 1 else f"medians of {given.runs} runs"
    print(
        f"{given.trials} trials in one process against {given.jobs} of them as a job each, which imports, merges into "
        f"files, loads, judges and removes; {times} of each row. Both orders of a pair are judged by log-probability."
        "\nThe prompts cannot be shared between trials: with real weights they take most of the time of either way.\n"
    )
    print(
        "| what | CPU s per trial, a job each | in memory | of which judging | trials per CPU minute, a job each "
        "| in memory | ratio | ratio besides judging | outputs |"
    )
    print("|---" * 9 + "|")
    for kind in given.models:
        folder = given.folder / kind
        folder.mkdir(parents=True, exist_ok=True)
        child("make", [str(folder), kind], folder / "log")  # it prints what pip says
        write_pairs(folder / "pairs.jsonl", given.mirror if kind != "demo" else None, given.pairs)
        for what in given.methods:
            row(folder, kind, what, given, given.pairs)
    return None


if __name__ == "__main__":
    main()
