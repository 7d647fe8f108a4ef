"""Pages and figures of juries and cascades, and of merges beside the juries of their parents."""

import dataclasses
import re

import numpy as np
import pytest
from agreement_cases import both, pair, point, said
from matplotlib import pyplot as plt
from report_cases import FIGURES, MODULES

from judgemerge.core.frames import read_table, write_table
from judgemerge.evaluate import juries, merge_worth
from judgemerge.evaluate.judging_costs import Cost
from judgemerge.judge import juries as voting
from judgemerge.report import markup
from judgemerge.settings.report import Statistics

EVIL = "<b>a & [b]</b>"
SETTINGS = Statistics(resamples=100)
OTHER = {"first": "second", "second": "first"}


def judged(**skills):
    """Return pairs, and judges that are right so often."""
    rng = np.random.default_rng(1)
    items = [pair(number, str(rng.choice(["first", "second"])), benchmark="pairs") for number in range(60)]
    verdicts = {}
    for name, skill in skills.items():
        answers = [item.truth if rng.random() < skill else OTHER[item.truth] for item in items]
        verdicts[name] = both(items, answers, answers)
    return items, verdicts


def read_back(table, folder, name):
    write_table(folder / f"{name}.csv", table)
    return read_table(folder / f"{name}.csv")


@pytest.fixture(scope="module")
def panels(tmp_path_factory):
    """Return the table of a jury and a cascade on pairs, a jury on grades, and one that could not judge."""
    items, verdicts = judged(**{EVIL: 0.9, "two": 0.7, "three": 0.6})
    members = list(verdicts)
    jury = list(voting.verdicts_of("majority", items, verdicts, {}))
    answered = {item.id for item in items[:20]}
    cascade = [dataclasses.replace(one, raw=EVIL) for one in verdicts[EVIL] if one.item in answered]
    cascade += [said(item, "error", order) for item in items[20:] for order in ("original", "swapped")]
    costs = {EVIL: Cost(120.0, 0.25), "two": Cost(100.0, 0.5), "three": Cost(note="recorded elsewhere")}
    of_pairs = [
        juries.PanelOfJudges("jury", members, costs=costs),
        juries.PanelOfJudges("cascade", members, 0.8, costs),
    ]
    rows = list(juries.benchmark_rows(items, {**verdicts, "jury": jury, "cascade": cascade}, of_pairs, SETTINGS))
    grades = [dataclasses.replace(point(number, float(number % 5)), benchmark="grades") for number in range(50)]
    graded = {name: [said(item, item.truth + number % 3) for number, item in enumerate(grades)] for name in "ab"}
    graded["jury"] = list(voting.verdicts_of("mean", grades, graded, {}))
    of_grades = [juries.PanelOfJudges("jury", ["a", "b"], costs=dict.fromkeys("ab", Cost(1.0, 1.0)))]
    rows += juries.benchmark_rows(grades, graded, of_grades, SETTINGS)
    rows.append(juries.Row("broken", "pairs", "agreement", float("nan"), note="not judged: member x: no file"))
    return read_back(juries.table_of(rows), tmp_path_factory.mktemp("tables"), "panels")


def test_each_benchmark_has_its_panels_members_and_cascades(panels):
    sections = MODULES["panels"].TABLE.sections(panels, ["cascade", "jury"])
    assert [heading for heading, _ in sections] == ["pairs", "grades"]
    pairs, grades = (text for _, text in sections)
    assert "<h3>Members</h3>" in pairs and "<h3>Who answers</h3>" in pairs and "Who answers" not in grades
    assert re.search(r"of 3</td>", pairs) and re.search(r"of 2</td>", grades)
    assert "recorded elsewhere" in pairs and "not judged: member x: no file" in pairs
    page = markup.page("title", "intro", sections)
    assert EVIL not in page and "&lt;b&gt;a &amp; [b]&lt;/b&gt;" in page


