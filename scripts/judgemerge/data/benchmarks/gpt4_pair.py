"""FastChat's gpt-4_pair.jsonl: GPT-4's judgments of pairs of MT-Bench answers, both orders, as pairs with explanations.

One item per game, responses in the order in which GPT-4 saw them. Truth: GPT-4's verdict, no human's. The texts are cut
out of the stored prompts; a reference answer in the prompt becomes the reference. The judgment, without its verdict
sentence, is the explanation. Only first turns are read. A game without a verdict (winner "error") is left out and
counted. The cluster is the question.

`options: {split: train}` or `test` divides the questions as scikit-learn does (`share` 0.1, `seed` 42), so that neither
the two games of a pair nor a question stand on both sides. No F1 is published.

With `compat: original`, as in myendless1/llm-as-a-judge: in game 2 the responses are put back into the order of model_1
and model_2 while label and explanation stay as GPT-4 gave them (every decisive game 2 is wrong then); errors are ties;
the reference is part of the prompt; and the split is over games, which puts games of one pair on both sides.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from judgemerge.core.items import Item
from judgemerge.data.benchmarks import Entry
from judgemerge.data.benchmarks._explanations import both_orders, chosen_part, renamed, without_verdict
from judgemerge.data.benchmarks._rows import Row, checked_options, cluster_of, item_of, read_rows

WINNERS = ("model_1", "model_2", "tie", "error")
ANSWER = r"\[The Start of Assistant {0}'s Answer\]\n(.*?)\n\[The End of Assistant {0}'s Answer\]"
PROMPT = re.compile(
    r"\[User Question\]\n(.*?)\n\n(?:\[The Start of Reference Answer\]\n(.*?)\n\[The End of Reference Answer\]\n\n)?"
    + ANSWER.format("A")
    + r"\n\n"
    + ANSWER.format("B"),
    re.DOTALL,
)


def load(paths: dict[str, Path], spec: Entry, counts: Counter) -> Iterator[Item]:
    """Yield the items of role `rows`; counts rows, games, second turns and errors that are left out."""
    options = checked_options(spec, split=("train", "test"), share=float, seed=int, compat=("original",))
    original = options.get("compat") == "original"
    rows = [row for row in read_rows(paths["rows"]) if _is_first_turn(row, counts)]
    if original:
        games = chosen_part([(row, game) for row in rows for game in (1, 2)], options)
    else:
        questions = set(chosen_part(sorted({row.get("question_id", int) for row in rows}), options))
        games = [(row, game) for row in rows for game in (1, 2) if row.get("question_id", int) in questions]
    for row, game in games:
        counts.update(games=1)
        winner = row.get(f"g{game}_winner", str, WINNERS)
        counts.update(errors=winner == "error")
        if original or winner != "error":
            yield _item(row, game, winner, spec, original)


def _is_first_turn(row: Row, counts: Counter) -> bool:
    first = row.get("turn", int, (1, 2)) == 1
    counts.update(rows=1)
    counts.update(second_turns=not first)
    return first


def _item(row: Row, game: int, winner: str, spec: Entry, original: bool) -> Item:
    prompt = PROMPT.fullmatch(row.get(f"g{game}_user_prompt").strip())
    if prompt is None:
        raise row.error(f"field 'g{game}_user_prompt' has no question followed by two answers")
    question, reference, *answers = prompt.groups()
    models = [row.get("model_1"), row.get("model_2")]
    in_order = models if game == 1 else models[::-1]
    # What GPT-4 said is about the positions it saw.
    truth = "tie" if not winner.startswith("model_") else ("first", "second")[in_order.index(row.get(winner))]
    turns = question
    if original:
        turns = f"{question}\n\n[Reference]\n{reference}" if reference else question
        in_order, answers = (models, answers[::-1]) if game == 2 else (in_order, answers)
    return item_of(
        row,
        spec,
        turns,
        answers,
        id=f"{row.number}-{game}",
        protocol="pairwise",
        models=tuple(in_order),
        truth=truth,
        reference=reference,
        cluster=cluster_of(question),
        extra={
            "question_id": row.get("question_id", int),
            "game": game,
            **both_orders(renamed(without_verdict(row.get(f"g{game}_judgment")))),
        },
    )
