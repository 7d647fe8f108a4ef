"""What items of each loader can hold besides question, responses and truth: known before any raw file is fetched.

It stands here and not in the loaders, whose code decides the items: a word more in this table makes no item set again.
A loader of one's own may name its fields itself (`FIELDS`); of one that does not, nothing is known.
"""

from collections.abc import Mapping

from judgemerge.data import benchmarks

_EXPLAINED = {"explanation", "explanation_swapped"}
_SCORED = {"scores", "scores_first", "scores_second", "scores_first_swapped", "scores_second_swapped"}
FIELDS: dict[str, set[str]] = {
    "autoj": {"category", "scenario", "human", *_EXPLAINED},
    "biggen": {"reference", "category", "rubric", "criterion", "task", "system_prompt", "published_prompt"},
    "demo": {"category", "hidden", "n_good", *_EXPLAINED, *_SCORED},
    "gpt4_pair": {"reference", "question_id", "game", *_EXPLAINED},
    "llmbar": {*_EXPLAINED},
    "meld": {"reference", "category", "scenario", "complexity", "source"},
    "meld_training": {"reference", "category", *_EXPLAINED, *_SCORED},
    "mtbench": {"reference", "category", "question_id", "turn", "author_votes", "reference_turns"},
    "pandalm": {"reference", "category", "instruction", "input", "converted", *_EXPLAINED},
    "preferences": {"system", "source", "answers"},
    "prometheus": {
        *("reference", "category", "rubric", "criterion", "published_prompt", "question", "gpt4_scores", "scores"),
        *_EXPLAINED,
    },
}


def of(spec: Mapping) -> set[str] | None:
    """Return the fields that items of a catalogue entry can have, None where nobody knows."""
    name = spec["loader"]
    if name == "jsonl":
        fields = spec.get("options", {}).get("fields", {})
        return {key for key in ("category", "reference") if key in fields} | {*fields.get("extra", ())}
    return FIELDS.get(name) or getattr(benchmarks.LOADERS.load(name), "FIELDS", None)
