"""The paired difference of a judge under two prompts: by hand, against comparisons.csv, and on the page."""

import numpy as np
import pytest
from report_cases import FIGURES
from scipy import stats

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.comparisons import compare_benchmark
from judgemerge.evaluate.variants import Pair, variant_rows, with_holm
from judgemerge.report.tables import variants as page
from judgemerge.settings.report import Statistics

FEW = Statistics(resamples=300, seed=3)
PAIR = Pair("bare", "near", "near_bare", "long", "short")


@pytest.fixture(scope="module")
def graded():
    rng = np.random.default_rng(4)
    truth = rng.integers(1, 6, 60).astype(float)
    items = [
        Item(f"{n:02}", "grades", "pointwise", ("q",), (("a",),), value, f"c{n // 2}", {"source": "m", "row": n})
        for n, value in enumerate(truth)
    ]
    said = {}
    for name, spread in (("near", 0.4), ("near_bare", 2.0)):
        scores = truth + rng.normal(0, spread, 60)
        said[name] = [
            Verdict(item.id, "original", "score", score=score) for item, score in zip(items, scores, strict=True)
        ]
    said["near_bare"][7] = Verdict("07", "original", "error", reason="no_score")
    return items, said, with_holm(variant_rows(items, said, [PAIR], FEW))


def test_both_values_and_their_difference_are_those_of_the_other_tables(graded):
    items, said, table = graded
    rows = {(row.asked, row.metric): row for row in table.itertuples()}
    read = [verdict for verdict in said["near_bare"] if verdict.score is not None]
    truth = {item.id: item.truth for item in items}
    expected = stats.pearsonr([truth[one.item] for one in read], [one.score for one in read])[0]
    assert rows["variant", "pearson"].value == pytest.approx(expected, abs=1e-6)
    gap = rows["variant_minus_usual", "pearson"]
    assert gap.value == pytest.approx(rows["variant", "pearson"].value - rows["usual", "pearson"].value, abs=2e-6)
    assert gap.ci_low < gap.value < gap.ci_high < 0 and gap.p < 0.05
    assert (gap.n, gap.errors, rows["usual", "pearson"].errors) == (60, 1, 0)
    compared = compare_benchmark(items, {name: said[name] for name in ("near_bare", "near")}, FEW)
    other = compared[compared.metric == "spearman"].iloc[0]
    ours = rows["variant_minus_usual", "spearman"]
    assert (ours.value, ours.p) == (pytest.approx(other.difference, abs=1e-6), pytest.approx(other.p, abs=1e-6))


def test_the_correction_is_over_what_one_variant_was_tried_on(graded):
    items, said, _ = graded
    more = {**said, "far": said["near"], "far_bare": said["near_bare"]}
    pairs = [PAIR, PAIR._replace(judge="far", other="far_bare")]
    table = with_holm(variant_rows(items, more, pairs, FEW))
    gaps = table[table.metric.eq("pearson") & table.p.notna()]
    assert list(gaps.p_holm) == pytest.approx(list(np.minimum(1, 2 * gaps.p)), abs=1e-5)


def test_pairs_are_compared_in_both_orders():
    items = [
        Item(str(n), "pairs", "pairwise", ("q",), (("a",), ("b",)), "first", str(n), {"source": "m", "row": n})
        for n in range(8)
    ]
    right = [Verdict(item.id, order, "first") for item in items for order in ("original", "swapped")]
    half = [Verdict(one.item, one.order, "first" if one.order == "original" else "second") for one in right]
    table = variant_rows(items, {"near": right, "near_bare": half}, [PAIR], FEW)
    assert list(table.value) == [1.0, 0.5, -0.5]
    assert table.note.iloc[2] == "the same in every resample, or one prompt only: no test"


def test_page_figure_and_first_page_say_the_same(graded):
    *_, table = graded
    ((title, text),) = page.sections(table)
    assert title == "bare" and "grades (n = 60)" in text and "variant (short)" in text
    (finding,) = page.findings(table, {})
    assert "Under bare, near on grades changes most: Pearson -0.3" in finding.sentences[0]
    assert "(n 60, 1 errors)" in finding.sentences[0]
    figure = FIGURES["variants"](table, {"near": "base"}, ())
    assert figure.axes[0].get_title().startswith("bare") and "variants" in page.TABLE.figures
