"""The losses of a screening become one row per foundation model."""

import math

import pytest

from judgemerge.settings.report import Statistics
from judgemerge.train import screening

STATISTICS = Statistics.of({"resamples": 500, "confidence": 0.9, "seed": 7, "group_by": "category"})


def loss(item, nll, tokens, cluster=None):
    return screening.Loss(item, cluster or item, nll, tokens, 4 * tokens)._asdict()


def test_losses_are_summed_over_answers_with_an_interval_over_prompts():
    row = screening.summary([loss("a", 2.0, 2), loss("b", 6.0, 3), loss("c", 1.0, 5), loss("d", None, 0)], STATISTICS)
    assert {name: row[name] for name in ("n", "clusters", "too_long", "tokens", "bytes", "note")} == {
        "n": 3, "clusters": 3, "too_long": 1, "tokens": 10, "bytes": 40, "note": "",
    }  # fmt: skip
    assert (row["loss"], row["bits_per_byte"]) == pytest.approx((0.9, 9 / 40 / math.log(2)))
    assert 0.2 <= row["loss_low"] < 0.9 < row["loss_high"] <= 2
    assert row["bpb_low"] == pytest.approx(row["loss_low"] / 4 / math.log(2))


def test_one_prompt_has_no_interval_and_no_answer_no_loss():
    row = screening.summary([loss("a", 2.0, 2, "p"), loss("b", 6.0, 2, "p")], STATISTICS)
    assert row["loss"] == 2 and "loss_low" not in row and row["note"] == "one prompt: no interval"
    assert "loss" not in screening.summary([loss("a", None, 0)], STATISTICS)
