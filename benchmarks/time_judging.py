"""Prints how fast pairs are judged: ours, the one-at-a-time loop of the published systems, and lm-evaluation-harness.

    python benchmarks/time_judging.py --model FOLDER [--mirror DIR] [--pairs 60] [--runs 5] [--harness DIR]

Every way reads the same prompts with the same weights on one thread and writes at most the same number of tokens,
greedy. Replies are compared first. Ways take turns within each run; the ratio is the median over runs of CPU seconds of
the same run, so that other load on the machine falls on all alike. Loading the weights is not timed.
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import torch

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE / "scripts"))

from judgemerge.core.items import Item
from judgemerge.judge.backends import GenerationParameters
from judgemerge.judge.backends.transformers import Transformers
from judgemerge.prompting.prompts import load_template, render
from judgemerge.synthetic import demo_tasks, tiny
from judgemerge.synthetic.demo_tasks import make_items

ORDERS = ("original", "swapped")


def read_pairs(mirror: Path, n_pairs: int) -> list[Item]:
    """Return the same number of real pairs of LLMBar Natural and of PandaLM."""
    from judgemerge.data.benchmarks import load_catalogue, load_items
    from judgemerge.data.sources import load_sources

    catalogue, sources = load_catalogue(HERE / "config/benchmarks.yaml"), load_sources(HERE / "config/sources.yaml")
    found = []
    for name in ("llmbar_natural", "pandalm"):
        spec = catalogue[name]
        paths = {role: mirror / sources[key].mirror_path for role, key in spec["sources"].items()}
        found += load_items(name, spec, paths, limit=n_pairs // 2)[0]
    return found


def texts_of(backend: Transformers, items: list[Item], prompt: str) -> list[str]:
    """Return the prompts of all items in both orders."""
    template = load_template(HERE / f"config/prompts/{prompt}.yaml")
    return [backend.render(render(template, item, order)) for item in items for order in ORDERS]


def ours(backend: Transformers, texts: list[str], n_tokens: int, reuse: bool = True) -> list[str]:
    """Return replies in the order of the texts, batched, the shared beginning computed once if `reuse`."""
    backend.reuse_prefix = reuse
    replies = dict(pair for batch in backend.complete(texts, GenerationParameters(n_tokens)) for pair in batch)
    return [replies[index].text for index in range(len(texts))]


@torch.inference_mode()
def one_at_a_time(backend: Transformers, texts: list[str], n_tokens: int) -> list[str]:
    """Return what the loop of the published systems writes: tokenize, generate and decode prompt after prompt."""
    replies = []
    for text in texts:
        encoded = backend.tokenizer(text, add_special_tokens=False, return_tensors="pt").to(backend.device)
        written = backend.model.generate(
            **encoded, do_sample=False, max_new_tokens=n_tokens, eos_token_id=backend.stop, pad_token_id=backend.stop[0]
        )
        replies.append(backend.tokenizer.decode(written[0, encoded["input_ids"].shape[1] :], skip_special_tokens=True))
    return replies


def harness(
    folder: Path, model: str, backend: Transformers, texts: list[str], n_tokens: int
) -> Callable[[], list[str]]:
    """Return a function that asks lm-evaluation-harness' own Hugging Face model for the same texts, batched."""
    sys.path.append(str(folder))
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    until = [backend.tokenizer.decode([token]) for token in backend.stop]
    theirs = HFLM(pretrained=str(model), device="cpu", dtype="float32", batch_size=16, add_bos_token=False)
    settings = {"until": until, "max_gen_toks": n_tokens, "do_sample": False, "temperature": 0.0}
    asked = [Instance("generate_until", {}, (text, dict(settings)), index) for index, text in enumerate(texts)]
    return lambda: theirs.generate_until(asked, disable_tqdm=True)


def cpu_seconds(run: Callable[[], list[str]]) -> tuple[float, list[str]]:
    """Return the CPU seconds of this process, and what the run gave."""
    begun = time.process_time()
    result = run()
    return time.process_time() - begun, result


def row(name: str, seconds: list[float], reference: list[float], n_pairs: int, note: str) -> str:
    """Return a line of the table: pairs per CPU second, and how many times faster than the reference."""
    ratio = statistics.median(r / s for r, s in zip(reference, seconds, strict=True))
    rate = n_pairs / statistics.median(seconds)
    return f"| {name} | {rate:.1f} | {ratio:.2f}× | {note} |"


