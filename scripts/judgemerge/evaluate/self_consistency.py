"""Whether a judge agrees with itself: over runs, within a set of pairs, and between grading and comparing.

- alpha_runs: Krippendorff's alpha (ordinal) over several draws of the same grades. For a benchmark that holds several
  scores of its own judge (`extra.gpt4_scores`) that judge's alpha is given as well, for comparison.
- transitivity: among three answers to one instruction of which all pairs were judged, the share of triples without a
  circle, in the original order. Triples with an equal verdict can neither contradict nor agree: they are a share of
  their own (`equal_triples`) and not in the first one. A triple with an error is left out and counted in errors.
- pair_minus_from_grades: accuracy as a comparer minus accuracy by comparing own grades, on pairs without a human tie.
- redrawn: the share of replies that were drawn more than once because they could not be read; `redraws` counts draws.
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.counts import divide
from judgemerge.evaluate.estimates import UNDEFINED, Estimate, Measurement, draw_sample, estimate, proportion
from judgemerge.evaluate.verdict_arrays import ERROR, FIRST, SECOND, TIE, benchmark_arrays, judge_arrays
from judgemerge.judge import sampling
from judgemerge.prompting.parsers import ReplySettings
from judgemerge.prompting.parsing import Reply
from judgemerge.settings.report import Statistics

RECORDED = "recorded_scores"


def ordinal_alpha(coincidences: np.ndarray) -> np.ndarray:
    """Return Krippendorff's alpha (ordinal) of coincidence matrices (n_levels, n_levels, ...) → (...).

    Levels are in ascending order; NaN when there are no two different values (Krippendorff 2019, chapter 12).
    """
    totals = coincidences.sum(axis=1)
    n = totals.sum(axis=0)
    below = np.cumsum(totals, axis=0) - totals / 2
    distance = (below[:, None] - below[None, :]) ** 2
    observed = (coincidences * distance).sum(axis=(0, 1))
    expected = divide((totals[:, None] * totals[None, :] * distance).sum(axis=(0, 1)), n - 1)
    return 1 - divide(observed, expected)


def alpha_row(items: Sequence[Item], values: Mapping[str, Sequence[float]], settings: Statistics) -> Measurement:
    """Return alpha over the values of each item, by item id; items with fewer than two do not count."""
    several_rated = [item for item in items if len(values.get(item.id, ())) > 1]
    n, errors = len(several_rated), len(items) - len(several_rated)
    if not several_rated:
        return Measurement.of("alpha_runs", UNDEFINED, n, errors, "no item has two readable runs")
    levels = sorted({value for item in several_rated for value in values[item.id]})
    place = {value: index for index, value in enumerate(levels)}
    cells = np.zeros((len(several_rated), len(levels), len(levels)))
    for index, item in enumerate(several_rated):
        codes = [place[value] for value in values[item.id]]
        for one, other in itertools.permutations(range(len(codes)), 2):
            cells[index, codes[one], codes[other]] += 1 / (len(codes) - 1)
    sample = draw_sample([item.cluster for item in several_rated], f"{items[0].benchmark}/alpha_runs", settings)
    counts = sample.count(*cells.reshape(len(several_rated), -1).T)
    shape = (len(levels), len(levels))
    result = estimate(sample, counts, lambda sums: ordinal_alpha(sums.reshape(*shape, *sums.shape[1:])))
    return Measurement.of("alpha_runs", result, n, errors, "" if len(levels) > 1 else "every score is the same")


def transitivity_rows(
    items: Sequence[Item], verdicts: Sequence[Verdict], judge: str, settings: Statistics
) -> list[Measurement]:
    """Return transitivity and the share of triples with an equal verdict; nothing when no three pairs close."""
    benchmark = benchmark_arrays(items)
    outcomes = judge_arrays(benchmark, judge, verdicts).codes[:, 0]
    graphs: dict[str, dict] = defaultdict(dict)
    for item, code in zip(benchmark.items, outcomes, strict=True):
        if not item.judgeable:
            continue
        one, other = item.responses
        graphs[item.cluster][(one, other)] = code
        graphs[item.cluster][(other, one)] = {FIRST: SECOND, SECOND: FIRST}.get(code, code)
    clusters, kinds = [], []
    for cluster, edges in graphs.items():
        answers = sorted({answer for edge in edges for answer in edge})
        for triple in itertools.combinations(answers, 3):
            sides = [(triple[0], triple[1]), (triple[1], triple[2]), (triple[2], triple[0])]
            if all(side in edges for side in sides):
                clusters.append(cluster)
                kinds.append(_triple([edges[side] for side in sides]))
    if not kinds:
        return []
    kind = np.array(kinds)
    name = f"{benchmark.benchmark}/transitivity"
    decisive, read = np.isin(kind, ("line", "circle")), kind != "error"
    errors = int((~read).sum())
    rows = []
    for metric, among, hit in (("transitivity", decisive, "line"), ("equal_triples", read, "equal")):
        sample = draw_sample([cluster for cluster, keep in zip(clusters, among, strict=True) if keep], name, settings)
        value = proportion(sample, kind[among] == hit) if among.any() else UNDEFINED
        note = "" if among.any() else "no triple has three readable, decisive verdicts"
        rows.append(Measurement.of(metric, value, int(among.sum()), errors, note))
    return rows


def _triple(codes: Sequence[int]) -> str:
    if ERROR in codes:
        return "error"
    if TIE in codes:
        return "equal"
    return "circle" if len(set(codes)) == 1 else "line"


def gap_row(
    items: Sequence[Item], pair: Sequence[Verdict], from_grades: Sequence[Verdict], judge: str, settings: Statistics
) -> Measurement:
    """Return accuracy by comparing minus accuracy by grading both answers, on the same pairs, both orders alike."""
    benchmark = benchmark_arrays(items)
    decisive = benchmark.truth != TIE
    outcomes = [judge_arrays(benchmark, judge, verdicts).codes[decisive] for verdicts in (pair, from_grades)]
    hits = [(codes == benchmark.truth[decisive][:, None]).mean(axis=1) for codes in outcomes]
    clusters = [item.cluster for item, keep in zip(benchmark.items, decisive, strict=True) if keep]
    # The former name of the metric: another one would draw other samples.
    sample = draw_sample(clusters, f"{benchmark.benchmark}/pair_minus_singly", settings)
    counts = sample.count(hits[0] - hits[1], np.ones(len(clusters)))
    value = estimate(sample, counts, lambda sums: divide(sums[0], sums[1])) if clusters else UNDEFINED
    note = f"{hits[0].mean():.3f} comparing, {hits[1].mean():.3f} by two grades" if clusters else "every pair is a tie"
    errors = int((outcomes[0] == ERROR).any(axis=1).sum() + (outcomes[1] == ERROR).any(axis=1).sum())
    return Measurement.of("pair_minus_from_grades", value, len(clusters), errors, note)


def redraw_rows(items: Sequence[Item], draws: Sequence[tuple[str, int]], settings: Statistics) -> list[Measurement]:
    """Return the share of replies drawn again, and how many further draws; `draws` holds (item, number of draws)."""
    cluster = {item.id: item.cluster for item in items}
    n_draws = np.array([number for _, number in draws])
    sample = draw_sample([cluster[item] for item, _ in draws], f"{items[0].benchmark}/redrawn", settings)
    total = Estimate(float((n_draws - 1).sum()), np.nan, np.nan)
    return [
        Measurement.of("redrawn", proportion(sample, n_draws > 1), len(draws)),
        Measurement.of("redraws", total, len(draws), note="a count: no interval"),
    ]


def recorded_rows(items: Sequence[Item], settings: Statistics) -> list[Measurement]:
    """Return the alpha of the scores that the benchmark's own judge gave, where it gave several."""
    every = {item.id: item.extra.get("gpt4_scores", ()) for item in items}
    scores = {item: values for item, values in every.items() if len(values) > 1}
    return [alpha_row(items, scores, settings)] if scores else []


