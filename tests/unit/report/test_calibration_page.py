"""The page and figures of calibration.csv: raw beside calibrated, names escaped, judges in the order of the study."""

import numpy as np
import pytest
from agreement_cases import pair
from matplotlib import pyplot as plt
from report_cases import FIGURES, MODULES

from judgemerge.core.frames import read_table, write_table
from judgemerge.core.items import Verdict
from judgemerge.evaluate.calibration_rows import Row, Set, rows, table_of
from judgemerge.report import markup
from judgemerge.settings.report import Statistics

EVIL = "<b>a & [b]</b>"
KINDS = {"good": "model", EVIL: "recorded"}


def judged(name, n, seed):
    """Return a set on which one judge is right as often as it says, and one is always very sure."""
    rng = np.random.default_rng(seed)
    items = [pair(number, "first", benchmark=name) for number in range(n)]
    sure = rng.uniform(0.5, 1, n)
    said = np.where(rng.uniform(size=n) < sure, "first", "second")
    verdicts = {
        judge: [
            Verdict(item.id, "original", str(outcome), probabilities={str(outcome): float(probability)})
            for item, outcome, probability in zip(items, said, confidence, strict=True)
        ]
        for judge, confidence in (("good", sure), (EVIL, np.full(n, 0.99)))
    }
    return Set(name, items, verdicts)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Return the table of one benchmark with a development set and one without, as it is read back from its file."""
    settings = Statistics(resamples=100)
    lines = [
        *rows(judged("held", 90, 1), [judged("development", 80, 2)], settings),
        *rows(judged("alone", 40, 3), [], settings),
    ]
    path = tmp_path_factory.mktemp("tables") / "calibration.csv"
    write_table(path, table_of(lines))
    return read_table(path)


def test_the_columns_are_those_that_are_described():
    assert list(MODULES["calibration"].TABLE.columns) == list(Row._fields)


def test_a_section_per_benchmark_shows_raw_beside_calibrated(table):
    sections = MODULES["calibration"].TABLE.sections(table, [EVIL, "good"])
    assert [heading for heading, _ in sections] == ["held", "alone"]
    held, alone = (content for _, content in sections)
    assert "Calibrated, fitted on development: 80 to 80 items per judge" in held
    assert "ECE, temperature" in held and "ECE, isotonic" in held
    assert "Calibrated" not in alone
    assert held.index("&lt;b&gt;a &amp; [b]") < held.index("<td>good</td>")
    assert EVIL not in markup.page("title", "intro", sections)


def test_an_empty_table_says_so(table):
    ((_, content),) = MODULES["calibration"].TABLE.sections(table[:0], [])
    assert "No verdict has a probability" in content


def test_the_first_page_says_who_is_too_sure(table):
    (finding,) = MODULES["calibration"].TABLE.findings(table, KINDS)
    held, alone = finding.sentences
    assert held.startswith("Are judges of held as often right as they say? As right as they say: good; too sure: <b>a")
    assert held.endswith(" points.") and "of alone" in alone
    modest = table[table.metric == "overconfidence"].assign(value=-0.1, ci_low=-0.2, ci_high=-0.05)
    (finding,) = MODULES["calibration"].TABLE.findings(modest, KINDS)
    assert "Too modest: good by 10 points" in finding.sentences[0]
    assert MODULES["calibration"].TABLE.findings(table[:0], KINDS) == []


@pytest.mark.parametrize("name", ["reliability", "risk_coverage"])
def test_the_figures_have_a_panel_for_everything(table, name):
    figure = FIGURES[name](table, KINDS, [])
    panels = [axes.get_title() for axes in figure.axes if axes.get_visible()]
    plt.close(figure)
    if name == "risk_coverage":
        assert panels == ["held", "alone"]
    else:
        assert panels == [f"{judge}\n{benchmark}" for benchmark in ("held", "alone") for judge in ("good", EVIL)]
    empty = FIGURES[name](table[:0], KINDS, [])
    assert not any(axes.get_visible() for axes in empty.axes)
    plt.close(empty)
