"""Which prompts of a benchmark also stand in training data: word for word, folded, or in runs of 13 words.

A prompt is the first user turn of an item. Prompts are counted once, however many items share them, and compared in
four ways, each wider than the one before except where a prompt is too short for the last:

    exact        letter by letter
    folded       case and white space folded, as clusters are
    normalised   punctuation taken for white space as well ("C#" and "C" are equal then, so read it beside `folded`)
    13gram       a run of 13 words in common after normalising (Brown et al. 2020, arXiv:2005.14165, appendix C)

A prompt of fewer than 13 words has no such run. It is counted as too short, never as clean. Words are what stands
between white space, so a prompt in a script without it is too short as well.
"""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from judgemerge.core.items import Item
from judgemerge.data.benchmarks._rows import normalise as fold

RUN = 13
EXAMPLES = 5
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying loses nothing


class Overlap(NamedTuple):
    """One row of overlap.csv: the prompts of a benchmark that a training set shares, compared in one way.

    `share` is of the prompts that could be compared, None when all are too short. `examples` are pairs of item ids,
    benchmark = training, so that no text of a licence unknown gets into a table.
    """

    training: str
    used_by: str
    benchmark: str
    kind: str
    n_training_prompts: int
    n_benchmark_prompts: int
    n_overlap: int
    share: float | None
    n_items: int
    too_short: int
    examples: str
    note: str


class _PunctuationToSpace(dict):
    """A table for str.translate that decides about a character when it first occurs."""

    def __missing__(self, code: int) -> int:
        self[code] = ord(" ") if unicodedata.category(chr(code)).startswith("P") else code
        return self[code]


_TO_SPACE = _PunctuationToSpace()


def normalise(text: str) -> str:
    """Return the text with case and white space folded and punctuation taken for white space."""
    return fold(text.translate(_TO_SPACE))


NORMALISED = "normalised"
FOLDS: dict[str, Callable[[str], str]] = {"exact": str, "folded": fold, NORMALISED: normalise}
KINDS = (*FOLDS, "13gram")


@dataclass(frozen=True)
class PromptSet:
    """The prompts of one item set, folded once.

    `by_kind` maps every folded prompt to the ids of its items. `runs` are digests of all runs of 13 words, sorted, and
    `owners` the positions of their prompts in `by_kind["normalised"]`.
    """

    by_kind: dict[str, dict[str, list[str]]]
    runs: np.ndarray
    owners: np.ndarray
    too_short: int

    def prompts(self, kind: str) -> dict[str, list[str]]:
        """Return folded prompt → ids of its items; runs of words are looked for in normalised prompts."""
        return self.by_kind[NORMALISED if kind == "13gram" else kind]


def prepare(items: Iterable[Item], vocabulary: dict[str, int]) -> PromptSet:
    """Return the prompts of an item set; sets that are to be compared share one `vocabulary`, which grows here."""
    by_kind: dict[str, dict[str, list[str]]] = {kind: {} for kind in FOLDS}
    for item in items:
        for kind, folded in FOLDS.items():
            by_kind[kind].setdefault(folded(item.turns[0]), []).append(item.id)
    prompts = [prompt.split() for prompt in by_kind[NORMALISED]]
    return PromptSet(by_kind, *_runs(prompts, vocabulary), sum(len(words) < RUN for words in prompts))


