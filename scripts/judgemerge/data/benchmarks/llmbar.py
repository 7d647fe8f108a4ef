"""LLMBar (Zeng et al. 2024, arXiv:2310.07641): which of two outputs follows an instruction.

Truth: `label` 1 = first, 2 = second (single votes are not released); there are no ties, so a tie verdict is never
right. Published measure: accuracy, the mean of the two orders; no F1 is published, and the published kappas are wrong
(LLMBar's script reads every winner "2" as 0). The five subsets (Natural, Neighbor, GPTInst, GPTOut, Manual) are five
benchmarks of the catalogue.

With `options: {split: train}` or `test`, the items of one side of scikit-learn's split (`share` 0.1, `seed` 42). With
`form: training` the rows are a recorded result.json whose replies explain (GPT-4 with chain of thought, as in
myendless1/llm-as-a-judge): one item per order in which the recorded winner is right, shown in that order, and explained
by the reply. A reply that is wrong or has no verdict is left out and counted.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from judgemerge.core.items import SWAPPED, Item
from judgemerge.data.benchmarks import Entry
from judgemerge.data.benchmarks._explanations import both_orders, chosen_part, renamed
from judgemerge.data.benchmarks._rows import Row, checked_options, counted_rows, item_of

CLASS_OF = {1: "first", 2: "second"}
GAMES = {"original": "swap = False", "swapped": "swap = True"}


def load(paths: dict[str, Path], spec: Entry, counts: Counter) -> Iterator[Item]:
    """Yield the items of role `rows` (a dataset.json or a result.json, which has the same fields); counts rows."""
    options = checked_options(spec, form=("test", "training"), split=("train", "test"), share=float, seed=int)
    for row in chosen_part(list(counted_rows(paths, counts)), options):
        item = _item(row, spec)
        if options.get("form") == "training":
            yield from _explained(row, item, counts)
        else:
            yield item


def _item(row: Row, spec: Entry) -> Item:
    prompt = row.get("input")
    truth = CLASS_OF[row.get("label", int, CLASS_OF)]
    return item_of(row, spec, prompt, (row.get("output_1"), row.get("output_2")), protocol="pairwise", truth=truth)


def _explained(row: Row, item: Item, counts: Counter) -> Iterator[Item]:
    """Yield the item in every order in which the recorded winner (already in the benchmark's order) is right."""
    results = row.get("results", list)
    if not results or not isinstance(results[-1], dict):
        raise row.error("field 'results' does not end with an object that has the winners")
    last = Row(row.file, row.number, results[-1])
    for order, key in GAMES.items():
        game = Row(row.file, row.number, last.get(key, dict))
        winner = {"1": "first", "2": "second", None: None}[game.get("winner", (str, type(None)), ("1", "2", None))]
        counts.update(games=1)
        if winner != item.truth:
            counts.update(games_wrong=1)
            continue
        as_it_is = order == "original"
        completion = game.get("completion", list)
        if not completion or not isinstance(completion[0], str):
            raise row.error(f"field 'completion' of '{key}' does not begin with a text")
        yield replace(
            item,
            id=f"{item.id}-{order}",
            responses=item.responses if as_it_is else item.responses[::-1],
            truth=item.truth if as_it_is else SWAPPED[item.truth],
            extra=both_orders(renamed(completion[0])),
        )
