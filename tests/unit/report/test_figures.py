"""Figures of small tables: what is drawn, what is said instead, and that nothing is cut off."""

import functools
import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from agreement_cases import both, pair, point, said
from matplotlib import pyplot as plt
from report_cases import FIGURES, MODULES, draw_files

from judgemerge.core.frames import read_table
from judgemerge.evaluate import comparisons, score, tables
from judgemerge.report import drawing
from judgemerge.settings.report import Statistics

TABLE = {
    "accuracy": "agreement",
    "grading": "agreement",
    "consistency": "agreement",
    "merges": "agreement",
    "differences": "comparisons",
    "humans": "humans",
    "bias_position": "bias",
    "bias_length": "bias",
}
CLASSES = ("first", "second", "tie")
PANELS = ["pairs", "grades"]


@pytest.fixture(autouse=True)
def closed():
    """Close what a test has drawn."""
    drawing.use_style()
    yield
    plt.close("all")


def made(judges, benchmarks=("pairs", "grades"), one_order=(), votes=2):
    """Return the four tables of a study with these judges; `one_order` judges have no swapped verdicts."""
    tables_made = _made(tuple(judges), tuple(benchmarks), tuple(one_order), votes)
    return {name: table.copy() for name, table in tables_made.items()}


@functools.cache
def _made(judges, benchmarks, one_order, votes):
    rng = np.random.default_rng(3)
    parts = {name: [] for name in ("agreement", "comparisons", "humans", "bias")}
    for benchmark in benchmarks:
        answers = (("a" * 9,), ("b" * 5,)) if votes else (("a",), ("b",))
        people = ("ann", "bob", "cyd")[:votes]
        if benchmark == "grades":
            items = [point(i, float(i % 4), votes=[(who, float(i % 4 + k)) for k, who in enumerate(people)])
                     for i in range(24)]  # fmt: skip
            verdicts = {judge: [said(item, float(rng.integers(4))) for item in items] for judge in judges}
        else:
            items = [
                pair(i, CLASSES[i % 3], votes=[(who, str(rng.choice(CLASSES))) for who in people], responses=answers)
                for i in range(24)
            ]
            verdicts = {
                judge: both(items, *([str(rng.choice(CLASSES)) for _ in items] for _ in range(2))) for judge in judges
            }
            for judge in one_order:
                verdicts[judge] = [verdict for verdict in verdicts[judge] if verdict.order == "original"]
        few = Statistics(resamples=100)
        built = {
            "agreement": score.score_benchmark(items, verdicts, Statistics(resamples=100)),
            "comparisons": comparisons.compare_benchmark(items, verdicts, Statistics(resamples=100)),
            "humans": tables.human_table(items, verdicts, few),
            "bias": tables.bias_table(items, verdicts, {}, few),
        }
        for name, table in built.items():
            parts[name].append(table.assign(benchmark=benchmark))
    full = {name: [table for table in tables if len(table)] or tables for name, tables in parts.items()}
    return {name: pd.concat(tables, ignore_index=True) for name, tables in full.items()}


def draw(name, made_tables, kinds):
    return FIGURES[name](made_tables[TABLE[name]], kinds, PANELS)


