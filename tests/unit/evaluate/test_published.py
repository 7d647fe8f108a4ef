"""How papers count, on cases worked out by hand; published numbers against reproduced ones."""

import math
import shutil
from pathlib import Path

import pandas as pd
import pytest
from agreement_cases import both, pair, point, said
from sklearn.metrics import cohen_kappa_score

from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Verdict
from judgemerge.evaluate import expected, published
from judgemerge.evaluate.published import HUMANS, Case
from judgemerge.evaluate.published._table import published_table
from judgemerge.evaluate.score import COLUMNS
from judgemerge.judge.sampling import combine
from judgemerge.report.tables import agreement
from judgemerge.settings.report import Statistics
from judgemerge.study.load import load_study

HEADER = "\t".join(expected.FIELDS)


def counted(name, items, verdicts, seed=0, **more):
    """Return (judge, metric, rules) → row of one protocol."""
    settings = Statistics(resamples=200, seed=seed)
    rows = published.PROTOCOLS.load(name).rows(Case(items, verdicts, settings=settings, **more))
    return {(row.judge, row.metric, row.rules): row for row in rows}


def value(rows, judge, metric, rules="published"):
    return rows[judge, metric, rules].value


# ---- LLMBar ----


def test_llmbar_perfect_judge_has_kappa_1_and_a_low_published_one():
    truth = ["first", "second"] * 4 + ["second"] * 2
    items = [pair(i, t) for i, t in enumerate(truth)]
    rows = counted("llmbar", items, {"perfect": both(items, truth, truth)})
    for metric in ("kappa_first", "kappa_swapped"):
        assert value(rows, "perfect", metric, "house") == 1
        # Their coding: labels 1 or 2, a winner "1" is 1 and every other winner 0.
        theirs = cohen_kappa_score([1 if t == "first" else 0 for t in truth], [1 if t == "first" else 2 for t in truth])
        assert value(rows, "perfect", metric) == pytest.approx(theirs)
        assert theirs < 0.4
        assert "every 2" in rows["perfect", metric, "published"].note
    assert value(rows, "perfect", "kappa_of_orders") == value(rows, "perfect", "kappa_of_orders", "house") == 1


def test_llmbar_constant_judge_has_kappa_0():
    items = [pair(i, t) for i, t in enumerate(["first", "second"] * 3)]
    rows = counted("llmbar", items, {"constant": both(items, ["first"] * 6, ["first"] * 6)})
    assert value(rows, "constant", "kappa_first", "house") == 0
    assert math.isnan(value(rows, "constant", "kappa_of_orders"))
    assert rows["constant", "kappa_of_orders", "house"].note == "both sides are one constant class"


def test_llmbar_by_hand():
    items = [pair(i, t) for i, t in enumerate(["first", "first", "second", "second"])]
    original = ["first", "second", "second", "error"]
    swapped = ["first", "second", "error", "error"]
    rows = counted("llmbar", items, {"judge": both(items, original, swapped)})
    accuracy = {"accuracy_first": 2 / 4, "accuracy_swapped": 1 / 4, "accuracy": 3 / 8, "accuracy_both": 1 / 4}
    for metric, right in accuracy.items():
        assert value(rows, "judge", metric) == right
    assert value(rows, "judge", "consistency") == 3 / 4  # two unread verdicts are equal in their script
    assert value(rows, "judge", "unread") == rows["judge", "unread", "published"].errors == 3
    assert value(rows, "judge", "kappa_of_orders") == cohen_kappa_score([1, 0, 0, 0], [1, 0, 0, 0]) == 1
    right = cohen_kappa_score(["1", "2", "2", "-"], ["1", "2", "-", "-"])
    assert value(rows, "judge", "kappa_of_orders", "house") == pytest.approx(right)
    assert rows["judge", "kappa_first", "house"].errors == 1
    means = value(rows, "judge", "kappa_first") + value(rows, "judge", "kappa_swapped")
    assert value(rows, "judge", "kappa_mean") == pytest.approx(means / 2)
    assert value(rows, HUMANS, "truths[first]") == value(rows, HUMANS, "truths[second]") == 2


