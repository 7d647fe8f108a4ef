"""The pages of the report: which rows they show, that names are escaped, and that a missing value says why."""

import re

import numpy as np
import pandas as pd
import pytest
from agreement_cases import both, pair, point, said

from judgemerge.core.frames import read_table
from judgemerge.evaluate import comparisons, score, tables
from judgemerge.report import making, markup
from judgemerge.report.table import Column
from judgemerge.report.tables import agreement, bias, humans, score_consistency
from judgemerge.report.tables import comparisons as comparison_pages
from judgemerge.settings.report import Statistics

EVIL = "<script>alert(1)</script>"
FEW = Statistics(resamples=100)
CLASSES = ("first", "second", "tie")


def items(benchmark="bench", annotators=("ann", "bob", EVIL)):
    rng = np.random.default_rng(1)
    return [
        pair(
            i,
            CLASSES[i % 3],
            votes=[(name, str(rng.choice(CLASSES))) for name in annotators],
            category=EVIL if i % 2 else "code",
            models=("gpt", "other"),
            responses=(("a" * (i + 1),), ("b" * 9,)),
            benchmark=benchmark,
        )
        for i in range(30)
    ]


def verdicts(item_set, judges):
    rng = np.random.default_rng(2)
    return {
        judge: both(item_set, *([str(rng.choice(CLASSES)) for _ in item_set] for _ in range(2))) for judge in judges
    }


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Return the four tables of one benchmark and three judges, one with a name that is HTML, as read from CSV."""
    item_set = items()
    spoken = verdicts(item_set, ["judge", EVIL])
    spoken["one_order"] = [verdict for verdict in spoken["judge"] if verdict.order == "original"]
    made = {
        "agreement": score.score_benchmark(item_set, spoken, Statistics(resamples=100)),
        "comparisons": comparisons.compare_benchmark(item_set, spoken, Statistics(resamples=100)),
        "humans": tables.human_table(item_set, spoken, FEW),
        "bias": tables.bias_table(item_set, spoken, {"judge": ["gpt"]}, FEW),
    }
    folder = tmp_path_factory.mktemp("tables")
    for name, table in made.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return {name: read_table(folder / f"{name}.csv") for name in made}


SECTIONS = {
    "agreement": agreement.sections,
    "comparisons": comparison_pages.sections,
    "humans": humans.sections,
    "bias": bias.sections,
}


def content(frames, name, judges=("one_order", "judge", EVIL)):
    """Return heading → HTML of a table's page."""
    return dict(SECTIONS[name](frames[name], list(judges)))


def cells(row):
    return [text.partition("</td>")[0] for text in row.split("<td>")[1:]]


@pytest.mark.parametrize("name", SECTIONS)
def test_names_are_escaped(frames, name):
    page = markup.page(EVIL, EVIL, SECTIONS[name](frames[name], ["judge", EVIL, "one_order"]))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize("name", SECTIONS)
def test_judges_come_in_the_order_of_the_study_and_none_is_lost(frames, name):
    bodies = "".join(content(frames, name).values()).split("<tbody>")[1:]
    rows = [cells(row)[0] for body in bodies for row in body.partition("</tbody>")[0].split("<tr>")[1:]]
    shown = [judge for judge in rows if judge in ("one_order", "judge", "&lt;script&gt;alert(1)&lt;/script&gt;")]
    assert shown[:3] == ["one_order", "judge", "&lt;script&gt;alert(1)&lt;/script&gt;"]
    unknown = "".join(content(frames, name, judges=["judge"]).values())
    assert "<td>one_order</td>" in unknown


