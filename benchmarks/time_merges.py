"""Time and memory of merges: mergekit's command line against ours, and a cocktail against the published package.

    python benchmarks/time_merges.py --folder DIR [--weights 134e6] [--pair 500e6] [--runs 5]

Models are random Llamas in bfloat16 (a base and two fine-tunes of it) in a scratch folder. CPU, wall seconds and peak
memory are those of whole processes, start included, as the operating system counts them (wait4). Outputs are compared
before times are: linear must be equal bit by bit, TIES but for values of equal magnitude, which are counted.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", HF_HUB_OFFLINE="1")

import torch
import yaml

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / "scripts"))

from judgemerge.merge.streams import Weights, Writer

DENSITIES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
ONE_THREAD = ("--num-threads", "1")
TOOLS = Path(sys.executable).parent


def make_models(folder: Path, n_weights: float) -> dict[str, Path]:
    """Write a random Llama of about `n_weights` weights and two fine-tunes of it, tensor by tensor."""
    hidden = 768 if n_weights < 3e8 else 1536
    vocabulary, heads = 32000, hidden // 64
    per_layer = 4 * hidden * hidden + 3 * hidden * 4 * hidden
    layers = max(1, round((n_weights - 2 * vocabulary * hidden) / per_layer))
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": 4 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "vocab_size": vocabulary,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }
    shapes = llama_shapes(hidden, 4 * hidden, layers, hidden, vocabulary)
    found = {name: folder / name for name in ("base", "one", "two")}
    if all((path / "config.json").is_file() for path in found.values()):
        return found
    for number, (label, path) in enumerate(found.items()):
        if path.exists() and any(file.suffix not in (".safetensors", ".json", ".part") for file in path.iterdir()):
            sys.exit(f"{path}: was not made by this benchmark; give another --folder")
        shutil.rmtree(path, ignore_errors=True)
        writer = Writer(path, [(name, "BF16", shape) for name, shape in shapes.items()])
        for name in writer.names:
            start = torch.Generator().manual_seed(hash_of(name))
            values = torch.randn(shapes[name], generator=start) * 0.02
            if label != "base":
                own = torch.Generator().manual_seed(hash_of(name) + number)
                values += torch.randn(shapes[name], generator=own) * 0.002
            writer.add(name, values.bfloat16())
        writer.finish()
        (path / "config.json").write_text(json.dumps(config))
    return found


def llama_shapes(
    hidden: int, intermediate: int, layers: int, key_value: int, vocabulary: int
) -> dict[str, tuple[int, ...]]:
    """Return name → shape of every tensor of a Llama; `key_value` is the width of its keys and values."""
    shapes = {"model.embed_tokens.weight": (vocabulary, hidden), "lm_head.weight": (vocabulary, hidden)}
    shapes["model.norm.weight"] = (hidden,)
    for layer in range(layers):
        name = f"model.layers.{layer}"
        widths = {"q": hidden, "k": key_value, "v": key_value, "o": hidden}
        shapes |= {f"{name}.self_attn.{part}_proj.weight": (width, hidden) for part, width in widths.items()}
        shapes |= {f"{name}.mlp.{part}_proj.weight": (intermediate, hidden) for part in ("gate", "up")}
        shapes[f"{name}.mlp.down_proj.weight"] = (hidden, intermediate)
        shapes |= {f"{name}.{part}_layernorm.weight": (hidden,) for part in ("input", "post_attention")}
    return shapes


def hash_of(name: str) -> int:
    """Return a number of a name that is the same in every process."""
    return sum(ord(letter) * 31**place % 1_000_003 for place, letter in enumerate(name))


def measured(command: list[str], log: Path) -> dict[str, float]:
    """Run a command and return its CPU seconds, wall seconds and peak memory in GB."""
    begun = time.monotonic()
    with open(log, "wb") as file:
        actions = [(os.POSIX_SPAWN_DUP2, file.fileno(), 1), (os.POSIX_SPAWN_DUP2, file.fileno(), 2)]
        process = os.posix_spawn(command[0], command, dict(os.environ), file_actions=actions)
        _, status, usage = os.wait4(process, 0)
    if status:
        sys.exit(f"{' '.join(command)}\nfailed: {log.read_text()[-2000:]}")
    wall = time.monotonic() - begun
    return {"cpu": usage.ru_utime + usage.ru_stime, "wall": wall, "gb": usage.ru_maxrss / 1e6}


def by_mergekit(
    models: dict[str, Path], out: Path, method: str, density: float | None, more: tuple[str, ...] = ONE_THREAD
) -> list[str]:
    """Return the command of one merge by mergekit, with `more` options."""
    parameters = {"weight": 0.5} | ({"density": density} if density else {})
    recipe = {"merge_method": method, "dtype": "bfloat16"}
    recipe["models"] = [{"model": str(models[name]), "parameters": parameters} for name in ("one", "two")]
    recipe |= {"base_model": str(models["base"])} if density else {}
    path = out.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(recipe))
    shutil.rmtree(out, ignore_errors=True)
    options = ["--random-seed", "7", "--no-write-model-card", "--no-trust-remote-code", *more]
    return [sys.executable, str(TOOLS / "mergekit-yaml"), str(path), str(out), *options]


def by_us(models: dict[str, Path], out: Path, method: str, densities: list[float]) -> list[str]:
    """Return the command of one or several merges by scripts/commands/merge.py."""
    for path in out.parent.glob(f"{out.name}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    script = HERE / "scripts" / "commands" / "merge.py"
    command = [sys.executable, str(script), "--method", method, "--output", str(out)]
    command += ["--engine", "streamed"] if method != "cocktail" else []
    for name in ("one", "two"):
        density = f",density={densities[0]}" if len(densities) == 1 else ""
        command += ["--model", f"{name}={models[name]}:weight=0.5{density}"]
    command += ["--base", str(models["base"])] if densities else []
    return command + (["--grid", f"density={','.join(map(str, densities))}"] if len(densities) > 1 else [])


def n_different(one: Path, two: Path) -> tuple[int, float]:
    """Return how many values of two models differ, and by how much at most."""
    ours, theirs = Weights(one), Weights(two)
    n_values, largest = 0, 0.0
    for name in theirs.entries:
        a, b = ours.get(name), theirs.get(name)
        differs = a != b
        n_values += int(differs.sum())
        largest = max(largest, float((a.float() - b.float()).abs().max()))
    return n_values, largest


def line(what: str, theirs: list[dict], ours: list[dict], note: str) -> None:
    """Print a row: medians of CPU seconds, wall seconds and memory, and the median of the ratios of CPU seconds."""
    ratio = statistics.median(b["cpu"] / a["cpu"] for a, b in zip(theirs, ours, strict=True))
    cells = [
        f"{statistics.median(run[key] for run in runs):.2f}" for runs in (theirs, ours) for key in ("cpu", "wall", "gb")
    ]
    print(f"| {what} | {' | '.join(cells)} | {ratio:.2f} | {note} |", flush=True)


def main() -> None:
    """Print one row per comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--weights", type=float, default=134e6, help="weights of the models of the variants; 0 skips")
    parser.add_argument("--pair", type=float, default=500e6, help="weights of the large pair (2 bytes each); 0 skips")
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    print("| what | theirs: CPU s | wall s | GB | ours: CPU s | wall s | GB | CPU ratio | outputs |")
    print("|---" * 9 + "|")
    if given.weights:
        variants(make_models(given.folder / "small", given.weights), given.folder, given.runs)
    if given.pair:
        models = make_models(given.folder / "large", given.pair)
        for method, density in (("linear", None), ("ties", 0.5)):
            pair(models, given.folder, method, density, given.runs)
        packages(models, given.folder, given.runs)