def test_llmbar_averages_weigh_subsets_equally():
    module = published.PROTOCOLS.load("llmbar")
    cases = {}
    for n_right, name in enumerate(module.AVERAGES["llmbar"]):
        items = [pair(i, "first", benchmark=name) for i in range(4 + n_right)]
        verdicts = [said(item, "first" if i < n_right else "second", order) for i, item in enumerate(items)
                    for order in ("original", "swapped")]  # fmt: skip
        verdicts_by_judge = {"judge": verdicts, "partial": verdicts if n_right else []}
        cases[name] = Case(items, verdicts_by_judge, settings=Statistics(resamples=200, seed=0))
    table = published_table(cases, dict.fromkeys(cases, "llmbar"))
    assert list(table.columns) == list(COLUMNS)
    found = table[table["metric"] == "accuracy"].set_index(["judge", "benchmark"])
    shares = [n / (4 + n) for n in range(5)]
    assert found.loc[("judge", "llmbar"), "value"] == pytest.approx(sum(shares) / 5)
    assert found.loc[("judge", "llmbar_adversarial"), "value"] == pytest.approx(sum(shares[1:]) / 4)
    assert found.loc[("judge", "llmbar"), "n"] == 4 + 5 + 6 + 7 + 8
    assert ("partial", "llmbar") not in found.index
    assert ("partial", "llmbar_adversarial") in found.index


# ---- Auto-J ----


def test_autoj_by_hand():
    truth, groups = ["first", "second", "tie", "tie"], ["Code", "Code", "Code", "Rewriting"]
    items = [pair(i, t, category=g) for i, (t, g) in enumerate(zip(truth, groups, strict=True))]
    rows = counted(
        "autoj",
        items,
        {"judge": both(items, ["first", "first", "tie", "error"], ["first", "first", "second", "error"])},
    )
    assert value(rows, "judge", "accuracy_both") == 1 / 4
    assert value(rows, "judge", "consistency") == 2 / 4  # two unread verdicts are not consistent
    assert value(rows, "judge", "accuracy_both[Code]") == 1 / 3
    assert value(rows, "judge", "consistency[Code]") == 2 / 3
    assert value(rows, "judge", "accuracy_first[Rewriting]") == 0
    assert rows["judge", "accuracy_first[Rewriting]", "published"].errors == 1
    assert value(rows, "judge", "accuracy_first[non-ties]") == 1 / 2
    assert value(rows, "judge", "macro_recall_first") == pytest.approx((1 + 0 + 1 / 2) / 3)
    assert value(rows, HUMANS, "truths[tie]") == 2


def test_autoj_judge_of_one_order_has_no_consistency():
    items = [pair(i, "tie", category="Code") for i in range(2)]
    rows = counted("autoj", items, {"judge": [said(item, "tie") for item in items]})
    metrics = {metric for judge, metric, _ in rows if judge == "judge"}
    assert "accuracy_first[Code]" in metrics
    assert not any(metric.startswith(("consistency", "accuracy_both", "accuracy_swapped")) for metric in metrics)


# ---- MELD ----


def test_meld_counts_every_unread_reply():
    items = [pair(i, t) for i, t in enumerate(["first", "second", "tie", "first"])]
    verdicts = both(items, ["first", "error", "error", "first"], ["first", "error", "tie", "first"])
    row = counted("meld", items, {"judge": verdicts})["judge", "unread", "published"]
    assert (row.value, row.n, row.errors) == (3, 8, 3)


# ---- Prometheus ----


def test_prometheus_counts_exact_hits_of_the_first_run():
    items = [point(i, 4.0) for i in range(3)]
    runs = {  # means 4.33, 4, 4; first grades 4, 3 and none
        1: [said(items[0], 4), said(items[1], 3), said(items[2], "error")],
        2: [said(items[0], 4), said(items[1], 4), said(items[2], 4)],
        3: [said(items[0], 5), said(items[1], 5), said(items[2], 4)],
    }
    row = counted("prometheus", items, {"judge": list(combine(runs))})["judge", "exact", "published"]
    assert (row.value, row.n, row.errors) == (pytest.approx(1 / 3), 3, 1)


def test_prometheus_draws_one_order_per_pair_with_the_seed():
    items = [pair(i, "first") for i in range(200)]
    always_the_first_shown = both(items, ["first"] * 200, ["second"] * 200)
    rows = counted("prometheus", items, {"judge": always_the_first_shown}, seed=1)
    drawn = rows["judge", "accuracy_drawn[non-ties]", "published"]
    assert value(rows, "judge", "accuracy_first[non-ties]") == 1
    assert 0.4 < drawn.value < 0.6 and drawn.n == 200
    again = counted("prometheus", items, {"judge": always_the_first_shown}, seed=1)
    assert value(again, "judge", "accuracy_drawn[non-ties]") == drawn.value
    alone = counted("prometheus", items, {"judge": always_the_first_shown[:200]}, seed=1)
    assert ("judge", "accuracy_drawn[non-ties]", "published") not in alone


