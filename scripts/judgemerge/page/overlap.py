"""How many words an answer shares with a reference answer: ROUGE by rouge-score, BLEU by sacrebleu.

MELD-Eval's demo shows both beside the judge. They say nothing of quality where good answers can be worded in many ways.
BLEU is that of a sentence (with its effective order): the demo's, of a corpus of one sentence, is 0 for every answer of
fewer than four words. ROUGE knows words of Latin letters and digits alone, stemmed as English.
"""

import importlib.util
import re
from collections.abc import Mapping
from functools import cache

ROUGE = {"ROUGE-1": "rouge1", "ROUGE-2": "rouge2", "ROUGE-L": "rougeL"}
BLEU = "BLEU"
NAMES = (*ROUGE, BLEU)  # ROUGE from 0 to 1 (F1), BLEU from 0 to 100
_WORD = re.compile(r"[a-zA-Z0-9]")


def is_possible() -> bool:
    """Whether both libraries are installed."""
    return all(importlib.util.find_spec(name) for name in ("rouge_score", "sacrebleu"))


@cache
def _scorer():
    from rouge_score import rouge_scorer

    return rouge_scorer.RougeScorer(list(ROUGE.values()), use_stemmer=True)


def overlap(answer: str, reference: str) -> Mapping[str, float | None]:
    """Return ROUGE and BLEU of an answer; ROUGE is None where the reference has no word that it knows."""
    import sacrebleu

    bleu = sacrebleu.sentence_bleu(answer, [reference]).score
    scores = _scorer().score(reference, answer) if _WORD.search(reference) else {}
    rouge = {name: round(scores[key].fmeasure, 4) if scores else None for name, key in ROUGE.items()}
    return {**rouge, BLEU: round(bleu, 2)}
