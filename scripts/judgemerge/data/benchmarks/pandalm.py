"""PandaLM test set (Wang et al. 2023, arXiv:2306.05087): 999 pairs of 7B-model replies, three annotators each.

Truth: the majority of the three annotators, 0 = tie, 1 = first, 2 = second; there is no three-way split. Tie is a
class. Published F1: macro over the three classes.

The prompt is the instruction, then a blank line and the input when there is one; both are kept in `extra`. Six
responses are JSON booleans in the file and become "True" or "False" (`extra.converted` names them). All 999 rows are
kept, 99 of them exact duplicates; equal prompts share a cluster.

With `options: {compat: original}` the majority is that of myendless1/llm-as-a-judge: NumPy's distinct votes are indexed
with the place where the most frequent one stands first among the three, which is wrong on 75 of the 999 rows.

With `options: {form: training}` the rows are those PandaLM was trained on (`input_sequence`, `output_sequence`): truth
is GPT-3.5's verdict in the first line of the output, the reason is the explanation, the reference is the reference.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from judgemerge.core.items import Item, Vote
from judgemerge.data.benchmarks import Entry
from judgemerge.data.benchmarks._explanations import both_orders, renamed
from judgemerge.data.benchmarks._rows import Row, checked_options, counted_rows, item_of, majority

CLASS_OF = {0: "tie", 1: "first", 2: "second"}
ANNOTATORS = ("annotator1", "annotator2", "annotator3")
RESPONSES = ("response1", "response2")
REQUEST = re.compile(
    r"### Instruction:\n(.*?)\n\n(?:### Input:\n(.*?)\n\n)?"
    r"### Response 1:\n(.*?)\n\n### Response 2:\n(.*)\n\n### Evaluation:",
    re.DOTALL,
)
JUDGMENT = re.compile(r"\s*(1|2|tie)\s*### Reason:(.*?)(?:### Reference:(.*))?\Z", re.DOTALL | re.IGNORECASE)


def load(paths: dict[str, Path], spec: Entry, counts: Counter) -> Iterator[Item]:
    """Yield the items of role `rows`; counts rows, votes, unanimous items, converted booleans, and wrong majorities."""
    options = checked_options(spec, form=("test", "training"), compat=("original",))
    for row in counted_rows(paths, counts):
        if options.get("form") == "training":
            yield _training_item(row, spec)
            continue
        item = _item(row, spec)
        unanimous = len({vote.vote for vote in item.votes}) == 1
        converted = len(item.extra.get("converted", ()))
        counts.update(votes=len(item.votes), unanimous=unanimous, booleans_converted=converted)
        if options.get("compat") == "original":
            truth = original_majority([vote.vote for vote in item.votes])
            counts.update(wrong_majorities=truth != item.truth)
            item = dataclasses.replace(item, truth=truth)
        yield item


def _item(row: Row, spec: Entry) -> Item:
    instruction, context = row.get("instruction"), row.get("input")
    prompt = f"{instruction}\n\n{context}" if context else instruction
    votes = tuple(Vote(name, CLASS_OF[row.get(name, int, CLASS_OF)]) for name in ANNOTATORS)
    models = tuple(row.get("cmp_key").split("_"))
    if len(models) != 2:
        raise row.error(f"field 'cmp_key' is '{row.get('cmp_key')}', not two model names joined by _")
    converted = [name for name in RESPONSES if type(row.get(name, (str, bool))) is bool]
    return item_of(
        row,
        spec,
        prompt,
        (str(row.data[name]) for name in RESPONSES),
        id=str(row.get("idx", int)),
        protocol="pairwise",
        models=models,
        votes=votes,
        truth=majority(votes),
        category=row.get("motivation_app"),
        extra={"instruction": instruction, "input": context} | ({"converted": converted} if converted else {}),
    )


def original_majority(votes: list[str]) -> str:
    """Return what myendless1/llm-as-a-judge takes for the majority of three votes."""
    values = sorted(set(votes), key=list(CLASS_OF.values()).index)  # 0, 1, 2 as NumPy sorts them
    most = max(values, key=votes.count)
    return values[votes.index(most)]


def _training_item(row: Row, spec: Entry) -> Item:
    request, judgment = REQUEST.search(row.get("input_sequence")), JUDGMENT.match(row.get("output_sequence"))
    if request is None:
        raise row.error("field 'input_sequence' has no instruction followed by two responses")
    if judgment is None:
        raise row.error("field 'output_sequence' does not start with 1, 2 or Tie and a reason")
    instruction, context, *responses = (text.strip() if text else "" for text in request.groups())
    prompt = f"{instruction}\n\n{context}" if context else instruction
    verdict, reason, reference = judgment.groups()
    return item_of(
        row,
        spec,
        prompt,
        responses,
        protocol="pairwise",
        truth=CLASS_OF[int(verdict)] if verdict.isdigit() else "tie",
        reference=reference.strip() if reference else None,
        extra=both_orders(renamed(reason)),
    )