def test_llmbar_counts_the_winners_of_ratings_whatever_our_rule_is():
    items = [pair(i, "first") for i in range(2)]
    ties = [
        Verdict(i.id, order, "tie", published=won)
        for i in items
        for order, won in (("original", "first"), ("swapped", "second"))
    ]
    rows = counted("llmbar", items, {"judge": ties})
    assert value(rows, "judge", "accuracy") == 1 / 2
    assert value(rows, "judge", "consistency") == 0
    assert value(rows, "judge", "unread") == 0
    assert value(rows, "judge", "kappa_first", "house") == 0  # by our rules it says nothing but tie


# ---- PandaLM ----


def panda_items():
    votes = [("first",) * 3, ("second",) * 3, ("tie", "tie", "first"), ("second", "second", "first")]
    truth = ["first", "second", "tie", "second"]
    names = ("annotator1", "annotator2", "annotator3")
    return [
        pair(i, t, votes=tuple(zip(names, v, strict=True))) for i, (t, v) in enumerate(zip(truth, votes, strict=True))
    ]


def test_pandalm_three_treatments_of_unread_replies():
    items = panda_items()
    verdicts = [said(item, said_) for item, said_ in zip(items, ["first", "first", "error", "second"], strict=True)]
    rows = counted("pandalm", items, {"gpt35_pandalm": verdicts, "right": [said(item, item.truth) for item in items]})
    shares = {"": 2 / 4, "[errors as ties]": 3 / 4, "[errors dropped]": 2 / 3}
    for part, accuracy in shares.items():
        assert value(rows, "gpt35_pandalm", f"accuracy_first{part}") == pytest.approx(accuracy)
    # Macro F1 over three classes: first 2/3, second 2/3, tie 0 when the unread reply is wrong, 1 when it is a tie.
    assert value(rows, "gpt35_pandalm", "macro_f1_first") == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert value(rows, "gpt35_pandalm", "macro_f1_first[errors as ties]") == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert value(rows, "gpt35_pandalm", "weighted_f1_first") == pytest.approx((2 / 3 + 2 * 2 / 3 + 0) / 4)
    assert rows["gpt35_pandalm", "accuracy_first[errors dropped]", "published"].n == 3
    assert value(rows, "right", "macro_f1_share") == pytest.approx(1 / (4 / 9))
    assert value(rows, "right", "macro_f1_share[errors as ties]") == pytest.approx(1 / (7 / 9))
    assert ("right", "accuracy_first[errors as ties]", "published") not in rows
    assert "93.75 %" in rows["right", "macro_f1_share", "published"].note


def test_pandalm_people_and_constant_judges():
    rows = counted("pandalm", panda_items(), {"right": [said(item, item.truth) for item in panda_items()]})
    assert value(rows, "annotator1", "accuracy") == 1
    assert value(rows, "annotator3", "accuracy") == 2 / 4
    theirs = cohen_kappa_score(["first", "second", "tie", "second"], ["first", "second", "first", "first"])
    assert value(rows, "annotator1", "kappa[annotator3]") == pytest.approx(theirs)
    assert value(rows, HUMANS, "unanimous") == 2
    assert value(rows, HUMANS, "split") == 0
    assert [value(rows, f"always_{name}", "accuracy") for name in ("first", "second", "tie")] == [1 / 4, 2 / 4, 1 / 4]


# ---- MT-Bench ----


def test_mtbench_by_hand():
    votes = [("first", "first", "tie"), ("second",), ("tie", "first")]
    items = [
        pair(i, t, votes=[(f"expert_{k}", v) for k, v in enumerate(cast)], extra={"turn": turn})
        for i, (cast, t, turn) in enumerate(zip(votes, ["first", "second", "tie"], [1, 1, 2], strict=True))
    ]
    verdicts = [said(items[0], "first"), said(items[1], "tie"), said(items[2], "first")]
    counts = {"judge": {"values": {"verdicts": {"model_a": 3, "tie": 1, "tie (inconsistent)": 1}}}}
    rows = counted("mtbench", items, {"judge": verdicts}, counts=counts)
    assert value(rows, "judge", "vote_agreement[turn 1, with ties]") == 2 / 4
    assert value(rows, "judge", "vote_agreement[turn 1, without ties]") == 1
    assert value(rows, "judge", "comparisons[turn 1, without ties]") == 2
    assert value(rows, HUMANS, "vote_agreement[turn 1, with ties]") == pytest.approx(1 / 3)
    assert value(rows, HUMANS, "comparisons[turn 1, without ties]") == 1
    assert value(rows, "judge", "vote_agreement[turn 2, with ties]") == 1 / 2
    assert value(rows, HUMANS, "vote_agreement[turn 2, with ties]") == 0
    assert value(rows, "judge", "majority_agreement") == 1 / 3
    assert value(rows, "judge", "majority_comparisons[decisive]") == 1
    assert value(rows, "judge", "inconsistent_rate") == 1 / 5


