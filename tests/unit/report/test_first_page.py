"""The first page of a study: what it says of which table, in which order, and that nobody's text becomes markup."""

import json
from pathlib import Path

import pandas as pd
import pytest

from judgemerge.report import addresses, first_page
from judgemerge.report.addresses import Linked
from judgemerge.report.first_page import FirstPage, Picture, escaped, html_page, in_reading_order, markdown
from judgemerge.report.table import Finding
from judgemerge.report.tables import TABLES, agreement, comparisons, humans, overlap, replaceability, replies

KINDS = {"small": "base", "one": "expert", "two": "merge", "gpt": "recorded", "longer": "baseline"}


def scores(**values):
    """Return rows of agreement.csv: accuracy of judges on one benchmark of 50 pairs."""
    return pd.DataFrame(
        [
            {"judge": judge, "benchmark": "pairs", "protocol": "pairwise", "metric": "accuracy", "value": value}
            | {"ci_low": value - 0.1, "ci_high": value + 0.1, "n": 50, "errors": 3, "rules": "house", "note": ""}
            for judge, value in values.items()
        ]
    )


def differences(rows):
    """Return rows of comparisons.csv from (a, b, difference, p after Holm)."""
    return pd.DataFrame(
        [
            {"judge_a": a, "judge_b": b, "benchmark": "pairs", "metric": "accuracy", "difference": difference}
            | {
                "ci_low": difference - 0.1,
                "ci_high": difference + 0.1,
                "detectable": 0.15,
                "p": p,
                "p_holm": p,
                "test": "",
                "n": 50,
            }
            for a, b, difference, p in rows
        ]
    )


def test_the_best_model_stands_beside_its_base_recorded_judges_and_baselines():
    (finding,) = agreement.findings(scores(small=0.5, one=0.7, two=0.8, gpt=0.9, longer=0.6), KINDS)
    assert finding.sentences[0] == (
        "pairs: two, the best of 3 models, has accuracy 0.800 [0.700, 0.900] (n 50, 3 errors)."
    )
    (line,) = finding.lines
    assert [cell.split()[0] for cell in line] == ["pairs", "50", "two", "small", "gpt", "longer"]
    assert "3 errors" in line[2]


def test_a_study_of_recorded_judges_alone_names_the_best_of_them():
    (finding,) = agreement.findings(scores(gpt=0.9, longer=0.6), KINDS)
    assert finding.sentences[0].startswith("pairs: gpt has accuracy 0.900")
    assert finding.lines[0][2:4] == ["–", "–"]


def test_a_base_that_is_better_than_what_was_made_of_it_is_named():
    (finding,) = agreement.findings(scores(small=0.9, one=0.7, two=0.8), KINDS)
    assert finding.sentences[0].startswith("pairs: small, the best of 3 models, has accuracy 0.900")


def test_a_jury_is_no_model_and_has_a_column_where_there_is_one():
    (finding,) = agreement.findings(scores(small=0.5, one=0.7, three=0.8), KINDS | {"three": "jury"})
    assert finding.sentences[0].startswith("pairs: one, the best of 2 models,")
    assert finding.head[4] == "best jury or cascade" and finding.lines[0][4].startswith("three 0.800")


def test_only_what_stays_significant_counts_as_better():
    rows = [("one", "small", 0.2, 0.01), ("two", "small", 0.1, 0.2), ("longer", "one", -0.3, 0.001)]
    rows += [("longer", "two", -0.2, 0.2), ("longer", "small", 0.0, 1.0), ("one", "two", 0.1, 0.3)]
    (finding,) = comparisons.findings(differences(rows), KINDS)
    assert finding.sentences[:3] == [
        "pairs: measurably ahead of the base small: 1 of 2 judges (one); behind it: 0.",
        "pairs: measurably better than each baseline (longer): 1 of 3 judges (one).",
        "pairs shows differences in accuracy from 0.150 on (0.150 to 0.150 over 6 pairs), smaller ones mostly not "
        "(power .8).",
    ]


