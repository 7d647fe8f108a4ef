"""Tables beside published ones and variants of judges, made from files as the rules make them."""

import csv
import os

import pytest
from report_cases import make

from judgemerge.core import files
from judgemerge.core.items import Item, Verdict, verdict_rows, write_items
from judgemerge.prompting.parsing import Reply, write_replies

SUITES = {"grades": "suite", "pairs": "suite"}
STATISTICS = {"resamples": 200, "seed": 3}
GRADES = [
    Item(
        f"g{n}", "grades", "pointwise", (f"q{n}",), ((f"a{n}",),), float(1 + n % 5), f"c{n}", {"source": "m", "row": n}
    )
    for n in range(20)
]
# Three answers to each of four instructions, all pairs of them: the first of a pair is the better one.
PAIRS = [
    Item(f"{n}{x}{y}", "pairs", "pairwise", (f"p{n}",), ((x,), (y,)), "first", f"p{n}", {"source": "m", "row": 0})
    for n in range(4)
    for x, y in ("ab", "bc", "ac")
]


def said(judge, shift):
    """Return a judge's verdicts: grades off by up to `shift`, and the far pair wrong for every second instruction."""
    grades = [
        Verdict(item.id, "original", "score", score=(item.truth + shift * int(item.id[1:]) % 3)) for item in GRADES
    ]
    far_wrong = {item.id for item in PAIRS if item.id.endswith("ac") and int(item.id[0]) % 2}
    pairs = [
        Verdict(item.id, order, "second" if item.id in far_wrong else "first")
        for item in PAIRS
        for order in ("original", "swapped")
    ]
    return [*verdict_rows(grades, "grades"), *verdict_rows(pairs, "pairs")]


@pytest.fixture
def results(tmp_path, monkeypatch, repository):
    (tmp_path / "config").symlink_to(repository / "config")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results/mine"
    write_items(folder / "items/grades.jsonl", GRADES)
    write_items(folder / "items/pairs.jsonl", PAIRS)
    for judge, shift in (("near", 0), ("near_bare", 1), ("far", 2)):
        files.write_jsonl(folder / f"verdicts/{judge}/suite.jsonl", said(judge, shift))
        replies = [
            Reply("grades", item.id, "original", reply=f"Score: {min(5, int(item.truth) + run % 2)}", run=run, draws=1)
            for run in (1, 2, 3)
            for item in GRADES
        ]
        write_replies(folder / f"replies/{judge}/suite.jsonl", replies)
    return tmp_path


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_values_stand_beside_what_the_paper_printed(results):
    (results / "t.tsv").write_text(
        "row\tside\tcolumn\tvalue\tsource\n"
        + "".join(
            f"{row}\t{side}\t{column}\t{value}\tpaper\n"
            for row in ("A", "GPT-4")
            for side, column, value in (
                ("direct", "vicuna", ".642"),
                ("runs", "vicuna", ".6018"),
                ("triples", "bench", "97.60%"),
            )
        )
    )
    pairs = [(judge, name) for judge in ("near", "far") for name in SUITES]
    parameters = {
        "pairs": pairs,
        "runs": {("near", "grades"): "config/prompts/brief_pointwise.yaml"},
        "triples": [("near", "pairs"), ("far", "pairs")],
        "tables": {"t": {"published": "t.tsv", "rows": {"A": ["near", "far"], "GPT-4": []}}},
        "benchmarks": {"vicuna": "grades", "bench": "pairs"},
        "statistics": STATISTICS,
    }
    table, page = make("ablation", results, SUITES, parameters, page_parameters={"is_synthetic": False})
    by_cell = {(row["row"], row["judge"], row["side"]): row for row in rows_of(table)}
    assert float(by_cell["A", "near", "direct"]["value"]) == pytest.approx(1)
    assert 0 < float(by_cell["A", "near", "runs"]["value"]) < 1 and by_cell["A", "near", "runs"]["n"] == "20"
    assert by_cell["A", "far", "runs"]["note"].startswith("not run")
    assert float(by_cell["A", "far", "triples"]["value"]) == pytest.approx(0.5)
    assert float(by_cell["GPT-4", "", "triples"]["published"]) == pytest.approx(0.976)
    assert by_cell["GPT-4", "", "triples"]["note"].startswith("only quoted")
    assert "published 0.9760" in page.read_text(encoding="utf-8") and os.path.getsize(page) > 1000


def test_a_variant_stands_beside_its_judge(results):
    tables = results / "results/mine/tables"
    tables.mkdir(parents=True)
    (tables / "agreement.csv").write_text("judge,benchmark,note\nnear,grades,\n")
    compared = {"grades": [("bare", "near", "near_bare", "brief_pointwise", "brief_pointwise_answer_first")]}
    table, page = make("variants", results, SUITES, {"compared": compared, "statistics": STATISTICS})
    by_asked = {(row["asked"], row["metric"]): row for row in rows_of(table)}
    assert float(by_asked["usual", "pearson"]["value"]) == pytest.approx(1)
    gap = by_asked["variant_minus_usual", "pearson"]
    assert float(gap["value"]) < 0 and float(gap["ci_high"]) < 0 and gap["p_holm"] == gap["p"]
    assert "usual (brief_pointwise)" in page.read_text(encoding="utf-8")
