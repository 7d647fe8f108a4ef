"""Preference pairs as training data: conversations with a chosen and a rejected answer, for ORPO and its relatives.

A pairwise item is a preference pair: the better response is the chosen one; a tie teaches nothing and is left out and
counted. The conversation is shown as a prompt of mode likelihood shows it, so that training and judging by likelihood
read the same text.
"""

from collections.abc import Iterable, Mapping

from judgemerge.core.errors import JudgemergeError, require_known
from judgemerge.core.items import Item
from judgemerge.prompting import prompts
from judgemerge.settings.models import Expert

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


def check(study) -> None:
    """Refuse an expert whose stage, prompt and settings do not belong together."""
    for name, expert in study.experts.items():
        for item_set in expert.evaluate_on:
            where = f"{study.where}: experts.{name}"
            require_known(item_set, study.catalogues.benchmarks, f"{where}.evaluate_on names the unknown")
            if item_set in expert.train_on:
                raise JudgemergeError(f"{where} is evaluated on '{item_set}', which it learns")
        _check_stage(study, f"experts.{name}", expert, study.training_prompts(name))


def _check_stage(study, key: str, expert: Expert, training_prompts: Mapping[str, str]) -> None:
    """Refuse the keys and prompts of one expert that its stage does not know; `key` is its place in the study file."""
    keys = {**study.settings.training, **expert.settings}
    stage = keys.get("stage", "sft")
    for prompt in filter(None, training_prompts.values()):
        mode = prompts.load_template(study.catalogues.prompts[prompt]).mode
        if stage == "dpo" and mode != "likelihood":
            raise JudgemergeError(
                f"{study.where}: {key} has stage dpo, which trains on conversations, but its prompt '{prompt}' has "
                f"mode {mode}; give it prompts: {{pairwise: likelihood_pairwise}}"
            )
    for wrong in sorted(set(keys) & set(DPO_ONLY)) if stage != "dpo" else []:
        raise JudgemergeError(f"{study.where}: {key} has {wrong}, which only stage dpo knows; add stage: dpo")
    if "orpo_nll" in keys and keys.get("pref_loss") != "orpo":
        raise JudgemergeError(f"{study.where}: {key} has orpo_nll, which only pref_loss orpo knows; leave it out")
