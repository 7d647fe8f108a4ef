"""Preference pairs as training data: conversations with a chosen and a rejected answer, for ORPO and its relatives.

A pairwise item is a preference pair: the better response is the chosen one; a tie teaches nothing and is left out and
counted. The conversation is shown as a prompt of mode likelihood shows it, so that training and judging by likelihood
read the same text.
"""

from collections.abc import Iterable

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item
from judgemerge.prompting import prompts

# LLaMA-Factory trains on the conversation's last answers only: `chosen` and `rejected`, or the chosen one (sft).
DPO_ONLY = ("pref_loss", "pref_beta", "pref_ftx", "simpo_gamma", "dpo_label_smoothing", "orpo_nll")


def rows(items: Iterable[Item], template: prompts.Template, ranking: bool) -> list[dict]:
    """Return LLaMA-Factory rows in OpenAI messages; with `ranking` {messages, chosen, rejected}, else {messages} that
    end with the chosen answer.

    Items of protocol `prompts` have their answers in `extra.answers` and can only be learnt without ranking. Raises
    JudgemergeError for an item that cannot be shown: training data is never dropped silently, but for ties.
    """
    return [_row(item, template, ranking) for item in items if item.truth != "tie"]


def _row(item: Item, template: prompts.Template, ranking: bool) -> dict:
    if item.protocol == "prompts":
        return _conversation(item, template, ranking)
    try:
        messages, responses = prompts.conversation(template, item)
    except prompts.Unrenderable as reason:
        raise JudgemergeError(
            f"training item {item.id}: prompt '{template.name}' cannot show it ({reason}); use another item set"
        ) from None
    better, worse = (
        {"role": "assistant", "content": text} for text in responses[:: 1 if item.truth == "first" else -1]
    )
    if ranking:
        return {"messages": messages, "chosen": better, "rejected": worse}
    return {"messages": [*messages, better]}


def _conversation(item: Item, template: prompts.Template, ranking: bool) -> dict:
    """Return the row of a conversation without alternatives."""
    answers = item.extra.get("answers", ())
    if ranking or len(answers) != len(item.turns):
        raise JudgemergeError(
            f"training item {item.id} of '{item.benchmark}' has no rejected answer; train on it with stage sft, "
            "or use a set of pairs"
        )
    system = template.system or item.extra.get("system")
    messages = [{"role": "system", "content": system}] if system else []
    for turn, answer in zip(item.turns, answers, strict=True):
        messages += [{"role": "user", "content": turn}, {"role": "assistant", "content": answer}]
    return {"messages": messages}


def n_ties(items: Iterable[Item]) -> int:
    """Return how many items `rows` leaves out because neither response is better."""
    return sum(item.truth == "tie" for item in items)
