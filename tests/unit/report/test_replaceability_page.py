"""The page and the figure of replaceability.csv: the answers on top, a panel per benchmark with a test."""

import re

import numpy as np
import pytest
from agreement_cases import both, pair
from matplotlib import pyplot as plt
from report_cases import FIGURES, MODULES

from judgemerge.core.frames import read_table, write_table
from judgemerge.evaluate import replaceability
from judgemerge.report import drawing, markup
from judgemerge.settings.report import Statistics

EVIL = "<b>a & [b]</b>"
CLASSES = ("first", "second", "tie")


def item_set(n, people, benchmark, seed=1):
    rng = np.random.default_rng(seed)
    truths = [str(truth) for truth in rng.choice(CLASSES, n)]
    items = [
        pair(i, truth, votes=[(who, truth) for who in people], benchmark=benchmark) for i, truth in enumerate(truths)
    ]
    return items, truths


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Return the table of a panel of three, of two people, and of single labels, as it is read back from its file."""
    settings, rows = Statistics(resamples=100), []
    for name, people in (("three", ("ann", "bob", EVIL)), ("two", ("ann", "bob")), ("alone", ())):
        items, truths = item_set(60, people, name)
        guesses = [str(guess) for guess in np.random.default_rng(2).choice(CLASSES, 60)]
        verdicts = {EVIL: both(items, truths, truths), "random": both(items, guesses, guesses)}
        rows += replaceability.benchmark_rows(items, verdicts, 0.2, settings)
    path = tmp_path_factory.mktemp("tables") / "replaceability.csv"
    write_table(path, replaceability.table_of(rows))
    return read_table(path)


def text_of(table):
    sections = MODULES["replaceability"].TABLE.sections(table, ["random", EVIL])
    return sections, markup.page("title", "intro", sections)


def test_the_answers_stand_on_top_in_the_order_of_the_study(table):
    sections, _ = text_of(table)
    assert [heading for heading, _ in sections] == [
        "The answers",
        "three",
        "two",
        "Other benchmarks: what raw agreement hides",
    ]
    answers = sections[0][1]
    assert answers.index("no: of three annotators it beats none") < answers.index(
        "yes: of three annotators it beats all"
    )
    assert "<b>two</b>: no answer: 2 of 2 annotators labelled 30 items" in answers
    assert answers.count("no answer: no item has the labels of two people") == 1


def test_a_benchmark_shows_kappas_every_epsilon_and_every_person(table):
    section = dict(text_of(table)[0])["three"]
    assert section.count("<summary>") == 2 and "ε = 0.15" in section
    assert "agreement − kappa, points" in section and "kappa among people" in section
    assert len(re.findall("<td>ann</td>", section)) == 2


def test_names_are_escaped(table):
    _, page = text_of(table)
    assert EVIL not in page and "&lt;b&gt;a &amp; [b]&lt;/b&gt;" in page


def test_the_figure_has_a_panel_per_benchmark_with_a_test_and_fills_the_marks_of_those_who_pass(table):
    drawing.use_style()
    figure = FIGURES["replaceability"](table, {"random": "baseline"}, [])
    assert [axes.get_title() for axes in figure.axes] == ["three (n = 60)"]
    marks = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    hollow = {names[int(line.get_ydata()[0])]: line.get_markerfacecolor() == "white" for line in marks}
    assert hollow == {"random": True, EVIL: False}
    plt.close(figure)


def test_without_a_panel_the_figure_says_so(table):
    drawing.use_style()
    figure = FIGURES["replaceability"](table[table.benchmark == "alone"], {}, [])
    assert "no benchmark has three people" in " ".join(text.get_text() for text in figure.texts)
    plt.close(figure)