def test_mtbench_judge_counts_only_where_it_has_a_verdict():
    items = [pair(i, "first", votes=[("expert_1", "first")], extra={"turn": 1}) for i in range(3)]
    rows = counted("mtbench", items, {"judge": both(items[:2], ["first", "second"], ["first", "first"])})
    assert value(rows, "judge", "vote_agreement[turn 1, with ties]") == 1 / 2  # two different verdicts are a tie
    assert value(rows, "judge", "majority_comparisons") == 2


# ---- MELD ----


def test_meld_length_gap():
    items = [pair(i, "first", category="long" if i < 4 else "short") for i in range(6)]
    said_ = ["first", "first", "first", "second", "first", "error"]
    rows = counted("meld", items, {"judge": [said(item, outcome) for item, outcome in zip(items, said_, strict=True)]})
    assert value(rows, "judge", "accuracy_first[long]") == 3 / 4
    assert value(rows, "judge", "accuracy_first[short]") == 1 / 2
    assert value(rows, "judge", "length_gap") == 1 / 4
    assert rows["judge", "length_gap", "published"].errors == 1


def test_unknown_protocol():
    with pytest.raises(JudgemergeError, match="unknown published protocol 'llmbars'; did you mean 'llmbar'?"):
        published.PROTOCOLS.load("llmbars")


@pytest.mark.parametrize(
    ("file", "right", "wrong", "message"),
    [
        (
            "benchmarks",
            "published: meld",
            "published: melt",
            "meld_length_bias: unknown published protocol 'melt'; did",
        ),
        (
            "recorded",
            "    meld_length_bias:",
            "    meld_length_bia:",
            "autoj_meld: unknown benchmark 'meld_length_bia'; d",
        ),
        ("recorded", "mtbench_gpt4_pairs", "mtbench_gpt4_pair", "verdicts is 'mtbench_gpt4_pair', neither a key of"),
    ],
)
def test_mistakes_in_the_catalogues_are_found_before_the_first_job(repository, tmp_path, file, right, wrong, message):
    shutil.copytree(repository / "config", tmp_path / "config")
    path = tmp_path / "config" / f"{file}.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(right, wrong), encoding="utf-8")
    settings = load_yaml(repository / "config" / "studies" / "replay.yaml")
    with pytest.raises(JudgemergeError, match=message):
        load_study(settings, "replay.yaml", tmp_path / "config")


def test_the_replay_study_is_valid_and_has_no_models(repository):
    settings = load_yaml(repository / "config" / "studies" / "replay.yaml")
    study = load_study(settings, "replay.yaml", repository / "config")
    assert study.model_names == set()
    assert {study.kind(judge) for judge in study.judges} == {"recorded", "baseline", "jury", "cascade"}
    unseen = {name for name, judge in study.catalogues.recorded.items() if judge.format == "biggen"}
    assert set(study.catalogues.recorded) - set(study.judges) == unseen
    # Of the others the numbers of calibration.csv and panels.csv are compared.
    others = [benchmark for benchmark in study.benchmarks if not study.published_protocol(benchmark)]
    assert others == ["trust_or_escalate", "trust_or_escalate_held_out"]


# ---- published numbers ----


def write_expected(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([HEADER, *(line.replace(" | ", "\t") for line in lines)]) + "\n", encoding="utf-8")
    return path


def score(metric, value, judge="judge", rules="published", note=""):
    return {"judge": judge, "benchmark": "bench", "metric": metric, "rules": rules, "value": value,
            "n": "10", "errors": "0", "note": note}  # fmt: skip


def test_numbers_are_read_as_printed(tmp_path):
    path = write_expected(
        tmp_path / "expected.tsv",
        "replay | judge | bench | a | published | 54.96% | 0.005% | printed | paper",
        "replay | judge | bench | a | published | 765/1392 | 0 | recomputed | file",
        "other | judge | bench | b | house | -0.2145 | 5e-5 | printed | paper",
    )
    lines = expected.read_expected(path)
    assert [line.published for line in lines] == pytest.approx([0.5496, 765 / 1392, -0.2145])
    assert [line.tolerance for line in lines] == pytest.approx([0.00005, 0, 0.00005])
    assert lines[0].printed == "54.96%"
    assert [line.study for line in expected.read_expected(path, "other")] == ["other"]
    assert expected.read_expected(tmp_path / "none.tsv") == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("replay | j | b | m | published | x | 0 | printed | p", "line 2: published is 'x', not a number like"),
        ("replay | j | b | m | published | 1/0 | 0 | printed | p", "line 2: published is '1/0', not a number"),
        ("replay | j | b | m | published | 1 | 0 | guessed | p", "kind is 'guessed', not printed or recomputed"),
        ("replay | j | b | m | theirs | 1 | 0 | printed | p", "rules is 'theirs', not published or house"),
        ("replay | j | b | m | published | 1 | 0 | printed", "line 2 does not have 9 filled fields"),
        ("replay | j | b | m | published | 1 | 0 | printed |  ", "line 2 does not have 9 filled fields"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, message):
    path = tmp_path / "expected.tsv"
    path.write_text(f"{HEADER}\n{line.replace(' | ', chr(9)).rstrip(' ')}\n", encoding="utf-8")
    with pytest.raises(JudgemergeError, match=f"expected.tsv: .*{message}"):
        expected.read_expected(path)