def test_people_and_the_best_judge_are_compared_on_the_same_votes():
    rows = [("humans", "humans", 0.9), ("judge", "one", 0.7), ("judge", "two", 0.8), ("judge", "longer", 0.85)]
    table = pd.DataFrame(
        [
            {"benchmark": "pairs", "kind": kind, "rater": rater, "against": "others", "metric": "accuracy"}
            | {"value": value, "ci_low": value - 0.05, "ci_high": value + 0.05, "n": 50, "errors": 0, "note": ""}
            for kind, rater, value in rows
        ]
    )
    (finding,) = humans.findings(table, KINDS)
    assert "two, at 0.800 [0.750, 0.850]: 10 points below." in finding.sentences[0]
    assert humans.findings(table[table.kind == "humans"], KINDS) == []


def answers(**values):
    """Return rows of replaceability.csv: the answer and the advantage of judges."""
    common = {"benchmark": "pairs", "rules": "house"}
    return pd.DataFrame(
        [
            row
            for judge, (value, nearness) in values.items()
            for row in (
                common | {"judge": judge, "metric": "answer", "value": value, "note": f"no: as {judge} is"},
                common | {"judge": judge, "metric": "advantage", "value": nearness, "note": ""},
            )
        ]
    )


def test_the_judges_that_may_replace_people_are_named_else_the_nearest():
    (finding,) = replaceability.findings(answers(one=(0.0, 0.6), two=(0.0, 0.7)), KINDS)
    assert finding.sentences[0].endswith("None of 2; the nearest is two (as two is).")
    (finding,) = replaceability.findings(answers(one=(1.0, 0.6), two=(0.0, 0.7)), KINDS)
    assert finding.sentences[0] == "May a judge replace the people of pairs? Yes: one, of 2 judges."
    assert replaceability.findings(answers(one=(float("nan"), 0.5)), KINDS) == []


def test_unreadable_replies_are_counted_and_come_to_the_top_when_there_are_any():
    table = pd.DataFrame({"judge": ["one"], "benchmark": ["pairs"], "verdicts": [100], "cut": [7], "errors": [5]})
    (finding,) = replies.findings(table.assign(reasons="no_verdict 5", note=""), KINDS)
    assert finding.in_short and finding.sentences[0].startswith("5 of 100 verdicts of models could not be read; 7 ")
    (finding,) = replies.findings(table.assign(errors=0, reasons="", note=""), KINDS)
    assert not finding.in_short


def test_no_contamination_is_not_worth_a_line_on_top():
    columns = ["training", "used_by", "benchmark", "kind", "n_training_prompts", "n_benchmark_prompts", "n_overlap"]
    (finding,) = overlap.findings(pd.DataFrame(columns=[*columns, "n_items", "too_short", "examples", "note"]), KINDS)
    assert not finding.in_short and finding.sentences


def test_tables_come_in_reading_order_and_ones_own_between():
    names = {name: name for name in ("replies", "mine", "humans", "agreement", "overlap")}
    assert in_reading_order(names, names) == ["agreement", "humans", "mine", "overlap", "replies"]


HOSTILE = "<script>alert(1)</script> | a [link](javascript:alert) `code` *bold* _under_ snake_case\n# heading"


@pytest.fixture
def page(tmp_path):
    """Return a page whose every text comes from somebody else, and the folder of its figure."""
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "one.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="utf-8")
    finding = Finding(HOSTILE, [HOSTILE, "second"], [HOSTILE, "n"], [[HOSTILE, "50"]])
    picture = Picture(HOSTILE, HOSTILE, "figures/one.svg")
    return FirstPage("study", HOSTILE, [finding], [picture], [HOSTILE], {HOSTILE: "tables/one.html"}), tmp_path


def test_nobodys_text_becomes_markup(page):
    text = markdown(page[0])
    assert "<script" not in text.replace("\\<", "") and "](javascript" not in text
    assert "\n# heading" not in text and "snake_case" in text
    document = html_page(*page)
    assert "<script" not in document and "&lt;script&gt;" in document
    assert "src='data:image/svg+xml;base64," in document


