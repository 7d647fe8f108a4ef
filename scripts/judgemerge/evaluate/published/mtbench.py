"""MT-Bench votes (Zheng et al. 2023, arXiv:2306.05685; compute_agreement.py of lmsys/mt_bench_human_judgments)."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from judgemerge.evaluate.humans import combined_codes, vote_agreement
from judgemerge.evaluate.published import HUMANS, Case, Row
from judgemerge.evaluate.published._cells import kappa, rate
from judgemerge.evaluate.verdict_arrays import ERROR, NOT_ASKED, TIE, benchmark_arrays, judge_arrays

INCONSISTENT = "tie (inconsistent)"


def rows(case: Case) -> Iterator[Row]:
    """Yield agreement over single votes per turn, with and without ties, and agreement with the majority.

    Every vote on a pair is one comparison; people are compared among themselves over all pairs of votes on one pair. A
    judge has one verdict from both orders: different ones are a tie. "Without ties" drops a comparison when either side
    is a tie. All votes count, also on pairs whose texts are not public, but a judge only where it has a verdict.
    `[decisive]` leaves out the pairs where the verdict or the majority is a tie.
    """
    for turn in sorted({item.extra["turn"] for item in case.items}):
        items = [item for item in case.items if item.extra["turn"] == turn]
        ids = {item.id for item in items}
        verdicts = {
            judge: [one for one in recorded_verdicts if one.item in ids]
            for judge, recorded_verdicts in case.verdicts.items()
        }
        for one in vote_agreement(items, verdicts).itertuples():
            judge = HUMANS if one.rater == "human" else one.rater
            part = f"[turn {turn}, {one.setting}]"
            yield Row(judge, f"vote_agreement{part}", one.value, one.n, one.errors)
            yield Row(judge, f"comparisons{part}", one.n, one.n, one.errors)
    yield from _majority(case)
    for judge, counts in case.counts.items():
        recorded_verdicts = counts.get("values", {}).get("verdicts", {})
        if INCONSISTENT in recorded_verdicts:
            total = sum(recorded_verdicts.values())
            yield Row(judge, "inconsistent_rate", recorded_verdicts[INCONSISTENT] / total, total)


def _majority(case: Case) -> Iterator[Row]:
    """Yield agreement and kappa with the majority of the votes on a pair."""
    for judge, verdicts in case.verdicts.items():
        with_verdict = {one.item for one in verdicts if one.reason not in NOT_ASKED}
        items = [item for item in case.items if item.id in with_verdict]
        if not items:
            continue
        benchmark = benchmark_arrays(items, judgeable_only=False)
        outcomes = judge_arrays(benchmark, judge, [one for one in verdicts if one.item in with_verdict])
        codes = combined_codes(outcomes)
        decisive = (benchmark.truth != TIE) & (codes != TIE)
        for part, in_part in (("", np.ones(len(codes), dtype=bool)), ("[decisive]", decisive)):
            truth, outcome = benchmark.truth[in_part], codes[in_part]
            row = rate(judge, f"majority_agreement{part}", truth == outcome, outcome == ERROR)
            yield row
            yield dataclasses.replace(row, metric=f"majority_kappa{part}", value=kappa(truth, outcome))
            yield dataclasses.replace(row, metric=f"majority_comparisons{part}", value=len(truth))