def compare(ways: dict[str, Callable[[], list[str]]], n_pairs: int, n_runs: int, reference: str) -> None:
    """Print a table of all ways; replies that differ from the reference are counted."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    replies = {}
    for run in ways.values():
        run()  # the first call of each also pays for caches and lazy imports
    for _ in range(n_runs):
        for name, run in ways.items():
            spent, replies[name] = cpu_seconds(run)
            seconds[name].append(spent)
    print(f"| way | pairs per CPU second | against '{reference}' | replies |\n|---|---|---|---|")
    for name, given in replies.items():
        same = sum(one.strip() == two.strip() for one, two in zip(given, replies[reference], strict=True))
        note = f"{same} of {len(given)} equal" if name != reference else f"{len(given)} prompts"
        print(row(name, seconds[name], seconds[reference], n_pairs, note))


def growth(backend: Transformers, n_pairs: int, n_tokens: int) -> None:
    """Print CPU time and peak memory for 1, 4 and 16 times as many pairs."""
    items = make_items("pairwise", "test", 16 * n_pairs, seed=1)
    print("| pairs | prompt tokens | CPU s | CPU ms per thousand tokens | peak memory MB |\n|---|---|---|---|---|")
    for times in (1, 4, 16):
        texts = texts_of(backend, items[: times * n_pairs], "plain_pairwise")
        tokens = sum(backend.counts(texts))
        spent, _ = cpu_seconds(lambda texts=texts: ours(backend, texts, n_tokens))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {n_pairs * times} | {tokens} | {spent:.2f} | {1e6 * spent / tokens:.1f} | {peak:.0f} |")


def choices(backend: Transformers, items: list[Item], n_runs: int) -> None:
    """Print the gain of reading the verdict from the label's log-probability, and its agreement with generation."""
    import json

    written = texts_of(backend, items, "brief_pairwise")
    template = load_template(HERE / "config/prompts/brief_pairwise.yaml")
    labels = [str(template.reply[key]) for key in ("first", "second", "tie")]
    messages = [render(template, item, order) for item in items for order in ORDERS]
    opened = [text + template.target.replace("{verdict}", "").rstrip() for text in written]
    questions = [(text, tuple(f" {label}" for label in labels)) for text in opened]

    def scored() -> list[str]:
        found = dict(pair for batch in backend.score(questions) for pair in batch)
        values = [json.loads(found[index].text)["logprobs"] for index in range(len(messages))]
        return [f"Verdict: {labels[one.index(max(one))]}" for one in values]

    ways = {
        "generation": lambda: ours(backend, written, template.max_new_tokens),
        "one token's log-probability": scored,
    }
    compare(ways, len(items), n_runs, "generation")


def main() -> None:
    """Run every comparison and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", required=True, help="folder of a small model, for example results/demo/models/linear"
    )
    parser.add_argument("--mirror", type=Path, help="raw files; without them the shared beginning is not measured")
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--tokens", type=int, default=16, help="new tokens at most, of the trained judge")
    parser.add_argument("--long", type=int, default=64, help="new tokens of the untrained judge")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--harness", type=Path, help="folder with lm_eval (pip install --no-deps --target DIR lm_eval)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    backend = Transformers(options.model, "float32", 16384, 1)
    items = make_items("pairwise", "test", options.pairs, seed=1)

    print(f"\n## A trained judge that writes four tokens, {len(items)} demo pairs in both orders\n")
    whole_task(backend, options, items, options.tokens)
    with tempfile.TemporaryDirectory() as folder:
        print(f"\n## An untrained one that always writes {options.long} tokens\n")
        untrained = Path(folder, "model")
        tiny.make_base(untrained, demo_tasks.corpus(seed=1), 1, hidden=256, intermediate=256, layers=4)
        whole_task(Transformers(untrained, "float32", 16384, 1), options, items, options.long)

    print("\n## Verdict from one token\n")
    choices(backend, items, options.runs)

    if options.mirror:
        real = read_pairs(options.mirror, options.pairs)
        print(f"\n## {len(real)} real pairs of LLMBar and PandaLM: the shared beginning computed once\n")
        for prompt in ("plain_pairwise", "llama3_pairwise", "unified_pairwise"):
            shared_beginning(backend, real, prompt, options.runs)

    print("\n## Growth\n")
    growth(backend, 20, 4)


def whole_task(backend: Transformers, options: argparse.Namespace, items: list[Item], n_tokens: int) -> None:
    """Compare the ways to judge all items in both orders."""
    texts = texts_of(backend, items, "brief_pairwise")
    ways = {
        "one at a time": lambda: one_at_a_time(backend, texts, n_tokens),
        "judgemerge": lambda: ours(backend, texts, n_tokens),
    }
    if options.harness:
        name = "lm-evaluation-harness, batch 16"
        ways[name] = harness(options.harness, backend.folder, backend, texts, n_tokens)
    compare(ways, len(items), options.runs, "one at a time")


def shared_beginning(backend: Transformers, items: list[Item], prompt: str, n_runs: int) -> None:
    """Compare whole prompts with shared beginnings that are computed once; one new token each."""
    texts = texts_of(backend, items, prompt)
    read = {reuse: tokens_read(backend, texts, reuse) for reuse in (False, True)}
    total = sum(backend.counts(texts))
    print(
        f"\n{prompt}: {total} prompt tokens. Read, padding included: {read[False]} of whole prompts, {read[True]} with "
        f"shared beginnings: {total / read[True]:.2f}× fewer than the prompts hold, {read[False] / read[True]:.2f}× "
        "fewer than without.\n"
    )
    ways = {
        "whole prompts": lambda: ours(backend, texts, 1, reuse=False),
        "shared beginnings once": lambda: ours(backend, texts, 1),
    }
    compare(ways, len(items), n_runs, "whole prompts")


def tokens_read(backend: Transformers, texts: list[str], reuse: bool) -> int:
    """Return how many tokens the model is given, padding included, until the first new token of all texts."""
    seen = []
    hook = backend.model.get_decoder().register_forward_pre_hook(
        lambda _, args, given: seen.append(given["input_ids"].numel()), with_kwargs=True
    )
    ours(backend, texts, 1, reuse)
    hook.remove()
    return sum(seen)


if __name__ == "__main__":
    main()
