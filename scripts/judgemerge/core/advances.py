"""How far a long job is, read from what it prints: our own lines, progress bars of tools, losses of trainings."""

import re
from collections.abc import Iterator
from typing import NamedTuple, TextIO

# `64 of 120 prompts, about 27 s left`, as logs.Progress writes it.
OWN = re.compile(r"(?P<done>\d+) of (?P<total>\d+) (?P<unit>[a-z][a-z ]*?)(?:, about (?P<left>.+) left)?$")
# `Running tokenizer:  11%|█         | 10/94 [00:03<00:32,  2.61it/s]`, as tqdm draws it, whatever follows in the line.
BAR = re.compile(
    r"(?:(?P<unit>[^%|:\[\]]+): +)?\d+%\|[^|]*\| *(?P<done>\d+)/(?P<total>\d+) \[[\d:]+<(?P<left>[\d:]+|\?)"
)
# `{'loss': '0.2747', 'grad_norm': …}`, as a Trainer prints it; the loss of an evaluation is another one.
LOSS = re.compile(r"'(?:train_)?loss': '?(\d+(?:\.\d+)?(?:e[+-]?\d+)?)")
UNITS = {"h": 3600, "min": 60, "s": 1}


class Advance(NamedTuple):
    """How many of how many are done, how long the rest takes if it is known, and the last loss of a training."""

    done: int
    total: int
    unit: str
    seconds_left: float | None = None
    loss: float | None = None

    def words(self) -> str:
        """Return it in words: `30 of 94 steps, loss 0.177, about 22 s left`."""
        parts = [f"{self.done:,} of {self.total:,} {self.unit}"]
        parts += [] if self.loss is None else [f"loss {self.loss:.3g}"]
        if self.seconds_left is not None and self.done < self.total:
            parts.append(f"about {in_words(self.seconds_left)} left")
        return ", ".join(parts)


def in_words(seconds: float) -> str:
    """Return a time in the one or two units that matter: `27 s`, `4 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest and hours < 10 else f"{hours} h"


def seconds_of(text: str) -> float | None:
    """Return the seconds of `in_words`, or of a clock (`1:02:03`); None of anything else."""
    if re.fullmatch(r"\d+(:\d+)+", text):
        seconds = 0
        for part in text.split(":"):
            seconds = 60 * seconds + int(part)
        return seconds
    parts = re.findall(r"(\d+) (h|min|s)\b", text)
    return sum(int(number) * UNITS[unit] for number, unit in parts) if parts else None


def latest(text: str) -> Advance | None:
    """Return the last advance that a text shows, with the last loss in it; None where it shows none."""
    matches = (OWN.match(line) or BAR.search(line) for line in _backwards(text))
    match = next(filter(None, matches), None)
    if match is None:
        return None
    loss = LOSS.findall(text)
    unit = (match["unit"] or "steps").strip()
    left = seconds_of(match["left"]) if match["left"] else None
    return Advance(int(match["done"]), int(match["total"]), unit, left, float(loss[-1]) if loss else None)


def _backwards(text: str) -> Iterator[str]:
    """Yield the lines that may say how far a job is, redraws of progress bars among them, the last one first."""
    lines = reversed(text.replace("\r", "\n").split("\n"))
    return (line.strip() for line in lines if "%|" in line or " of " in line)


class OneLine:
    """A terminal on which a tool that prints much shows one line, redrawn: how far it is. Its log has everything."""

    KEPT = 4096  # characters of the latest text in which an advance is looked for

    def __init__(self, screen: TextIO, name: str):
        """`name` says what the line is about."""
        self.screen, self.name = screen, name
        self._text, self._line, self._loss = "", "", None

    def write(self, text: str) -> None:
        """Take what the tool prints, and redraw the line where it says something new."""
        self._text = (self._text + text)[-self.KEPT :]
        advance = latest(self._text)
        if advance is None:
            return
        self._loss = self._loss if advance.loss is None else advance.loss
        line = f"{self.name}: {advance._replace(loss=self._loss).words()}"
        if line != self._line:
            self.screen.write(f"\r{line.ljust(len(self._line))}")
            self._line = line

    def flush(self) -> None:
        """Show what is written."""
        self.screen.flush()

    def close(self) -> None:
        """End the line, if there is one."""
        if self._line:
            self.screen.write("\n")
            self.screen.flush()