def test_a_table_keeps_its_columns_whatever_stands_in_it(page):
    lines = [line for line in markdown(page[0]).splitlines() if line.startswith("|")]
    assert len(lines) == 3
    assert all(line.replace("\\|", "").count("|") == 3 for line in lines)


def test_a_text_of_plain_words_stays_as_it_is():
    plain = "demo_pairwise: accuracy 0.800 [0.700, 0.900] (n 50, 3 errors), ρ .71 – so"
    assert escaped(plain) == plain


def test_on_top_stand_the_first_sentences_of_five_findings():
    findings = [Finding(str(number), [f"{number} first", "more"]) for number in range(9)]
    findings.insert(0, Finding("quiet", ["quiet"], in_short=False))
    short = FirstPage("study", "", findings, [], [], {}).in_short()
    assert short == [f"{number} first" for number in range(5)]


def test_every_finding_of_a_table_reads_the_table_as_it_is_written(tmp_path):
    """The whole way: files of tables in, both forms out."""
    scores(small=0.5, one=0.7).to_csv(tmp_path / "agreement.csv", index=False)
    table = pd.DataFrame({"judge": ["one"], "benchmark": ["pairs"], "verdicts": [100], "cut": [0], "errors": [0]})
    table.assign(cut_share=0, reasons="", note="").to_csv(tmp_path / "replies.csv", index=False)
    tables = {name: str(tmp_path / f"{name}.csv") for name in ("replies", "agreement")}
    first_page.write(
        study="mine",
        description="Words.",
        tables=tables,
        modules={name: name for name in tables},
        kinds=KINDS,
        labels={"one": "Number One"},
        pictures=[],
        not_run=["Suites real: neither a mirror nor downloads are set."],
        pages={"Agreement": "tables/agreement.html"},
        readme=str(tmp_path / "README.md"),
        page=str(tmp_path / "index.html"),
    )
    text = Path(tmp_path / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# mine\n\nWords.\n\n- pairs: Number One, the best of 2 models")
    assert text.index("Who agrees best") < text.index("could not be read") < text.index("What was not run")
    assert "[Agreement](tables/agreement.html)" in text
    assert "Number One" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_every_study_says_something_first(repository, monkeypatch):
    """A study has a table that answers what it asks, whatever it asks."""
    from judgemerge.core.catalogues import load_yaml
    from judgemerge.report.contents import Contents
    from judgemerge.study.load import load_study

    monkeypatch.chdir(repository)
    for path in sorted(Path("config/studies").glob("*.yaml")):
        contents = Contents(load_study(load_yaml(path), str(path), "config"))
        assert contents.telling and contents.first_figures, path
        assert json.dumps(contents.first_page_parameters())  # plain values: they are parameters of a job
        assert len(contents.first_figures) <= 3
    assert {name for name in TABLES.names if TABLES.load(name).TABLE.findings} >= {"retrieval", "model_comparison"}


def many_benchmarks(n):
    """Return rows of comparisons.csv on so many benchmarks: `one` is ahead of its base on every second one."""
    pairs = [("one", "small"), ("longer", "small"), ("longer", "one")]
    return pd.concat(
        differences([(a, b, 0.2, 0.01 if b == "small" and number % 2 else 0.5) for a, b in pairs]).assign(
            benchmark=f"set_{number}"
        )
        for number in range(n)
    )


def test_many_benchmarks_are_a_sentence_and_a_table_not_a_list():
    (finding,) = comparisons.findings(many_benchmarks(13), KINDS)
    assert finding.sentences[:2] == [
        "A model of the study is measurably ahead of the base small on 6 of 13 benchmarks, and one is behind it on 0.",
        "A judge is measurably better than each baseline (longer) on 0 of 13 benchmarks.",
    ]
    assert len(finding.sentences) == 3 and len(finding.lines) == 13
    assert finding.lines[1] == ["set_1", "1 of 1", "0 of 1", "none of 2 judges", "0.150"]
    assert len(finding.head) == len(finding.lines[0])
    assert not comparisons.findings(many_benchmarks(3), KINDS)[0].lines


def test_quantizations_are_told_by_the_benchmark_where_they_lose_most():
    from judgemerge.report.tables import quantization

    rows = [("big", "big", "size", 1.0, "a", 100), ("four", "big", "same_verdict", 0.9, "a", 36)]
    rows += [("four", "big", "same_verdict", 0.8, "b", 36), ("four", "big", "spearman_with_parent", 0.7, "c", 36)]
    columns = ["judge", "parent", "metric", "value", "benchmark", "file_bytes"]
    table = pd.DataFrame(rows, columns=columns).assign(ci_low=0.5, ci_high=1.0, n=10, errors=0)
    (finding,) = quantization.findings(table, KINDS)
    assert [sentence.partition("; ")[2].partition(" is ")[0] for sentence in finding.sentences] == [
        "on b, the least of 2 benchmarks, its same verdict",
        "on c its Spearman with the unquantized",
    ]


@pytest.fixture
def long_page(tmp_path):
    """Return a page of many benchmarks and the folder of its figures."""
    (tmp_path / "figures").mkdir()
    for name in ("one", "two"):
        (tmp_path / "figures" / f"{name}.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="utf-8")
    lines = [[Linked(f"set_{n}", f"set_{n}"), Linked("One .8", f"set_{n}", "Number One"), "–"] for n in range(20)]
    finding = Finding(
        "Agreement", [f"sentence {n}" for n in range(30)], ["benchmark", "best", "n"], lines, table="agree"
    )
    pictures = [Picture(name, f"about {name}", f"figures/{name}.svg", "agree") for name in ("one", "two")]
    explored = [("one", "set_0"), ("one", "set_1")]
    items = first_page.addresses_of(explored, {"one": "Number One"})
    pages = {"Explorer": "explorer.html", "Agreement": "tables/agree.html"}
    return FirstPage(
        "study", "", [finding], pictures, ["not this"], pages, {"agree": "tables/agree.html"}, items
    ), tmp_path


def test_beyond_the_first_screen_everything_is_folded(long_page):
    document = html_page(*long_page)
    unfolded = document.partition("<details>")[0]
    assert unfolded.count("<li>") == 1 and unfolded.count("<img") == 1 and "explorer.html" in unfolded
    assert "<summary>Agreement (20 rows)</summary>" in document and document.count("<img") == 2
    assert "sentence 29" in document and "set_19" in document  # nothing is lost


def test_the_readme_says_what_it_leaves_out_and_where_that_is(long_page):
    text = markdown(long_page[0])
    assert "sentence 3" in text and "sentence 4" not in text and "set_5" in text and "set_6" not in text
    assert "26 more sentences and 14 more rows: [the page of this table](tables/agree.html), [index.html]" in text


def test_cells_lead_to_the_items_that_the_explorer_has(long_page):
    document = html_page(*long_page)
    assert "<a href='explorer.html#?benchmark=set_0&amp;judge=one'>One .8</a>" in document
    assert "<a href='explorer.html#?benchmark=set_1'>set_1</a>" in document
    assert "benchmark=set_2" not in document  # the explorer has no items of it
    assert "<a href='explorer.html#:agree'>" in document


def test_names_stand_in_addresses_as_the_explorer_reads_them():
    assert addresses.of_items("a b", "x&y/ü", "../") == "../explorer.html#?benchmark=a+b&judge=x%26y%2F%C3%BC"
    assert addresses.of_table("search_ä/b") == "explorer.html#:search_%C3%A4/b"


def test_captions_are_plain_text_on_the_first_page():
    caption = "The dashed line is ``majority``; *tuned* is better, 2 * 3 * 4 stays."
    assert first_page.without_marks(caption) == "The dashed line is majority; tuned is better, 2 * 3 * 4 stays."
