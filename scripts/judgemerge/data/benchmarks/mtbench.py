"""MT-Bench human votes (Zheng et al. 2023, arXiv:2306.05685): pairs of model answers to 80 two-turn questions.

Truth: the majority of the expert votes on a pair at one turn; an even split is a tie, and tie is a class. Votes of the
authors are kept apart in `extra.author_votes`; with `options: {voters: all}` they count as well. The agreement of the
paper compares every single expert vote with the verdict, so it is computed from `votes`, not from `truth`. No F1 is
published.

One pair occurs in the file as (a, b) and as (b, a); it is re-oriented so that the first response is the one of the
model whose name sorts first. Turn 1 and turn 2 are separate items: a turn-2 item has two user turns and two assistant
turns per response. vicuna-13b-v1.2 has no public answers: its items have no responses and are used for agreement only.
A pair on which only authors voted is no item; it is counted. Reference answers are GPT-4's (30 questions); turn 2 has
the reference of its own turn, both are in `extra.reference_turns`. The cluster is the question.

With `options: {split: train}` or `test`, the pairs of one side of scikit-learn's split of the questions (`share` 0.1,
`seed` 42): the same questions that `gpt4_pair` keeps from training.
"""

import collections
import dataclasses
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Vote
from judgemerge.data.benchmarks import Entry
from judgemerge.data.benchmarks._explanations import chosen_part
from judgemerge.data.benchmarks._rows import Row, cluster_of, majority, read_rows

WINNERS = ("model_a", "model_b", "tie")
VOTERS = ("expert", "all")
Pair = tuple[int, int, str, str]  # question id, turn, the two models in sorted order
Turns = dict[int, list[str]]  # the turns of one model by question id


@dataclass(frozen=True)
class Texts:
    """The public texts: questions by id, answers by model and question id, reference answers by question id."""

    questions: dict[int, Row]
    answers: dict[str, Turns]
    references: Turns

    def has(self, pair: Pair) -> bool:
        """Return whether both models' answers to the question are public."""
        return all(pair[0] in self.answers.get(model, {}) for model in pair[2:])


def load(paths: dict[str, Path], spec: Entry, counts: Counter) -> Iterator[Item]:
    """Yield the items of role `votes`, with the texts of `questions`, `references` and every role `answers…`.

    Counts rows (votes), votes by experts and authors, votes with public texts, repeated votes (one judge twice on one
    pair), pairs, and pairs without an expert vote.
    """
    voters = spec.options.get("voters", "expert")
    if voters not in VOTERS:
        raise JudgemergeError(f"benchmark '{spec.name}': option voters is '{voters}', not {' or '.join(VOTERS)}")
    texts = _read_texts(paths)
    questions = set(chosen_part(sorted(texts.questions), spec.options))
    for pair, rows in sorted(_read_pairs(paths["votes"]).items()):
        votes = [_vote(row) for row in rows]
        experts = [vote for vote in votes if vote.annotator.startswith("expert_")]
        counts.update(
            rows=len(rows),
            pairs=1,
            expert_votes=len(experts),
            author_votes=len(votes) - len(experts),
            repeated_votes=len(votes) - len({vote.annotator for vote in votes}),
            votes_with_texts=len(votes) * texts.has(pair),
            pairs_without_expert_votes=not experts,
        )
        if pair[0] not in texts.questions:
            raise rows[0].error(f"question {pair[0]} is not in {paths['questions']}")
        if (experts or voters == "all") and pair[0] in questions:
            origin = {"source": spec.sources["votes"], "row": [row.number for row in rows]}
            apart = [] if voters == "all" else [vote for vote in votes if vote not in experts]
            yield _item(pair, votes if voters == "all" else experts, apart, texts, spec.name, origin)


def _read_pairs(path: Path) -> dict[Pair, list[Row]]:
    """Return the rows of a votes file by question, turn and unordered pair of models."""
    pairs = collections.defaultdict(list)
    for row in read_rows(path):
        pairs[pair_of(row)].append(row)
    return pairs


def pair_of(row: Row) -> Pair:
    """Return the question, turn and models of a row, the models in sorted order."""
    first, second = sorted((row.get("model_a"), row.get("model_b")))
    if first == second:
        raise row.error(f"model_a and model_b are both '{first}'")
    return row.get("question_id", int), row.get("turn", int, (1, 2)), first, second


def class_of(row: Row, winners: tuple[str, ...] = WINNERS) -> str:
    """Return the winner of a row as a class in the order of sorted model names; what is no model is a tie."""
    winner = row.get("winner", str, winners)
    if not winner.startswith("model_"):
        return "tie"
    other = "model_b" if winner == "model_a" else "model_a"
    return "first" if row.get(winner) < row.get(other) else "second"


def item_id(pair: Pair) -> str:
    """Return the id of a pair: question, turn and the models in sorted order."""
    return "-".join(map(str, pair))


def _vote(row: Row) -> Vote:
    annotator = row.get("judge")
    if not annotator.startswith(("expert_", "author_")):
        raise row.error(f"field 'judge' is '{annotator}', neither expert_… nor author_…")
    return Vote(annotator, class_of(row))


def _read_texts(paths: dict[str, Path]) -> Texts:
    answers = {}
    for role, path in paths.items():
        if role.startswith("answers"):
            answers |= _read_answers(path)
    references = _read_answers(paths["references"]) if "references" in paths else {}
    return Texts(
        questions={row.get("question_id", int): row for row in read_rows(paths["questions"])},
        answers=answers,
        references={question: turns for model in references.values() for question, turns in model.items()},
    )


def _read_answers(path: Path) -> dict[str, Turns]:
    """Return the turns of the first choice in a FastChat answer file, by model and question."""
    answers = collections.defaultdict(dict)
    for row in read_rows(path):
        choices = row.get("choices", list)
        turns = choices[0].get("turns") if choices and isinstance(choices[0], dict) else None
        if not isinstance(turns, list) or len(turns) < 2 or not all(isinstance(turn, str) for turn in turns):
            raise row.error("field 'choices' does not start with an object that has two texts in `turns`")
        answers[row.get("model_id")][row.get("question_id", int)] = turns
    return answers


def _item(pair: Pair, votes: list[Vote], apart: list[Vote], texts: Texts, benchmark: str, origin: dict) -> Item:
    number, turn, *models = pair
    question, reference = texts.questions[number], texts.references.get(number)
    turns = question.get("turns", list)
    if len(turns) < turn or not all(isinstance(text, str) for text in turns):
        raise question.error(f"field 'turns' does not hold the {turn} texts that votes are about")
    extra = {"question_id": number, "turn": turn, "author_votes": [dataclasses.asdict(vote) for vote in apart]}
    return Item(
        id=item_id(pair),
        benchmark=benchmark,
        protocol="pairwise",
        turns=tuple(turns[:turn]),
        responses=tuple(tuple(texts.answers[model][number][:turn]) for model in models) if texts.has(pair) else (),
        models=tuple(models),
        votes=tuple(votes),
        truth=majority(votes),
        reference=reference[turn - 1] if reference else None,
        category=question.get("category"),
        cluster=cluster_of(turns[0]),
        origin=origin,
        extra=extra | ({"reference_turns": reference} if reference else {}),
    )
