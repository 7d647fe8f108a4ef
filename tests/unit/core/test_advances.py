"""How far a job is, read from what jobs and tools print."""

import io

import pytest

from judgemerge.core import advances
from judgemerge.core.advances import Advance, OneLine, in_words, latest, seconds_of

TRAINING = (
    "Loading weights: 100%|██████████| 39/39 [00:00<00:00, 4632.88it/s]\n"
    "  0%|          | 0/94 [00:00<?, ?it/s]/lib/dataloader.py:759: UserWarning: 'pin_memory'\r"
    " 11%|█         | 10/94 [00:03<00:32,  2.61it/s]\n\n"
    "{'loss': '0.2747', 'grad_norm': '0.1382', 'learning_rate': '0.0009', 'epoch': '0.1064'}\r"
    " 12%|█▏        | 11/94 [00:04<00:30,  2.72it/s]"
)


@pytest.mark.parametrize(
    ("text", "advance"),
    [
        ("", None),
        ("Model is supported. 5 of them are old", None),
        ("0 of 120 prompts\n", Advance(0, 120, "prompts")),
        ("64 of 120 prompts, about 27 s left\nloading\n", Advance(64, 120, "prompts", 27)),
        ("7 of 900 answers, about 3 h 20 min left\n", Advance(7, 900, "answers", 12_000)),
        (TRAINING, Advance(11, 94, "steps", 30, 0.2747)),
        ("Executing graph:  15%|█▌  | 36/236 [00:00<1:02:03, 319.99it/s]", Advance(36, 236, "Executing graph", 3723)),
        ("{'eval_loss': '0.5'}\r50%|█ | 1/2 [00:00<00:01, 1it/s]", Advance(1, 2, "steps", 1)),
    ],
)
def test_the_last_advance_of_a_log(text, advance):
    assert latest(text) == advance


def test_in_words():
    assert latest(TRAINING).words() == "11 of 94 steps, loss 0.275, about 30 s left"
    assert Advance(94, 94, "steps", 0, 0.1).words() == "94 of 94 steps, loss 0.1"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (3600, "60 min"),
        (12_000, "3 h 20 min"),
        (7200, "2 h"),
        (360_000, "100 h"),
    ],
)
def test_times_are_read_as_they_are_written(seconds, words):
    assert in_words(seconds) == words
    assert seconds_of(words) == pytest.approx(seconds, rel=0.35, abs=0.5)
    assert seconds_of("?") is None


def test_a_terminal_shows_one_line_of_a_tool_that_prints_much():
    screen = io.StringIO()
    line = OneLine(screen, "train pairwise")
    for part in ("[INFO] a lot\n" * 100, *TRAINING.splitlines(keepends=True), "\n[INFO] saved\n" * 500):
        line.write(part)
    line.write("100%|██| 94/94 [00:32<00:00, 2.9it/s]")
    line.close()
    shown = screen.getvalue()
    assert "INFO" not in shown and shown.count("\n") == 1
    assert shown.split("\r")[-1].rstrip() == "train pairwise: 94 of 94 steps, loss 0.275"


def test_reading_an_advance_costs_next_to_nothing():
    """It happens whenever a tool prints something, and must not slow it."""
    import time

    begin = time.perf_counter()
    for _ in range(1000):
        advances.latest(TRAINING * 10)
    assert (time.perf_counter() - begin) / 1000 < 0.002