def test_a_repeated_line_and_a_wrong_header_are_named(tmp_path):
    line = "replay | j | b | m | published | 1 | 0 | printed | p"
    with pytest.raises(JudgemergeError, match="line 3 repeats line 2; delete one"):
        expected.read_expected(write_expected(tmp_path / "expected.tsv", line, line))
    (tmp_path / "expected.tsv").write_text("study\tjudge\n")
    with pytest.raises(JudgemergeError, match="line 1 is not the header study, judge"):
        expected.read_expected(tmp_path / "expected.tsv")


def test_comparison_and_its_sentences(tmp_path):
    path = write_expected(
        tmp_path / "expected.tsv",
        "replay | judge | bench | near | published | 54.96% | 0.005% | printed | paper",
        "replay | judge | bench | far | published | 54.96% | 0.005% | printed | paper, table 2",
        "replay | judge | bench | absent | published | 1 | 0 | printed | paper",
        "replay | judge | bench | undefined | house | 1 | 0 | printed | paper",
    )
    scores = [score("near", "0.549649"), score("far", "0.549651"), score("absent", "1", rules="house"),
              score("undefined", "", rules="house", note="one class")]  # fmt: skip
    rows = expected.compare(expected.read_expected(path), scores)
    assert [row.result for row in rows] == ["pass", "fail", "fail", "fail"]
    assert rows[0].difference == pytest.approx(0.000049)
    sentences = expected.failures(rows, "published.csv").splitlines()
    assert sentences[0] == "published.csv: 3 of 4 published numbers are not reproduced."
    assert sentences[1] == (
        "judge on bench, far (published rules): published is 54.96% (paper, table 2), but 0.549651 came out, off by "
        "5.1e-05 where 5e-05 is allowed."
    )
    assert sentences[2].endswith("no value came out: this cell is in none of the tables that are compared with papers.")
    assert sentences[3].endswith("but no value came out: one class.")
    assert expected.failures(rows[:1], "published.csv") == ""
    many = expected.failures(rows[1:2] * 40, "published.csv").splitlines()
    assert len(many) == 32 and many[-1] == "10 more are in the table."


def test_expected_numbers_of_the_repository(repository):
    lines = expected.read_expected(repository / "config" / "expected.tsv")
    note = (repository / "docs" / "studies" / "replay.md").read_text(encoding="utf-8")
    assert f"compares {len(lines)} numbers" in note
    for kind in expected.CHOICES["kind"]:
        assert f"{kind.capitalize()}* ones ({sum(line.kind == kind for line in lines)})".lower() in note.lower()
    for line in lines:
        assert "published.md" not in line.source
        digits = line.printed.rstrip("%").partition(".")[2]
        if "/" not in line.printed and digits and line.tolerance > 1e-8:
            unit = 10 ** -len(digits) / (100 if line.printed.endswith("%") else 1)
            assert line.tolerance == pytest.approx(unit / 2), line


def test_page_shows_published_rules_by_metric():
    rows = [
        dict.fromkeys(COLUMNS, "") | score("kappa", 0.5) | {"protocol": "pairwise", "ci_low": math.nan, "n": 10},
        dict.fromkeys(COLUMNS, "")
        | score("truths", 7.0, HUMANS)
        | {"protocol": "pairwise", "ci_low": math.nan, "n": 9},
    ]
    ((heading, html),) = agreement.sections(pd.DataFrame(rows), ["judge"])
    assert heading == "bench (pairwise, published rules)"
    assert "<tr><th>metric</th><th>n</th><th>judge</th><th>humans</th></tr>" in html
    assert "<tr><td>kappa</td><td>10</td><td>0.500</td><td></td></tr>" in html
    assert "<tr><td>truths</td><td>9</td><td></td><td>7</td></tr>" in html