def variants(models: dict[str, Path], folder: Path, runs: int) -> None:
    """Compare eight calls of mergekit with one pass over the parents."""
    theirs, ours = [], []
    for _ in range(runs):
        calls = [
            measured(by_mergekit(models, folder / f"kit_{n}", "ties", density), folder / "log")
            for n, density in enumerate(DENSITIES)
        ]
        theirs.append({key: sum(call[key] for call in calls) for key in ("cpu", "wall")})
        theirs[-1]["gb"] = max(call["gb"] for call in calls)
        ours.append(measured(by_us(models, folder / "own", "ties", DENSITIES), folder / "log"))
    found = [
        n_different(folder / f"own_density_{str(density).replace('.', '_')}", folder / f"kit_{n}")
        for n, density in enumerate(DENSITIES)
    ]
    note = f"{max(n for n, _ in found)} values differ at most, by {max(size for _, size in found):.2g}"
    line("8 variants of ties", theirs, ours, note)


def pair(models: dict[str, Path], folder: Path, method: str, density: float | None, runs: int) -> None:
    """Compare one merge of a large pair."""
    theirs, ours = [], []
    for _ in range(runs):
        theirs.append(measured(by_mergekit(models, folder / "kit", method, density), folder / "log"))
        ours.append(measured(by_us(models, folder / "own", method, [density] if density else []), folder / "log"))
    n_values, largest = n_different(folder / "own", folder / "kit")
    note = "equal bit by bit" if not n_values else f"{n_values} values differ, by {largest:.2g} at most"
    line(f"{method}, 1 GB pair", theirs, ours, note)


def packages(models: dict[str, Path], folder: Path, runs: int) -> None:
    """Compare a cocktail with LM_Cocktail, if JUDGEMERGE_LM_COCKTAIL names its folder."""
    package = os.environ.get("JUDGEMERGE_LM_COCKTAIL")
    if not package:
        print("LM_Cocktail is not compared: set JUDGEMERGE_LM_COCKTAIL to its folder", file=sys.stderr)
        return
    paths = [str(models[name]) for name in ("one", "two")]
    code = f"import sys; sys.path.insert(0, {package!r}); from LM_Cocktail import mix_models; "
    code += f"mix_models({paths!r}, 'decoder', [0.5, 0.5]).save_pretrained({str(folder / 'lmc')!r})"
    theirs, ours = [], []
    for _ in range(runs):
        theirs.append(measured([sys.executable, "-c", code], folder / "log"))
        ours.append(measured(by_us(models, folder / "own", "cocktail", []), folder / "log"))
    n_values, largest = n_different(folder / "own", folder / "lmc")
    line("cocktail, 1 GB pair (LM_Cocktail)", theirs, ours, f"{n_values} values differ, by {largest:.2g} at most")


if __name__ == "__main__":
    main()
