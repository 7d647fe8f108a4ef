"""Prints what one GPU does: judging by a random Llama in bfloat16, mergekit on the GPU and off it, and a LoRA training.

    python benchmarks/time_gpu.py --mirror DIR [--size 8b] [--pairs 20] [--tokens 32] [--runs 3] [--only judging]

The weights are random, which takes as long to compute as any others, and no model is downloaded. The card's bandwidth
and matrix rate are measured first, by copying and by multiplying square matrices; shares are of those. Seconds are wall
seconds. A model of 8 billion weights needs 17 GB of disk in --folder and 20 GB on the card. Without a GPU everything
runs on the CPU, and the first line says that nothing is a GPU figure.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# These set the number of threads for measurements on a CPU; whoever is compared with a GPU gets all of them.
import judging_worker
import time_judging
import time_merges

THREADS = len(os.sched_getaffinity(0))
os.environ |= {"OMP_NUM_THREADS": str(THREADS), "MKL_NUM_THREADS": str(THREADS)}
os.environ["PATH"] = f"{time_merges.TOOLS}{os.pathsep}{os.environ['PATH']}"

import torch
import yaml
from transformers import GenerationConfig, LlamaConfig

from judgemerge.judge.backends.transformers import Transformers
from judgemerge.merge.streams import Writer
from judgemerge.prompting.prompts import load_template, render
from judgemerge.synthetic import demo_tasks, tiny
from judgemerge.train import llamafactory, training

ON_GPU = torch.cuda.is_available()
DEVICE = "cuda" if ON_GPU else "cpu"
PROMPT = "plain_pairwise"
PARTS = ("judging", "merging", "training")


@dataclass(frozen=True)
class Shape:
    """The sizes of a Llama."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_value_heads: int
    vocabulary: int


SIZES = {
    "8b": Shape(4096, 14336, 32, 32, 8, 128256),  # Llama 3.1 8B
    "1b": Shape(2048, 8192, 16, 32, 8, 128256),  # Llama 3.2 1B, but for its tied embeddings
    "tiny": Shape(256, 256, 2, 4, 2, 2048),
}


def make_model(folder: Path, shape: Shape) -> int:
    """Write a random Llama that never ends its reply and says only tokens of its tokenizer; return its weights' number.

    The tokenizer is the small one of our own models, so that nothing has to be downloaded. The rows of the output layer
    for other tokens and for ends of turn are zero: they take the same time and are never the largest.
    """
    tokenizer = tiny.train_tokenizer(demo_tasks.corpus(seed=1), 1536)
    tokenizer.save_pretrained(folder)
    ends = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|eot_id|>")]
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        max_position_embeddings=8192,
        rope_theta=500000.0,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=ends[0],
        tie_word_embeddings=False,
        architectures=["LlamaForCausalLM"],
        dtype="bfloat16",
    )
    config.save_pretrained(folder)
    GenerationConfig(bos_token_id=tokenizer.bos_token_id, eos_token_id=ends, pad_token_id=ends[0]).save_pretrained(
        folder
    )
    key_value = shape.hidden // shape.heads * shape.key_value_heads
    shapes = time_merges.llama_shapes(shape.hidden, shape.intermediate, shape.layers, key_value, shape.vocabulary)
    writer = Writer(folder, [(name, "BF16", size) for name, size in shapes.items()])
    random = torch.Generator(DEVICE).manual_seed(1)
    for name in writer.names:
        if len(shapes[name]) == 1:
            values = torch.ones(shapes[name], dtype=torch.bfloat16)
        else:
            values = torch.empty(shapes[name], dtype=torch.bfloat16, device=DEVICE)
            values.normal_(std=shape.hidden**-0.5, generator=random)
        if name == "lm_head.weight":
            values[len(tokenizer) :] = 0
            values[[*ends, *tokenizer.all_special_ids]] = 0
        writer.add(name, values.cpu())
    writer.finish()
    return sum(torch.Size(size).numel() for size in shapes.values())


def timed(run: Callable[..., object], *arguments: object) -> tuple[float, object]:
    """Return the wall seconds of a call, all work of the GPU included, and what it gave."""
    if ON_GPU:
        torch.cuda.synchronize()
    begun = time.perf_counter()
    result = run(*arguments)
    if ON_GPU:
        torch.cuda.synchronize()
    return time.perf_counter() - begun, result


