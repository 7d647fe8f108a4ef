"""Overlap with a reference answer: what ROUGE and BLEU say of short, long, foreign and empty texts."""

import pytest

pytest.importorskip("rouge_score", reason="needs rouge-score (make venv-page)")
pytest.importorskip("sacrebleu", reason="needs sacrebleu (make venv-page)")
from judgemerge.page.overlap import NAMES, is_possible, overlap  # noqa: E402

REFERENCE = "The sum of 7 and 8 is 15."


def test_the_same_text_has_everything_in_common():
    assert is_possible()
    values = overlap(REFERENCE, REFERENCE)
    assert list(values) == list(NAMES) and list(values.values()) == [1, 1, 1, 100]


def test_by_hand():
    values = overlap("cats sat the", "the cat sat")  # stems: cat sat the; bigrams: 1 of 2; longest common: 2 of 3
    assert (values["ROUGE-1"], values["ROUGE-2"], values["ROUGE-L"]) == (1.0, 0.5, 0.6667)
    assert overlap("nothing alike", REFERENCE) == dict.fromkeys(NAMES, 0)


def test_a_right_answer_of_one_word_has_a_bleu():
    assert overlap("15", "15")["BLEU"] == 100 and overlap("", REFERENCE)["BLEU"] == 0


def test_rouge_is_not_stated_where_it_counts_no_words():
    values = overlap("十五 です", "十五 です")
    assert values["ROUGE-1"] is None and values["BLEU"] > 0