def _runs(prompts: Sequence[Sequence[str]], vocabulary: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return a 64-bit digest of every run of RUN words inside a prompt, sorted, and the positions of the prompts."""
    numbers = [vocabulary.setdefault(word, len(vocabulary)) for words in prompts for word in words]
    n_runs = len(numbers) - RUN + 1
    if n_runs < 1:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    owners = np.repeat(np.arange(len(prompts)), [len(words) for words in prompts])
    words = _mixed(np.array(numbers, dtype=np.uint64))
    digests = np.zeros(n_runs, dtype=np.uint64)
    for offset in range(RUN):
        digests = digests * _FACTOR + words[offset : offset + n_runs]
    inside = owners[:n_runs] == owners[RUN - 1 :]
    digests, owners = digests[inside], owners[:n_runs][inside]
    order = np.argsort(digests, kind="stable")
    return digests[order], owners[order]


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Return 64 well-mixed bits per word number (the finaliser of splitmix64)."""
    mixed = (numbers + np.uint64(1)) * _FACTOR
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def shared_prompts(training: PromptSet, benchmark: PromptSet, kind: str) -> dict[str, str]:
    """Return the benchmark's prompts that the training set shares, each with one prompt of the training set."""
    if kind != "13gram":
        return {prompt: prompt for prompt in benchmark.by_kind[kind] if prompt in training.by_kind[kind]}
    if not len(training.runs):
        return {}
    place = np.minimum(np.searchsorted(training.runs, benchmark.runs), len(training.runs) - 1)
    places = np.flatnonzero(training.runs[place] == benchmark.runs)
    there, here = list(training.prompts("13gram")), list(benchmark.prompts("13gram"))
    partners = {int(benchmark.owners[run]): int(training.owners[place[run]]) for run in places[::-1]}
    return {here[position]: there[partners[position]] for position in sorted(partners)}


def overlap_rows(
    sets: Mapping[str, PromptSet],
    pairs: Iterable[tuple[str, str]],
    used_by: Mapping[str, str],
    notes: Mapping[tuple[str, str], str],
) -> list[Overlap]:
    """Return one row per pair of training set and benchmark and kind of comparison."""
    return [
        _row(training, benchmark, kind, sets, used_by.get(training, ""), notes.get((training, benchmark), ""))
        for training, benchmark in pairs
        for kind in KINDS
    ]


def _row(training: str, benchmark: str, kind: str, sets: Mapping[str, PromptSet], used_by: str, note: str) -> Overlap:
    shared = shared_prompts(sets[training], sets[benchmark], kind)
    there, here = sets[training].prompts(kind), sets[benchmark].prompts(kind)
    too_short = sets[benchmark].too_short if kind == "13gram" else 0
    n_comparable = len(here) - too_short
    examples = [f"{here[prompt][0]} = {there[other][0]}" for prompt, other in list(shared.items())[:EXAMPLES]]
    return Overlap(
        training,
        used_by,
        benchmark,
        kind,
        len(there),
        len(here),
        len(shared),
        len(shared) / n_comparable if n_comparable else None,
        sum(len(here[prompt]) for prompt in shared),
        too_short,
        "; ".join(examples),
        note,
    )


def leaks(items: Iterable[Item], benchmarks: Mapping[str, Iterable[Item]]) -> dict[str, str]:
    """Return the training items whose normalised prompt stands in a benchmark: item id → the first such benchmark."""
    texts: dict[str, str] = {}
    for name, benchmark in benchmarks.items():
        for item in benchmark:
            texts.setdefault(normalise(item.turns[0]), name)
    folded = ((item.id, normalise(item.turns[0])) for item in items)
    return {item: texts[prompt] for item, prompt in folded if prompt in texts}


def warnings(rows: Iterable[Overlap]) -> list[str]:
    """Return one sentence per pair of sets that share prompts, in the order of the rows; an empty list means none do.

    A pair with a note (both sets come from one file) is no surprise and is left out.
    """
    pairs: dict[tuple[str, str], dict[str, Overlap]] = {}
    for row in rows:
        if not row.note:
            pairs.setdefault((row.training, row.benchmark), {})[row.kind] = row
    return [_sentence(by_kind) for by_kind in pairs.values() if any(row.n_overlap for row in by_kind.values())]


def affected(rows: Iterable[Overlap]) -> list[str]:
    """Return the benchmarks that a warning is about, each once."""
    return list(dict.fromkeys(row.benchmark for row in rows if row.n_overlap and not row.note))


def _sentence(by_kind: Mapping[str, Overlap]) -> str:
    folded, normalised, runs = (by_kind[kind] for kind in ("folded", "normalised", "13gram"))
    unlike = normalised.n_overlap != folded.n_overlap
    without = f" ({normalised.n_overlap} when punctuation is ignored)" if unlike else ""
    short = f", {runs.too_short} are too short to tell" if runs.too_short else ""
    return (
        f"{folded.benchmark}: {folded.n_overlap} of its {folded.n_benchmark_prompts} prompts, in "
        f"{folded.n_items} items, also stand in {folded.training}, which has {folded.n_training_prompts}"
        f"{without}; {runs.n_overlap} share a run of {RUN} words with it{short}."
    )