def test_the_first_page_says_what_panels_are_worth(panels):
    (finding,) = MODULES["panels"].TABLE.findings(panels, {})
    jury, cascade, grades = finding.sentences
    assert jury.startswith("pairs, jury: accuracy 0.") and "votes of 3; minus its best member: " in jury
    assert cascade.startswith("pairs, cascade: answers 33% of 60 items, of these right ") and "target 0.8" in cascade
    assert grades.startswith("grades, jury: spearman ")


def test_the_first_page_says_whether_a_merge_is_worth_it(merges):
    (finding,) = MODULES["merge_or_jury"].TABLE.findings(merges, {})
    assert finding.sentences[0].startswith(f"pairs, 1 merge of {EVIL}, two: clearly ahead of the best parent: 0")
    assert "of the joint: 0" in finding.sentences[0] and len(finding.sentences) == 3
    assert MODULES["merge_or_jury"].TABLE.findings(merges.assign(value=np.nan), {}) == []


def shown(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def test_a_panel_stands_above_its_best_member_with_the_votes_it_is_worth(panels):
    figure = FIGURES["panels"](panels, {"jury": "jury", "cascade": "cascade"}, [])
    titles = [axes.get_title() for axes in shown(figure)]
    assert titles == ["pairs (n = 60)", "grades (n = 50)"]
    written = {text.get_text() for axes in shown(figure) for text in axes.texts}
    votes = panels[(panels.metric == "effective_votes") & panels.value.notna()].value
    assert {f"{value:.1f}" for value in votes} <= written
    plt.close(figure)


def test_panels_without_a_verdict_are_an_empty_figure_that_says_so(panels):
    figure = FIGURES["panels"](panels[panels.judge == "broken"], {}, [])
    assert "no jury and no cascade has a verdict" in "".join(text.get_text() for text in figure.texts)
    plt.close(figure)


@pytest.fixture(scope="module")
def merges(tmp_path_factory):
    """Return the table of a family with joint training, and of one without that lacks a parent."""
    items, verdicts = judged(**{EVIL: 0.9, "two": 0.7, "merged": 0.8, "joint": 0.85, "other": 0.6})
    tokens = dict.fromkeys(verdicts, 100.0)
    with_joint = merge_worth.Family([EVIL, "two"], ["merged"], ["joint"], "", ["two"], tokens)
    without = merge_worth.Family([EVIL, "gone"], ["other"], [], "no expert is trained on both", [], tokens)
    rows = merge_worth.benchmark_rows(items, verdicts, [with_joint, without], SETTINGS, 1)
    return read_back(merge_worth.table_of(list(rows)), tmp_path_factory.mktemp("tables"), "merge_or_jury")


def test_each_family_has_its_contenders_and_what_the_merge_gains(merges):
    ((heading, text),) = MODULES["merge_or_jury"].TABLE.sections(merges, [])
    assert heading == "pairs" and text.count("<h3>Merges of") == 2 and text.count("<h3>Merge minus") == 2
    assert "no expert is trained on both" in text and "not trained on pairwise items" in text
    assert EVIL not in markup.page("title", "intro", [(heading, text)])


def test_who_asks_several_models_is_hollow_and_says_how_many(merges):
    figure = FIGURES["merge_or_jury"](merges, {EVIL: "expert", "merged": "merge"}, [])
    first = shown(figure)[0]
    names = [first.yaxis.get_major_formatter()(tick, number) for number, tick in enumerate(first.get_yticks())]
    assert "jury of the parents (2 models)" in names and "joint" in names and "merged" in names
    faces = {
        names[round(line.get_ydata()[0])]: line.get_markerfacecolor()
        for line in first.lines
        if line.get_marker() == "o"
    }
    assert faces["jury of the parents (2 models)"] == "white" != faces["merged"]
    words = " ".join(" ".join(text.get_text().split()) for text in figure.texts)
    assert "no joint training: no expert is trained on both" in words and "two: not trained on pairwise items" in words
    plt.close(figure)


def test_no_merge_is_an_empty_figure_that_says_so(merges):
    figure = FIGURES["merge_or_jury"](merges.assign(value=np.nan), {}, [])
    assert "no merge has a verdict" in "".join(text.get_text() for text in figure.texts)
    plt.close(figure)
