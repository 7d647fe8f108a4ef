"""Mix models as LM-Cocktail does: by given weights, or by those that follow from losses on a few examples.

Examples:
  python scripts/commands/mix.py --type encoder --models tuned BAAI/bge-base-en-v1.5 --weights .5 .5 --output mixed
  python scripts/commands/mix.py --type encoder --models m1 m2 m3 --examples five.jsonl --negatives 3 --output mixed

Folders or ids of the Hugging Face hub; the first one gives config and tokenizer. merge.py knows other methods.
"""

import argparse
import sys
from pathlib import Path

import _package  # noqa: F401
from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.records import read_records


def main(options: argparse.Namespace) -> str:
    """Write the mixture; return a line per model with its weight, and where the mixture is."""
    from judgemerge.api import mixing

    if (options.weights is None) == (options.examples is None):
        raise JudgemergeError("give --weights, one per model, or --examples, from which they follow")
    if options.weights is not None:
        mixing.mix_models(options.models, options.type, options.weights, options.output)
    else:
        mixing.mix_models_with_data(
            options.models, options.type, list(read_records(options.examples)), options.temperature, options.batch_size,
            options.max_input_length, options.negatives, options.output, seed=options.seed,
        )  # fmt: skip
    made_by = files.read_json(f"{options.output}.json")["made_by"]
    given = {name: entry.get("weight") for name, entry in made_by["merge"]["models"].items()}
    losses = made_by.get("weights", {}).get("losses", {})
    lines = [
        f"{name}: weight {weight:.4f}" + (f", loss {losses[name]['value']:.4f}" if name in losses else "")
        for name, weight in (made_by.get("weights", {}).get("weights") or given).items()
    ]
    return "\n".join([*lines, f"{options.output}: {Path(options.output, 'README.md')} says what it is made of"])


def parsed() -> argparse.Namespace:
    """Return what was typed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", required=True, help="folders or hub ids")
    kinds = ("decoder", "encoder", "reranker", "encoder-decoder")
    parser.add_argument("--type", required=True, choices=kinds, help="what the models are")
    parser.add_argument("--weights", nargs="+", type=float, help="one per model; they sum to 1")
    parser.add_argument("--examples", help="JSON lines, or a JSON list: input, output; or query, pos, neg of encoders")
    parser.add_argument("--temperature", type=float, default=5.0, help="of the weights (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=2, help="of the losses (%(default)s)")
    parser.add_argument("--max-input-length", type=int, default=2048, help="in tokens (%(default)s)")
    parser.add_argument("--negatives", type=int, default=7, help="drawn per example of encoders (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of that draw (%(default)s)")
    parser.add_argument("--output", required=True, help="folder of the mixture")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        print(main(parsed()))
    except JudgemergeError as error:
        sys.exit(str(error))