def test_metrics_whose_intervals_may_be_too_narrow_are_named():
    item_set = [pair(i, CLASSES[i % 3], cluster=i // 3) for i in range(30)]
    table = score.score_benchmark(item_set, verdicts(item_set, ["judge"]), FEW)
    ((_, text),) = agreement.sections(table, ["judge"])
    (warning,) = re.findall("<p><b>([^<]*)</b>: 10 clusters that say as much as 10.0 equal ones", text)
    assert "kappa" in warning and "accuracy" not in warning


def test_the_matrix_has_row_minus_column(frames):
    table = frames["comparisons"]
    pairs = table[(table["metric"] == "accuracy_first") & table["test"].str.startswith("paired")]
    pairs = pairs.set_index(["judge_a", "judge_b"])
    html = content(frames, "comparisons")["bench (n = 30)"]
    assert "accuracy_first: row minus column" in html  # the metric that all three judges have
    matrix = html.partition("<tbody>")[2].partition("</tbody>")[0]
    first, second, _ = [cells(row) for row in matrix.split("<tr>")[1:]]
    forth, back = f"{pairs.loc[('judge', 'one_order'), 'difference']:+.3f}", "+0.000"
    assert forth in second[1] and back in first[2]  # the same verdicts in that order: no difference
    evil = pairs.loc[("judge", EVIL)]
    assert f"{evil['difference']:+.3f}" in second[3]
    assert f"[{evil['ci_low']:+.3f}, {evil['ci_high']:+.3f}]" in second[3]
    assert ("*" in second[3]) == bool(evil["p_holm"] < 0.05)


def test_the_prompts_of_judges_and_whose_words_they_are_are_shown():
    prompts = {
        EVIL: {"pairwise": "brief"},
        "mixed": {"pairwise": "brief", "pointwise": "paper"},
        "graded": {"pairwise": "paper"},
    }
    [(heading, text)] = agreement.prompt_sections(prompts, {"brief": "own", "paper": "published"})
    assert heading == "Prompts" and EVIL not in text
    rows = [re.findall("<td>(.*?)</td>", line)[1:] for line in text.split("<tr>")[2:]]
    assert rows == [
        ["brief", "", "own"],
        ["brief", "paper", "own (pairwise), published (pointwise)"],
        ["paper", "", "published"],
    ]
    assert agreement.prompt_sections({}, {}) == []


def test_every_pair_and_test_is_below_the_matrix(frames):
    html = content(frames, "comparisons")["bench (n = 30)"].partition("<details>")[2]
    assert "pairs of judges: 3" in html
    assert all(f"<th>{name}</th>" in html for name in ("accuracy", "kappa", "accuracy_first, exact McNemar"))
    assert html.count("<tr>") == 1 + 3
    assert "consistency, macro_f1, kappa</b>: undefined for at least one of the judges" in html


def test_people_stand_above_the_judges_on_the_same_footing(frames):
    html = content(frames, "humans")["bench"]
    rows = [cells(row) for row in html.partition("<tbody>")[2].partition("</tbody>")[0].split("<tr>")[1:]]
    assert [row[0] for row in rows[:2]] == ["humans", "one_order"]
    table = frames["humans"].set_index(["rater", "against", "metric"]).sort_index()
    expected = table.loc[("one_order", "others", "accuracy")].iloc[0]
    assert rows[1][1:3] == [str(expected["n"]), str(expected["errors"])]
    assert rows[1][3].startswith(f"{expected['value']:.3f} ")
    assert "90 votes by 3 annotators on 30 items" in html
    assert "Each annotator alone: 3" in html and "3 pairs of 3 annotators" in html


def test_benchmarks_without_several_votes_are_named(frames):
    alone = tables.human_table(items("lonely", annotators=()), {}, FEW)
    sections = dict(humans.sections(pd.concat([frames["humans"], alone]), []))
    assert list(sections) == ["bench", "Other benchmarks"]
    assert sections["Other benchmarks"] == "<p>No item has the votes of two people: lonely.</p>"


def test_every_aspect_of_bias_is_a_part(frames):
    sections = content(frames, "bias")
    assert list(sections) == ["How to read this page", "bench"]
    for title in ("Position", "Length", "Self-preference", "By category"):
        assert f"<h3>{title}</h3>" in sections["bench"]
    assert "one_order (original order)" in sections["bench"]
    assert "<b>one_order</b>: – only one order was recorded" in sections["bench"]
    value = frames["bias"].set_index("metric").loc["own_excess"]
    assert f"{value['value']:.3f} <small>[{value['ci_low']:.3f}, {value['ci_high']:.3f}]</small>" in sections["bench"]


def test_many_groups_are_folded_away():
    item_set = [pair(i, "first", category=f"kind {i:02d}") for i in range(20)]
    table = tables.bias_table(item_set, verdicts(item_set, ["judge"]), {}, FEW)
    html = dict(bias.sections(table, ["judge"]))["bench"]
    assert "<summary>By category: 20 groups, accuracy</summary>" in html


def test_an_undefined_cell_is_a_dash_with_its_reason():
    item_set = [point(i, float(i % 5), votes=[("ann", 1.0 * i), ("bob", 2.0 * i)]) for i in range(10)]
    spoken = {
        "same": [said(item, 3.0) for item in item_set],
        "truth": [said(item, item.truth) for item in item_set],
        "third": [said(item, float(i % 3)) for i, item in enumerate(item_set)],
    }
    compared = comparisons.compare_benchmark(item_set, spoken, Statistics(resamples=100))
    html = dict(comparison_pages.sections(compared, list(spoken)))["bench (n = 10)"]
    reason = "undefined for at least one of the judges"
    assert f"<small title='{reason}'>–</small>" in html
    assert f"<p><b>same – truth, same – third</b>: – {reason}</p>" in html
    human = dict(humans.sections(tables.human_table(item_set, spoken, FEW), list(spoken)))["bench"]
    assert "<p><b>same</b>: – all values are the same</p>" in human
    assert "the mean of their votes: 9" in human


@pytest.mark.parametrize("name", ["comparisons", "humans", "bias"])
def test_an_empty_table_is_a_page_that_says_so(frames, name):
    sections = SECTIONS[name](frames[name].iloc[:0], ["judge"])
    text = markup.page("Title", "Intro", sections)
    assert "<table" not in text
    assert "Nothing" in text or name == "humans"


def test_a_judge_may_be_called_null(tmp_path):
    (tmp_path / "table.csv").write_text("judge,value,note\nnull,,because\nNA,0.5,\n", encoding="utf-8")
    table = read_table(tmp_path / "table.csv")
    assert list(table["judge"]) == ["null", "NA"]
    assert np.isnan(table["value"][0]) and list(table["note"]) == ["because", ""]


def test_a_page_of_many_judges_shows_the_best_and_stays_small():
    judges = [f"judge_{number:02d}_of_a_name_that_is_long" for number in range(40)]
    rng = np.random.default_rng(0)
    skill = {judge: number / 100 for number, judge in enumerate(judges)}
    rows = [
        {"judge_a": a, "judge_b": b, "benchmark": "bench", "metric": metric, "difference": skill[a] - skill[b],
         "ci_low": -1.0, "ci_high": 1.0, "detectable": 0.1 + number / 1000, "p": 0.5, "p_holm": rng.random(),
         "test": "bootstrap", "n": 90, "note": ""}
        for number, a in enumerate(judges) for b in judges[number + 1 :] for metric in ("accuracy", "kappa", "macro_f1")
    ]  # fmt: skip
    ((heading, html),) = comparison_pages.sections(pd.DataFrame(rows), judges)
    assert heading == "bench (n = 90)"
    assert "shows differences in accuracy from 0.111 on (0.100 to 0.138 over 780 pairs)" in html
    assert f"each judge minus the best, {judges[-1]}." in html and "with 780 pairs of 40 judges" in html
    beside, among = html.split("The 12 best judges among each other")
    assert beside.index(f"<td>{judges[-2]}</td>") < beside.index(f"<td>{judges[0]}</td>")
    assert "-0.010 <small>[-1.000, +1.000] p " in beside
    assert judges[28] in among and judges[27] not in among
    assert len(html) < 40_000


def test_metrics_of_one_order_are_shown_where_a_judge_has_no_others(frames):
    html = content(frames, "agreement")["bench (pairwise, house rules)"]
    assert "<th>kappa_first</th>" in html and "<th>kappa_swapped</th>" not in html
    both_orders = {"agreement": frames["agreement"].query("judge == 'judge'")}
    html = content(both_orders, "agreement")["bench (pairwise, house rules)"]
    assert "<th>accuracy_first</th>" in html and "<th>kappa_first</th>" not in html


def test_one_cluster_has_no_interval_and_no_nan_on_any_page():
    item_set = [pair(i, CLASSES[i % 3], cluster="one") for i in range(6)]
    table = comparisons.compare_benchmark(item_set, verdicts(item_set, ["one", "two"]), Statistics(resamples=50))
    assert (table["difference"].isna() | table["ci_low"].notna() | (table["note"] != "")).all()
    [(_, text)] = comparison_pages.sections(table, ["one", "two"])
    assert "nan" not in text
    row = {"judge": "one", "benchmark": "bench", "statement": "s", "value": 1.0, "ci_low": np.nan, "ci_high": np.nan}
    [(_, text)] = score_consistency.sections(pd.DataFrame([row | {"n": 1, "errors": 0, "note": ""}]))
    assert "1.000 (n = 1, errors 0)" in text


@pytest.mark.parametrize("name", ["bias", "humans"])
def test_values_of_a_page_lead_to_their_items(frames, tmp_path, name):
    """Of judges and benchmarks that the explorer has, by their names, whatever they are called on the page."""
    frames[name].to_csv(tmp_path / "table.csv", index=False)
    frames["agreement"].to_csv(tmp_path / "agreement.csv", index=False)
    settings = {"study": "s", "suites": {}, "confidence": 0.95, "parameters": {}, "title": name}

    class Reading(making.Material):
        def table(self, name):
            return read_table(tmp_path / f"{name}.csv")

    def written(explored):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(making, "Material", Reading)
            labels = {"judge": "The Judge", EVIL: EVIL}
            paths = {"table": tmp_path / "table.csv", "path": tmp_path / "page.html"}
            making.render(name, labels=labels, explored=explored, **settings, **paths)
        return (tmp_path / "page.html").read_text(encoding="utf-8")

    page = written([("judge", "bench")])
    assert "<a href='../explorer.html#?benchmark=bench&amp;judge=judge'>" in page and "The Judge" in page
    assert page.count("explorer.html#") < page.count("<td>") and making.LINKS in page
    assert "../explorer.html#:page" in page
    assert "judge=one_order" not in page
    assert "explorer.html" not in written([])
    if EVIL in set(frames[name].get("judge", [])):
        assert "judge=%3Cscript%3E" in written([(EVIL, "bench")])


def test_a_page_without_a_module_of_its_own_links_its_values():
    rows = pd.DataFrame({"judge": ["a", "b"], "value": [0.5, 0.25], "address": ["../explorer.html#?x=1&y=2", ""]})
    table = markup.formatted(rows, {"value": Column("share", ".0%")})
    assert "<td><a href='../explorer.html#?x=1&amp;y=2'>50%</a></td>" in table and "<td>25%</td>" in table
    assert "address" not in table