def shown(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def titles(figure):
    return [axes.get_title() for axes in shown(figure)]


def texts(figure):
    """Return every word in the figure: in panels, beside and below them."""
    parts = [text.get_text() for text in figure.findobj(plt.Text)]
    return "\n".join(" ".join(part.split()) for part in parts if part)


def rows(axes):
    """Return the names of a panel's rows; beside another panel they are not written again."""
    return [axes.yaxis.get_major_formatter()(place, number) for number, place in enumerate(axes.get_yticks())]


# Figures of single capabilities are drawn where those are tested.
ELSEWHERE = {
    "ablation": "test_ablation.py",
    "corrected": "test_corrected_rows.py",
    "replaceability": "test_replaceability_page.py",
    "panels": "test_panels_page.py",
    "merge_or_jury": "test_panels_page.py",
    "reliability": "test_calibration_page.py",
    "risk_coverage": "test_calibration_page.py",
    "sweep": "test_ablation.py",
    "variants": "test_variant_rows.py",
    "checkpoints": "test_checkpoints.py",
    "curves": "test_search_figures.py",
    "search": "test_search_figures.py",
    "screening": "test_search_figures.py",
    "model_comparison": "test_model_comparisons.py",
    "quantization": "test_quantizing.py",
    "retrieval": "test_embedding_evaluation.py",
    "forgetting": "test_embedding_evaluation.py",
}


def test_every_figure_has_a_table_here(repository):
    command = ["git", "-C", str(repository), "ls-files", "scripts/judgemerge/report/tables"]
    committed = {Path(path).stem for path in subprocess.run(command, capture_output=True, text=True).stdout.split()}
    ours = [module for name, module in MODULES.items() if name in committed or not committed]
    # Figures of a table of one's own are tested by whoever adds it.
    assert TABLE.keys() | ELSEWHERE.keys() == {name for module in ours for name in module.TABLE.figures}
    for name, path in ELSEWHERE.items():
        assert f'"{name}"' in next(Path(__file__).parents[1].rglob(path)).read_text(), f"{path} does not draw {name}"


@pytest.mark.parametrize("name", TABLE)
def test_one_judge_is_enough(name):
    figure = draw(name, made(["alone"]), {"alone": "merge"})
    if name == "differences":
        assert "no two judges can be compared" in texts(figure) or "nothing to show" in texts(figure)
    else:
        assert "alone" in [judge for axes in shown(figure) for judge in rows(axes)] + texts(figure).split("\n")


@pytest.mark.parametrize("name", TABLE)
def test_without_a_single_value_the_reasons_are_drawn(name):
    kinds = {"one": "base", "majority": "baseline"}
    empty = made(kinds)
    for table in empty.values():
        numbers = [column for column in ("value", "difference", "ci_low", "ci_high", "p", "p_holm") if column in table]
        if "against" in table:
            table.loc[table["against"] != "votes", numbers] = np.nan
        else:
            table[numbers] = np.nan
        table["note"] = "no reason at all"
    figure = draw(name, empty, kinds)
    words = texts(figure)
    assert "no reason at all" in words or "Not shown, because" in words, words


@pytest.mark.parametrize("name", TABLE)
def test_an_empty_table_is_an_empty_figure(name):
    nothing = {key: table.iloc[:0] for key, table in made(["one", "two"]).items()}
    if name == "merges":
        nothing["agreement"] = made(["two"])["agreement"]
    assert draw(name, nothing, {"one": "base", "two": "baseline"}).get_size_inches().min() > 0


@pytest.mark.parametrize("name", TABLE)
def test_both_files_are_written_and_the_svg_keeps_its_words(name, tmp_path):
    kinds = {"one": "base", "two": "merge", "longer": "baseline"}
    table = tmp_path / "table.csv"
    made(kinds, one_order=["two"])[TABLE[name]].to_csv(table, index=False)
    for run in "ab":
        draw_files(name, str(table), kinds, PANELS, str(tmp_path / f"{run}.svg"), str(tmp_path / f"{run}.png"))
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert ">one</text>" in svg
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    for kind in ("svg", "png"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_a_judge_of_one_order_is_hollow_in_the_accuracy():
    kinds = {"both_orders": "recorded", "one_order": "recorded"}
    figure = draw("accuracy", made(kinds, one_order=["one_order"]), kinds)
    faces = {line.get_markerfacecolor() for axes in shown(figure) for line in axes.lines if line.get_marker() == "o"}
    assert faces == {drawing.COLOURS["recorded"], "white"}
    assert "one order recorded" in texts(figure)
    assert "one order recorded" not in texts(draw("accuracy", made(kinds), kinds))


def test_differences_name_the_best_judge_and_leave_it_out():
    kinds = {"one": "base", "two": "expert", "three": "merge"}
    made_tables = made(kinds)
    table = made_tables["comparisons"]
    accuracy = made_tables["agreement"].query("metric == 'accuracy'").set_index("judge")["value"]
    best = accuracy.idxmax()
    chosen = (table["metric"] == "accuracy") & (table["benchmark"] == "pairs")
    table.loc[chosen, "p_holm"] = [0.04, 0.06, 0.5]
    figure = draw("differences", made_tables, kinds)
    assert titles(figure)[0] == f"pairs (n = 24)\nminus {best}"
    assert "the best judge here" in texts(figure)
    assert titles(figure)[1].endswith(", Spearman")
    panel = shown(figure)[0]
    assert rows(panel) == list(kinds)
    marks = {
        judge: line
        for line in panel.lines
        if line.get_marker() == "o"
        for judge in [rows(panel)[int(line.get_ydata()[0])]]
    }
    assert marks.keys() == kinds.keys() - {best}
    for judge, line in marks.items():
        assert line.get_xdata()[0] == pytest.approx(accuracy[judge] - accuracy[best])
        pair_rows = table[chosen & table["judge_a"].isin([judge, best]) & table["judge_b"].isin([judge, best])]
        assert (line.get_markerfacecolor() == "white") == (pair_rows["p_holm"].iloc[0] > 0.05)


def test_people_are_above_the_judges_and_behind_them():
    kinds = {"one": "base", "longer": "baseline"}
    made_tables = made(kinds, votes=3)
    figure = draw("humans", made_tables, kinds)
    assert [" ".join(title.split()).partition(" (")[0] for title in titles(figure)] == [
        "pairs: the majority of the others",
        "pairs: single votes",
        "grades: the mean of the others, Spearman",
    ]
    for axes in shown(figure):
        assert rows(axes) == ["humans", "one", "longer"]
    human = made_tables["humans"].query("rater == 'humans' and against == 'others' and metric == 'accuracy'").iloc[0]
    band = shown(figure)[0].patches[0].get_extents().transformed(shown(figure)[0].transData.inverted())
    assert (band.x0, band.x1) == (pytest.approx(human["ci_low"]), pytest.approx(human["ci_high"]))


def test_benchmarks_without_several_votes_are_left_out_of_the_people_and_named():
    kinds = {"one": "base"}
    mixed = [made(kinds, ["voted"], votes=3)["humans"], made(kinds, ["lonely"], votes=1)["humans"]]
    words = texts(draw("humans", {"humans": pd.concat(mixed)}, kinds))
    assert "voted: single votes" in words
    assert "Not shown, because no item has the votes of two people: lonely." in words


def test_benchmarks_where_only_baselines_have_both_orders_are_left_out_and_named():
    kinds = {"one_order": "recorded", "random": "baseline"}
    first, second = made(kinds, ["seen"]), made(kinds, ["unseen"], one_order=["one_order"])
    for name in ("consistency", "bias_position"):
        both_tables = {TABLE[name]: pd.concat([first[TABLE[name]], second[TABLE[name]]])}
        figure = draw(name, both_tables, kinds)
        assert [title.partition(" (")[0] for title in titles(figure)] == ["seen"]
        assert "recorded in both orders: unseen." in texts(figure)
        alone = {TABLE[name]: second[TABLE[name]][second[TABLE[name]]["judge"] == "random"]}
        assert [title.partition(" (")[0] for title in titles(draw(name, alone, kinds))] == [
            "unseen"
        ]  # a study of baselines


def test_judges_without_both_orders_are_named_where_only_baselines_have_them():
    kinds = {"one_order": "recorded", "random": "baseline"}
    words = texts(draw("consistency", made(kinds, ["bench"], one_order=["one_order"]), kinds))
    assert "Not shown, because these judges have no verdicts in both orders: one_order." in words


def test_position_is_centred_on_no_preference():
    kinds = {"one": "base", "random": "baseline"}
    low, high = shown(draw("bias_position", made(kinds), kinds))[0].get_xlim()
    assert low == -high


def test_length_has_two_marks_per_judge_and_counts_verdicts():
    kinds = {"one": "base", "random": "baseline"}
    made_tables = made(kinds)
    figure = draw("bias_length", made_tables, kinds)
    sizes = made_tables["bias"].query("judge == 'one'").set_index("metric")["n"]
    panel = shown(figure)[0]
    assert panel.get_title() == (
        f"pairs\n▲ {sizes['accuracy_longer_better']}, ▽ {sizes['accuracy_shorter_better']} verdicts"
    )
    assert [line.get_marker() for line in panel.lines if line.get_marker() in "^v"] == ["^", "^", "v", "v"]


MANY = {f"judge_{number:02d}_of_a_name_that_is_long": "merge" for number in range(24)}
FEW_JUDGES = dict(list(MANY.items())[:3])


@functools.cache
def crowded():
    """Return the tables of a benchmark with 24 judges and two with three of them."""
    parts = [made(MANY, ["crowd"], votes=3), made(FEW_JUDGES, ["pairs", "more_pairs"], votes=3)]
    return {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in parts[0]}


@pytest.mark.parametrize("name", ["accuracy", "differences", "humans", "bias_position", "bias_length"])
def test_many_judges_are_a_heat_map_with_intervals(name):
    figure = draw(name, crowded(), MANY)
    (axes,) = shown(figure)
    assert [label.get_text() for label in axes.get_yticklabels() if label.get_text() != "humans"] == list(MANY)
    columns = [re.match(r"\w+", label.get_text())[0] for label in axes.get_xticklabels()]
    assert list(dict.fromkeys(columns)) == ["crowd", "pairs", "more_pairs"]
    n_fields = (24 + 3 + 3 + 3 * (name == "humans")) * (len(axes.get_xticks()) // 3)
    assert len(axes.texts) == n_fields
    assert sum("±" in text.get_text() for text in axes.texts) >= n_fields - 3
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in axes.texts[:40]]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_many_points_are_numbered_and_the_numbers_explained():
    figure = draw("consistency", crowded(), MANY)
    assert {text.get_text() for text in shown(figure)[0].texts} == {str(number) for number in range(1, 25)}
    (entries,) = [legend.get_texts() for legend in figure.legends if len(legend.get_texts()) == 24]
    assert [entry.get_text() for entry in entries] == [f"{n}  {judge}" for n, judge in enumerate(MANY, 1)]


def test_panels_side_by_side_name_their_rows_once_and_few_rows_are_not_stretched():
    few, more = dict(list(MANY.items())[:2]), dict(list(MANY.items())[:12])
    parts = [made(more, ["many", "pairs"])["agreement"], made(few, ["grades", "last"])["agreement"]]
    table = pd.concat(parts).assign(rules="house", protocol="pairwise")
    table.loc[table["metric"] == "spearman", "metric"] = "accuracy"
    figure = draw("accuracy", {"agreement": table}, MANY)
    figure.canvas.draw()
    panels = {axes.get_title().partition(" ")[0]: axes for axes in shown(figure)}
    assert [bool(panels[name].get_yticklabels()) for name in ("many", "pairs", "grades", "last")] == [True, False] * 2
    row_heights = {name: axes.get_window_extent().height / len(rows(axes)) for name, axes in panels.items()}
    assert row_heights["grades"] < 1.6 * row_heights["many"]
    assert panels["many"].get_window_extent().width > figure.get_window_extent().width / 4


def test_labels_are_drawn_and_chosen_judges_alone(tmp_path):
    table = tmp_path / "table.csv"
    kinds = {"one": "base", "two": "recorded", "three": "recorded"}
    made(kinds)["agreement"].to_csv(table, index=False)
    files = str(tmp_path / "a.svg"), str(tmp_path / "a.png")
    labels = {"one": "The first one", "two": "GPT-4 at $3 to $5"}
    draw_files("accuracy", str(table), kinds, PANELS, *files, labels=labels, judges=["one", "two"])
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert ">The first one</text>" in svg and ">GPT-4 at $3 to $5</text>" in svg
    assert "three" not in svg
    assert "2 of 3 judges, chosen in display.judges." in svg


@pytest.mark.parametrize("name", ["accuracy", "differences", "bias_position", "consistency"])
def test_names_do_not_cover_each_other(name):
    kinds = {f"a_judge_of_long_name_{i}": "merge" for i in range(4 if name == "consistency" else 8)}
    figure = draw(name, made(kinds, ["pairs", "more_pairs", "yet_more"]), kinds)
    figure.canvas.draw()
    for axes in shown(figure):
        labels = axes.get_yticklabels() if name != "consistency" else axes.texts
        boxes = [plt.Text.get_window_extent(label).padded(-2) for label in labels]
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_tables_of_the_figures_are_read_as_written(tmp_path):
    table = made(["one", "two"])["bias"]
    table.to_csv(tmp_path / "bias.csv", index=False)
    assert read_table(tmp_path / "bias.csv")["group"].isna().sum() == 0


def test_a_dollar_sign_is_no_formula_and_a_long_reason_is_shortened(tmp_path):
    reason = r"not judged: unexpected KeyError: '$\frac{$' " + 30 * "long "
    rows = [
        {"judge": judge, "benchmark": "pairs", "metric": metric, "value": value, "note": "" if value else reason}
        for metric in ("accuracy", "accuracy_first", "consistency")
        for judge, value in (("$a$", 0.5), ("failed", None))
    ]
    shared = {"protocol": "pairwise", "ci_low": 0.4, "ci_high": 0.6, "n": 9, "errors": 0, "rules": "house"}
    pd.DataFrame([row | shared for row in rows]).to_csv(tmp_path / "agreement.csv", index=False)
    labels = {"$a$": "$\\frac{$ of a\nline", "failed": "f" * 100}
    for name in ("accuracy", "consistency"):
        out = {kind: str(tmp_path / f"{name}.{kind}") for kind in ("svg", "png")}
        draw_files(name, str(tmp_path / "agreement.csv"), dict.fromkeys(labels, "model"), [], labels=labels, **out)
        assert r"$\frac{$ of a line" in Path(out["svg"]).read_text()
    assert reason[:40] in Path(tmp_path / "accuracy.svg").read_text().replace("&#x27;", "'")
    assert reason not in Path(tmp_path / "accuracy.svg").read_text()


def test_half_an_interval_keeps_its_tens():
    assert drawing.Estimate(30.0, 9.9, 30.1).text == "30.00 ±10.10"
    assert drawing.Estimate(0.5, 0.4, 0.6).text == "0.50 ±.10"
