"""Correlations of systems and within prompts: against SciPy, and what is said where there is nothing to say."""

import numpy as np
import pytest
from agreement_cases import point, said
from scipy import stats

from judgemerge.evaluate.score import TOO_NARROW, score_benchmark
from judgemerge.settings.report import Statistics

CORRELATION = {"pearson": stats.pearsonr, "spearman": stats.spearmanr, "kendall": stats.kendalltau}


def summaries(n_prompts=12, n_systems=5, seed=0, **more):
    """Return items of several systems' answers to the same prompts, and noisy scores; some prompts are constant."""
    rng = np.random.default_rng(seed)
    items, scores = [], []
    for prompt in range(n_prompts):
        for system in range(n_systems):
            grade = 3.0 if prompt < 2 else float(np.clip(np.round(system / 2 + rng.normal() + 2), 1, 5))
            number = len(items)
            items.append(point(number, grade, cluster=prompt, models=(f"system{system}",), **more))
            scores.append(float(np.round(grade + rng.normal())))
    return items, scores


def table(items, scores, **statistics):
    verdicts = [said(item, score) for item, score in zip(items, scores, strict=True)]
    return score_benchmark(items, {"judge": verdicts}, Statistics(resamples=400, **statistics)).set_index("metric")


@pytest.mark.parametrize("name", CORRELATION)
def test_both_levels_are_those_of_scipy(name):
    items, scores = summaries()
    truth, score = (np.reshape(side, (12, 5)) for side in ([item.truth for item in items], scores))
    found = table(items, scores)
    system = found.loc[f"{name}_system"]
    assert system["value"] == pytest.approx(CORRELATION[name](truth.mean(axis=0), score.mean(axis=0))[0])
    assert (system["n"], system["clusters"]) == (5, 12)
    assert system["note"] == f"12 clusters that say as much as 12.0 equal ones: {TOO_NARROW}"
    defined = [(t, s) for t, s in zip(truth, score, strict=True) if np.ptp(t) and np.ptp(s)]
    summary = found.loc[f"{name}_summary"]
    assert summary["value"] == pytest.approx(np.mean([CORRELATION[name](t, s)[0] for t, s in defined]))
    assert summary["n"] == len(defined) == 10
    assert summary["note"] == "2 of 12 groups left out: constant, or fewer than two readable scores"
    for row in (system, summary):
        assert row["ci_low"] < row["value"] < row["ci_high"] or row["value"] == 1


@pytest.mark.parametrize(("scale", "start"), [(1e-12, 0.0), (1e-200, 0.0), (1e40, 0.0), (1e-3, 1e6)])
def test_no_correlation_minds_the_scale_of_the_scores(scale, start):
    items, scores = summaries()
    usual, scaled = (
        table(items, numbers)["value"] for numbers in (scores, [start + scale * number for number in scores])
    )
    names = [name for name in usual.index if name.startswith(tuple(CORRELATION))]
    assert len(names) == 9
    assert list(scaled[names]) == pytest.approx(list(usual[names]), abs=1e-6)


def test_the_interval_of_the_summary_level_is_that_of_a_mean_over_prompts():
    items, scores = summaries(n_prompts=60, seed=1)
    row = table(items, scores).loc["spearman_summary"]
    truth, score = (np.reshape(side, (60, 5)) for side in ([item.truth for item in items], scores))
    own = [stats.spearmanr(t, s)[0] for t, s in zip(truth[2:], score[2:], strict=True) if np.ptp(s) and np.ptp(t)]
    half = stats.t.ppf(0.975, len(own) - 1) * np.std(own, ddof=1) / np.sqrt(len(own))
    assert (row["ci_high"] - row["ci_low"]) / 2 == pytest.approx(half, rel=0.25)


def test_groups_may_be_categories():
    items, scores = summaries(category="code")
    others, more = summaries(seed=5, category="maths")
    for number, item in enumerate(others):
        object.__setattr__(item, "id", f"other{number:03d}")
    found = table([*items, *others], [*scores, *more], group_by="category")
    own = [stats.spearmanr([i.truth for i in part], s)[0] for part, s in ((items, scores), (others, more))]
    assert found.loc["spearman_summary", "value"] == pytest.approx(np.mean(own))
    assert found.loc["spearman_summary", "n"] == 2


def test_unread_scores_are_left_out_on_both_sides():
    items, scores = summaries()
    verdicts = [said(item, s) for item, s in zip(items, scores, strict=True)]
    lost = [verdict for verdict, item in zip(verdicts, items, strict=True) if item.models != ("system4",)]
    found = score_benchmark(items, {"judge": lost}, Statistics(resamples=100)).set_index("metric")
    truth, score = (np.reshape(side, (12, 5))[:, :4] for side in ([item.truth for item in items], scores))
    assert found.loc["spearman_system", "value"] == pytest.approx(
        stats.spearmanr(truth.mean(axis=0), score.mean(axis=0))[0]
    )
    assert found.loc["spearman_system", "n"] == 4
    assert found.loc["spearman_system", "note"] == "1 systems without a readable score are left out"
    assert found.loc["spearman_system", "errors"] == 12


def test_without_systems_there_is_no_such_row():
    items = [point(i, float(i % 4), cluster=i // 2) for i in range(20)]
    assert not table(items, [item.truth + 1 for item in items]).index.str.contains("system|summary").any()


def test_constant_scores_say_why_there_is_no_value():
    items, scores = summaries()
    found = table(items, [2.0] * len(scores))
    for metric in ("kendall_system", "kendall_summary"):
        assert np.isnan(found.loc[metric, "value"])
        assert found.loc[metric, "note"] == "fewer than two systems or groups with different grades and scores"
