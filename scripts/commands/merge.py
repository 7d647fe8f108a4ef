"""Merge models from the command line, with any method of the table; no study is needed.

    python scripts/commands/merge.py --method cocktail --model a=models/a:0.5 --model b=models/b:0.5 --output models/mix
    python scripts/commands/merge.py --method ties --base models/base --model a=models/a:weight=0.5,density=0.4 \\
        --model b=models/b:weight=0.5,density=0.4 --output models/ties
    python scripts/commands/merge.py --method cocktail --model a=models/a --model b=models/b --examples few.jsonl \\
        --output models/mix
    python scripts/commands/merge.py --methods
"""

import argparse
import gc
import os
import sys
from pathlib import Path

import yaml

import _package  # noqa: F401
from judgemerge.core import processes
from judgemerge.core.errors import JudgemergeError
from judgemerge.data.hub import local_folder
from judgemerge.merge import outside
from judgemerge.merge.descriptions import TEMPLATE, TOKENS
from judgemerge.merge.methods import METHODS, STREAMED
from judgemerge.merge.preflight import TOKENIZER
from judgemerge.merge.table import markdown


def main(
    merge: dict, folders: dict[str, str], output: str, threads: int = 1, bases: dict | None = None
) -> dict[str, dict]:
    """Make the merge, or every variant of its grid, and return the manifests by name.

    A grid of streamed merges is computed in one pass over the parents. `folders` gives the folder of every model.
    """
    return outside.make(merge, folders, output, threads, bases)


def _value(text: str):
    """Return a parameter's value as YAML reads it: a number, true or false, a list."""
    return yaml.safe_load(text)


def _pair(text: str, option: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name or not value:
        raise JudgemergeError(f"{option} is '{text}'; write it as name=value")
    return name, value


def _model(text: str) -> tuple[str, str, dict]:
    """Return (name, folder, parameters) of `name=folder`, `name=folder:0.5` or `name=folder:weight=0.5,density=0.3`."""
    name, rest = _pair(text, "--model")
    folder, separator, parameters = rest.rpartition(":")
    if not separator:
        return name, rest, {}
    if "=" not in parameters:
        return name, folder, {"weight": _value(parameters)}
    return (
        name,
        folder,
        {key: _value(value) for key, value in (_pair(part, "--model") for part in parameters.split(","))},
    )


def read_command(arguments: argparse.Namespace) -> tuple[dict, dict[str, str], dict[str, str]]:
    """Return (merge entry, folders by name, base of every adapter) that the command line describes."""
    parsed = [_model(text) for text in arguments.model]
    parsed = [(name, local_folder(folder), parameters) for name, folder, parameters in parsed]
    parents = {name: parameters for name, _, parameters in parsed}
    folders = {name: folder for name, folder, _ in parsed}
    if len(folders) != len(parsed):
        raise JudgemergeError("--model gives one name twice; rename one")
    base = None
    if arguments.base:
        folder = local_folder(arguments.base)
        base = next((name for name in folders if folders[name] == folder), "base")
        folders = folders if base in folders else {"base": folder, **folders}
    adapters = [name for name in parents if Path(folders[name], "adapter_config.json").is_file()]
    if adapters and base is None:
        raise JudgemergeError(f"--model {adapters[0]} is a LoRA adapter; give the model it was trained on as --base")
    grid = {name: _value(f"[{values}]") for name, values in (_pair(text, "--grid") for text in arguments.grid)}
    stored = arguments.dtype == "stored"
    merge = {
        "method": arguments.method,
        "models": parents,
        "parameters": {name: _value(value) for name, value in (_pair(text, "--set") for text in arguments.set)},
        "engine": arguments.engine,
        "adapters": bool(adapters) and not METHODS.get(arguments.method, METHODS["linear"]).adapters,
        "seed": arguments.seed,
        **({"base": base} if base else {}),
        **({"grid": grid} if grid else {}),
        **{key: value for key in ("allow", "donor", "examples") if (value := getattr(arguments, key))},
        "dtype": outside.stored_dtype(folders[base or next(iter(folders))]) if stored else arguments.dtype,
    }
    return merge, folders, {name: base for name in adapters}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--methods", action="store_true", help="print the method table and stop")
    cocktail = METHODS["cocktail"]
    command.add_argument("--method", default=cocktail.name, help=f"one of: {', '.join(METHODS)}")
    command.add_argument(
        "--model",
        action="append",
        default=[],
        help="name=folder, name=folder:weight, name=folder:weight=0.5,density=0.3; a hub id may be the folder",
    )
    command.add_argument("--base", help="folder or hub id of the base model of the task vectors")
    command.add_argument(
        "--set", action="append", default=[], help="parameter of the whole, e.g. t=0.5, temperature=1.0"
    )
    command.add_argument("--grid", action="append", default=[], help="values to run through, e.g. density=0.3,0.5")
    kinds = ", ".join(cocktail.overall["kind"].choices)
    command.add_argument("--examples", help=f"JSON lines that weigh a cocktail's models (kind: {kinds})")
    command.add_argument("--engine", choices=["mergekit", "streamed"], default="mergekit", help=f"streamed: {STREAMED}")
    command.add_argument("--dtype", choices=["stored", "float32", "float16", "bfloat16"], default="stored")
    command.add_argument(
        "--allow",
        action="append",
        default=[],
        help=f"what may differ between the models: a key of config.json, {TEMPLATE}, {TOKENS} or {TOKENIZER}; once per "
        "difference",
    )
    command.add_argument(
        "--donor",
        help="name of the model that gives config, tokenizer, chat template and generation settings; the "
        "base or the first model otherwise",
    )
    command.add_argument("--seed", type=int, default=7)
    command.add_argument("--threads", type=int, default=1)
    command.add_argument("--output", help="folder of the merged model; with --grid, the start of the folders' names")
    return command


if __name__ == "__main__":
    os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", os.defpath)
    processes.end_cleanly()
    arguments = parser().parse_args()
    if arguments.methods:
        print(markdown(), end="")
        sys.exit()
    try:
        if not arguments.model or not arguments.output:
            raise JudgemergeError("give --model (once or more) and --output; --help shows examples")
        merge, folders, bases = read_command(arguments)
        for name, manifest in main(merge, folders, arguments.output, arguments.threads, bases).items():
            print(f"{name}: {manifest['parameters']:,} weights, digest {manifest['digest'][:16]}")
    except JudgemergeError as error:
        sys.exit(str(error))
    gc.freeze()  # or the interpreter looks through all that torch loaded once more before it ends: 0.2 seconds
