"""Preference pairs as training data: conversations with a chosen and a rejected answer, for ORPO and its relatives.

A pairwise item is a preference pair: the better response is the chosen one; a tie teaches nothing and is left out and
counted. The conversation is shown as a prompt of mode likelihood shows it, so that training and judging by likelihood
read the same text.
"""

import math
from collections.abc import Iterable

from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.items import Item
from judgemerge.prompting import prompts

# LLaMA-Factory trains on the conversation's last answers only: `chosen` and `rejected`, or the chosen one (sft).
STAGES = {"dpo": ("pref_loss", "pref_beta", "pref_ftx", "simpo_gamma", "dpo_label_smoothing", "orpo_nll")}


def rows(items: Iterable[Item], template: prompts.Template, ranking: bool) -> list[dict]:
    """Return LLaMA-Factory rows in OpenAI messages; with `ranking` {messages, chosen, rejected}, else {messages} that
    end with the chosen answer.

    Items of protocol `prompts` have their answers in `extra.answers` and can only be learnt without ranking. Raises
    JudgemergeError for an item that cannot be shown: training data is never dropped silently, but for ties.
    """
    made = []
    for item in items:
        if item.truth == "tie":
            continue
        if item.protocol == "prompts":
            made.append(_told(item, template, ranking))
            continue
        try:
            messages, responses = prompts.conversation(template, item)
        except prompts.Unrenderable as reason:
            raise JudgemergeError(
                f"training item {item.id}: prompt '{template.name}' cannot show it ({reason}); use another item set"
            ) from None
        chosen, rejected = responses if item.truth == "first" else responses[::-1]
        answers = [{"role": "assistant", "content": text} for text in (chosen, rejected)]
        if ranking:
            made.append({"messages": messages, "chosen": answers[0], "rejected": answers[1]})
        else:
            made.append({"messages": [*messages, answers[0]]})
    return made


def _told(item: Item, template: prompts.Template, ranking: bool) -> dict:
    """Return the row of a conversation without alternatives."""
    if ranking or len(item.extra.get("answers", ())) != len(item.turns):
        raise JudgemergeError(
            f"training item {item.id} of '{item.benchmark}' has no rejected answer; train on it with stage sft, "
            "or use a set of pairs"
        )
    system = template.system or item.extra.get("system")
    messages = [{"role": "system", "content": system}] if system else []
    for turn, answer in zip(item.turns, item.extra["answers"], strict=True):
        messages += [{"role": "user", "content": turn}, {"role": "assistant", "content": answer}]
    return {"messages": messages}


def n_ties(items: Iterable[Item]) -> int:
    """Return how many items `rows` leaves out because neither response is better."""
    return sum(item.truth == "tie" for item in items)


def orpo_loss(chosen: float, rejected: float, beta: float) -> dict[str, float]:
    """Return the ORPO loss of one pair from length-averaged log-probabilities, and its parts (arXiv:2403.07691, eq. 6).

    `log_odds` is the log odds ratio of both answers, `loss` = `nll` + beta · `odds_ratio_loss`; `reward_chosen` and
    `reward_rejected` are beta · log-probability, as logged while training.
    """
    log_odds = (chosen - rejected) - (math.log1p(-math.exp(chosen)) - math.log1p(-math.exp(rejected)))
    odds_ratio_loss = math.log1p(math.exp(-log_odds)) if log_odds > 0 else math.log1p(math.exp(log_odds)) - log_odds
    return {
        "nll": -chosen,
        "log_odds": log_odds,
        "odds_ratio_loss": odds_ratio_loss,
        "loss": -chosen + beta * odds_ratio_loss,
        "reward_chosen": beta * chosen,
        "reward_rejected": beta * rejected,
    }


def check(study) -> None:
    """Refuse an expert whose stage, prompt and settings do not belong together."""
    for name, expert in study.experts.items():
        for item_set in expert["evaluate_on"]:
            if item_set not in study.catalogues.benchmarks:
                near = did_you_mean(item_set, study.catalogues.benchmarks)
                raise JudgemergeError(f"{study.where}: experts.{name}.evaluate_on names the unknown '{item_set}'{near}")
            if item_set in expert["train_on"]:
                raise JudgemergeError(f"{study.where}: experts.{name} is evaluated on '{item_set}', which it learns")
        check_expert(study, f"experts.{name}", expert, study.training_prompts(name))


def check_expert(study, key: str, expert: dict, training_prompts: dict[str, str]) -> None:
    """Refuse one expert, or something trained like one; `key` names its place in the study file."""
    given = study.settings["training"] | expert["settings"]
    stage = given.get("stage", "sft")
    modes = {
        prompt: prompts.load_template(study.catalogues.prompts[prompt]).mode
        for prompt in training_prompts.values()
        if prompt
    }
    for prompt, mode in modes.items():
        if stage == "dpo" and mode != "likelihood":
            raise JudgemergeError(
                f"{study.where}: {key} has stage dpo, which trains on conversations, but its prompt '{prompt}' has "
                f"mode {mode}; give it prompts: {{pairwise: likelihood_pairwise}}"
            )
    for wrong in sorted(set(given) & set(STAGES["dpo"])) if stage != "dpo" else []:
        raise JudgemergeError(f"{study.where}: {key} has {wrong}, which only stage dpo knows; add stage: dpo")
    if "orpo_nll" in given and given.get("pref_loss") != "orpo":
        raise JudgemergeError(f"{study.where}: {key} has orpo_nll, which only pref_loss orpo knows; leave it out")