def judge_rows(
    items: Sequence[Item],
    verdicts: Mapping[tuple[str, str], Sequence[Verdict]],
    judge: str,
    graded_by: str | None,
    replies: Sequence[Reply] | None,
    reply: ReplySettings | None,
    settings: Statistics,
) -> list[Measurement]:
    """Return all rows of one judge on the items of one benchmark; `verdicts` are by judge and benchmark.

    `graded_by` is the judge whose grades a derived judge compares; `replies` are what a sampled judge wrote, to be read
    as `reply` says.
    """
    benchmark = items[0].benchmark
    of_judge = verdicts[judge, benchmark]
    rows = transitivity_rows(items, of_judge, judge, settings) if items[0].protocol == "pairwise" else []
    if graded_by and (graded_by, benchmark) in verdicts:
        rows.append(gap_row(items, verdicts[graded_by, benchmark], of_judge, graded_by, settings))
    return rows + ([] if replies is None else _sampled_rows(items, replies, reply, settings))


def _sampled_rows(
    items: Sequence[Item], replies: Sequence[Reply], reply: ReplySettings, settings: Statistics
) -> list[Measurement]:
    rows = redraw_rows(items, [(row.item, row.draws or 1) for row in replies], settings)
    return [*rows, *alpha_of_replies(items, replies, reply, settings)]


def alpha_of_replies(
    items: Sequence[Item], replies: Sequence[Reply], reply: ReplySettings, settings: Statistics
) -> list[Measurement]:
    """Return alpha over the runs of sampled grades; nothing where there was one run."""
    runs = sampling.by_run(replies, reply)
    if len(runs) < 2:
        return []
    scores: dict[str, list[float]] = {}
    for verdict in (verdict for verdicts in runs.values() for verdict in verdicts if verdict.score is not None):
        scores.setdefault(verdict.item, []).append(verdict.score)
    return [alpha_row(items, scores, settings)]