def best(run: Callable[[], object], n_runs: int = 20) -> float:
    """Return the seconds of the fastest of some calls, after three that are not counted: what the card can do."""
    for _ in range(3):
        run()
    return min(timed(run)[0] for _ in range(n_runs))


def card() -> tuple[float, float]:
    """Return bytes per second of copying (read and written) and operations per second of multiplying in bfloat16."""
    source = torch.zeros((4 if ON_GPU else 1) << 28, dtype=torch.uint8, device=DEVICE)
    target = torch.empty_like(source)
    bandwidth = 2 * source.numel() / best(lambda: target.copy_(source))
    side = 8192 if ON_GPU else 512
    square = torch.randn(side, side, dtype=torch.bfloat16, device=DEVICE)
    out = torch.empty_like(square)
    return bandwidth, 2 * side**3 / best(lambda: torch.matmul(square, square, out=out))


def judging(folder: Path, mirror: Path, n_pairs: int, n_tokens: int, n_runs: int) -> None:
    """Print tokens per second and shares of the card for our backend and the one-at-a-time loop, same prompts."""
    bandwidth, rate = card()
    print(f"\nMeasured: {bandwidth / 1e9:.0f} GB/s of copying, {rate / 1e12:.2f} Tflop/s of multiplying in bfloat16.\n")
    backend = Transformers(folder, "bfloat16", 65536, THREADS)
    items = [
        one for name in ("llmbar_natural", "pandalm") for one in time_judging.read_items(mirror, name)[: n_pairs // 2]
    ]
    template = load_template(time_judging.HERE / f"config/prompts/{PROMPT}.yaml")
    texts = [backend.render(render(template, item, order)) for item in items for order in time_judging.ORDERS]
    body = backend.model.get_decoder()
    weights = sum(one.numel() for one in backend.model.parameters()) - body.embed_tokens.weight.numel()
    calls: list[int] = []
    body.register_forward_pre_hook(lambda _, args, given: calls.append(given["input_ids"].numel()), with_kwargs=True)
    ways = {"one at a time": judging_worker.one_at_a_time, "judgemerge": judging_worker.ours}
    print(f"{len(texts)} prompts, {sum(backend.counts(texts))} tokens; medians of {n_runs} runs.\n")
    print("| way | new tokens | seconds | new tokens/s | tokens read/s | bandwidth | matrix rate | equal replies |")
    print("|---" * 8 + "|")
    for new in (1, n_tokens):
        found: dict[str, list[float]] = {name: [] for name in ways}
        replies, work = {}, {}
        for number in range(n_runs + 1):
            for name, run in ways.items():
                calls.clear()
                spent, replies[name] = timed(run, backend, texts, new)
                work[name] = (len(calls), sum(calls))
                if number:  # the first one of each also pays for kernels that are compiled or chosen
                    found[name].append(spent)
        for name, runs in found.items():
            middle, (n_calls, n_read) = statistics.median(runs), work[name]
            equal = sum(a == b for a, b in zip(replies[name], replies["one at a time"], strict=True))
            cells = [name, new, f"{middle:.2f}", f"{len(texts) * new / middle:.0f}", f"{n_read / middle:.0f}"]
            cells += [f"{100 * n_calls * 2 * weights / middle / bandwidth:.0f} %"]
            cells += [f"{100 * n_read * 2 * weights / middle / rate:.0f} %", f"{equal} of {len(texts)}"]
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
    print(
        "\nBandwidth: two bytes per weight and pass. Matrix rate: two operations per weight and token read. Neither "
        "has attention in it. Replies are compared as text; in bfloat16 another batch rounds otherwise, and among "
        "random weights the largest wins by little."
    )


def merging(folder: Path, n_weights: float, n_runs: int) -> None:
    """Print wall seconds of mergekit with and without --cuda, and ours, which stays on the CPU."""
    models = time_merges.make_models(folder / "merged", n_weights)
    size = sum(path.stat().st_size for path in models["one"].glob("*.safetensors"))
    print(f"\n{size / 1e9:.2f} GB per model, medians of {n_runs} runs, wall seconds of whole processes.\n")
    print("| method | mergekit, CPU | mergekit, GPU | ours, CPU | values that differ: GPU from CPU | ours from CPU |")
    print("|---" * 6 + "|")
    for method, density in (("linear", None), ("ties", 0.5)):
        spent: dict[str, list[float]] = {"cpu": [], "gpu": [], "own": []}
        for _ in range(n_runs):
            for way in spent:
                if way == "own":
                    command = time_merges.by_us(models, folder / way, method, [density] if density else [])
                else:
                    options = ("--cuda",) if way == "gpu" else ()
                    command = time_merges.by_mergekit(models, folder / way, method, density, options)
                if way != "gpu" or ON_GPU:
                    spent[way].append(time_merges.measured(command, folder / "log")["wall"])
        cells = [f"{statistics.median(runs):.1f}" if runs else "no GPU" for runs in spent.values()]
        for way in ("gpu", "own"):
            if spent[way]:
                n_values, largest = time_merges.n_different(folder / way, folder / "cpu")
                cells.append(f"{n_values}, by {largest:.2g} at most" if n_values else "none")
            else:
                cells.append("–")
        print(f"| {method} | {' | '.join(cells)} |", flush=True)


def lora_training(folder: Path, work: Path, n_examples: int) -> None:
    """Print the tokens per second of one epoch of LLaMA-Factory, by the file that a study would write."""
    items = demo_tasks.make_items("pairwise", "train", n_examples, seed=1)
    template = load_template(time_judging.HERE / "config/prompts/plain_pairwise.yaml")
    rows = list(training.rows(items, template, "original"))
    training.write_dataset(work / "data", rows)
    form = llamafactory.load_form(folder, {"template": "llama3"}, {}, "benchmark")
    n_tokens = sum(map(form.count, rows))
    settings = {"template": form.name, "lora_rank": 8, "lora_alpha": 16, "per_device_train_batch_size": 8}
    settings = training.expert_settings({}, settings)
    settings |= {"num_train_epochs": 1.0, "learning_rate": 1e-4, "flash_attn": "sdpa", "bf16": ON_GPU}
    recipe = training.training_recipe(folder, work / "data", work / "output", settings, seed=1)
    (work / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    llamafactory.train(recipe, THREADS)
    spent = json.loads((work / "output" / "train_results.json").read_text())["train_runtime"]
    print("\n| stage | examples | tokens, padding left out | seconds | tokens/s |\n|---|---|---|---|---|")
    cells = f"{len(rows)} | {n_tokens} | {spent:.1f} | {n_tokens / spent:.0f}"
    print(f"| LoRA of rank 8 on every layer, batches of 8, activations computed again | {cells} |")


def main() -> None:
    """Print the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", type=Path, required=True, help="raw files, for the real prompts")
    parser.add_argument("--folder", type=Path, help="for models, kept; unset: one that is removed")
    parser.add_argument("--size", choices=SIZES, default="8b")
    parser.add_argument("--pairs", type=int, default=20, help="real pairs, judged in both orders")
    parser.add_argument("--tokens", type=int, default=32, help="new tokens per reply")
    parser.add_argument("--pair-weights", type=float, default=2e9, help="weights of the models that are merged")
    parser.add_argument("--examples", type=int, default=256, help="of the training")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        model = folder / options.size
        if not ON_GPU:
            print("**No GPU here: everything ran on the CPU, and nothing below is a GPU figure.**\n")
        else:
            print(f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}, torch {torch.__version__}\n")
        n_weights = make_model(model, SIZES[options.size])
        print(f"Random Llama of {n_weights / 1e9:.2f} billion weights in bfloat16.")
        if "judging" in options.only:
            print(f"\n## Judging, prompt `{PROMPT}`")
            judging(model, options.mirror, options.pairs, options.tokens, options.runs)
        if "merging" in options.only:
            print("\n## Merging")
            merging(folder, options.pair_weights, options.runs)
        if "training" in options.only:
            print("\n## Training")
            if ON_GPU:
                torch.cuda.empty_cache()
            lora_training(model, folder / "training", options.examples)


if __name__ == "__main__":
    main()
