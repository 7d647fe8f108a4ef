"""Human agreement: majority and leave-one-out, votes as in MT-Bench, Krippendorff's alpha."""

import itertools

import krippendorff
import numpy as np
import pytest
from agreement_cases import both, pair, point, said
from sklearn.metrics import cohen_kappa_score, f1_score

from judgemerge.core.items import Verdict
from judgemerge.evaluate import humans
from judgemerge.evaluate.verdict_arrays import benchmark_arrays, judge_arrays
from judgemerge.settings.report import Statistics

FEW = Statistics(resamples=100)
CLASSES = ["first", "second", "tie"]


def voted(seed, n_items=40, protocol="pairwise", annotators=4):
    """Items with 1 to `annotators` votes each; three items share a cluster."""
    rng = np.random.default_rng(seed)
    items = []
    for i in range(n_items):
        n_votes = int(rng.integers(1, annotators + 1))
        who = rng.choice(annotators, n_votes, replace=False)
        if protocol == "pairwise":
            lean = rng.dirichlet([0.5] * 3)
            votes = [(f"person{w}", str(rng.choice(CLASSES, p=lean))) for w in sorted(who)]
        else:
            level = rng.integers(1, 10)
            votes = [(f"person{w}", float(level + rng.integers(-2, 3))) for w in sorted(who)]
        truth = humans.majority([vote for _, vote in votes])
        make = pair if protocol == "pairwise" else point
        items.append(make(i, truth, cluster=i // 3, votes=votes))
    return items


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        (["first", "first", "second"], "first"),
        (["first", "second"], "tie"),
        (["first", "second", "tie"], "tie"),
        (["tie", "first", "first"], "first"),
        (["tie", "tie", "first", "first"], "tie"),
        (["second"], "second"),
        ([1.0, 2.0, 6.0], 3.0),
        ([], None),
    ],
)
def test_majority(votes, expected):
    assert humans.majority(votes) == expected


def test_vote_summary():
    items = [
        pair(0, "first", votes=[("a", "first"), ("b", "first")]),
        pair(1, "second", votes=[("a", "first"), ("b", "second")]),
        pair(2, "tie", votes=[("c", "tie")]),
        pair(3, "tie"),
    ]
    row = humans.vote_summary(items)
    assert (row.n, row.votes, row.annotators) == (3, 5, 3)
    assert (row.unanimous, row.split, row.truth_differs) == (1, 1, 1)


@pytest.mark.parametrize("seed", range(50))
def test_annotators_against_majority_and_others_equal_sklearn(seed):
    items = voted(seed)
    table = humans.annotator_agreement(items, Statistics(resamples=2)).set_index(["annotator", "against", "metric"])
    expected = {}
    for item in items:
        votes = [v.vote for v in item.votes]
        if len(votes) < 2:
            continue
        for k, vote in enumerate(item.votes):
            others = votes[:k] + votes[k + 1 :]
            references = {"majority": humans.majority(votes), "others": humans.majority(others)}
            if not humans.is_split(others):
                references["others, splits left out"] = humans.majority(others)
            for against, reference in references.items():
                for who in ("all", vote.annotator):
                    expected.setdefault((who, against), []).append((reference, vote.vote))
    assert len(table) == 3 * len(expected)
    for (who, against), pairs in expected.items():
        reference, own = zip(*pairs, strict=True)
        assert table.loc[(who, against, "accuracy"), "n"] == len(pairs)
        assert table.loc[(who, against, "accuracy"), "value"] == pytest.approx(np.equal(reference, own).mean())
        f1 = f1_score(reference, own, labels=sorted(set(reference)), average="macro", zero_division=0)
        assert table.loc[(who, against, "macro_f1"), "value"] == pytest.approx(f1)
        if len({*reference, *own}) > 1:
            assert table.loc[(who, against, "kappa"), "value"] == pytest.approx(cohen_kappa_score(reference, own))


def test_leave_one_out_by_hand():
    items = [
        pair(0, "first", votes=[("a", "first"), ("b", "first"), ("c", "second")]),
        pair(1, "second", votes=[("a", "second"), ("b", "second"), ("c", "second")]),
    ]
    table = humans.annotator_agreement(items, FEW).set_index(["annotator", "against", "metric"])
    assert table.loc[("all", "majority", "accuracy"), "value"] == pytest.approx(5 / 6)
    # On the first item a and b each face a split (a tie, which they do not say), and c faces "first".
    assert table.loc[("all", "others", "accuracy"), "value"] == pytest.approx(3 / 6)
    assert table.loc[("all", "others", "accuracy"), "splits"] == 2
    assert table.loc[("all", "others, splits left out", "accuracy"), "value"] == pytest.approx(3 / 4)


def test_pointwise_annotators():
    table = humans.annotator_agreement(voted(1, protocol="pointwise"), FEW)
    assert set(table["metric"]) == {"pearson", "spearman", "kendall", "mae"}
    assert set(table["against"]) == {"majority", "others"}
    ceiling = table[(table["annotator"] == "all") & (table["metric"] == "pearson")].set_index("against")["value"]
    assert ceiling["others"] < ceiling["majority"]  # one's own vote in the mean flatters


def test_annotator_pairs_equal_sklearn():
    items = voted(3, n_items=60)
    table = humans.annotator_pairs(items, min_shared=10, settings=FEW)
    assert len(table) == 2 * 6
    for row in table[table["metric"] == "kappa"].itertuples():
        shared = [
            [vote.vote for name in (row.annotator_a, row.annotator_b) for vote in item.votes if vote.annotator == name]
            for item in items
        ]
        one, other = zip(*[pair for pair in shared if len(pair) == 2], strict=True)
        assert row.n == len(one)
        assert row.value == pytest.approx(cohen_kappa_score(one, other))
        assert row.ci_low < row.value < row.ci_high
    assert humans.annotator_pairs(items, min_shared=1000).empty


def test_combined_verdict():
    items = [pair(i, "first") for i in range(5)]
    original = ["first", "first", "tie", "error", "error"]
    swapped = ["first", "second", "tie", "first", "error"]
    judge = judge_arrays(benchmark_arrays(items), "j", both(items, original, swapped))
    assert humans.combined_codes(judge).tolist() == [0, 2, 2, 3, 3]
    alone = judge_arrays(benchmark_arrays(items), "j", [said(i, o) for i, o in zip(items, original, strict=True)])
    assert humans.combined_codes(alone).tolist() == [0, 0, 2, 3, 3]


def test_vote_agreement_by_hand():
    items = [
        pair(0, "first", votes=[("a", "first"), ("b", "first"), ("c", "tie")]),
        pair(1, "second", votes=[("a", "second"), ("b", "first")]),
        pair(2, "second", votes=[("a", "second")], responses=()),
    ]
    verdicts = both(items[:2], ["first", "error"], ["first", "second"])
    table = humans.vote_agreement(items, {"j": verdicts}, FEW).set_index(["rater", "setting"])
    assert table.loc[("human", "with ties"), ["agreements", "n"]].tolist() == [1, 4]
    assert table.loc[("human", "without ties"), ["agreements", "n"]].tolist() == [1, 2]
    assert table.loc[("j", "with ties"), ["agreements", "n", "errors"]].tolist() == [2, 5, 2]
    assert table.loc[("j", "without ties"), ["agreements", "n", "errors"]].tolist() == [2, 4, 2]


@pytest.mark.parametrize("seed", range(50))
def test_vote_agreement_equals_counting(seed):
    items = voted(seed)
    rng = np.random.default_rng(seed)
    said_by = [str(rng.choice([*CLASSES, "error"])) for _ in items]
    verdicts = [said(item, outcome) for item, outcome in zip(items, said_by, strict=True)]
    table = humans.vote_agreement(items, {"j": verdicts}, Statistics(resamples=2)).set_index(["rater", "setting"])
    people = [(a.vote, b.vote) for item in items for a, b in itertools.combinations(item.votes, 2)]
    judge = [(v.vote, outcome) for item, outcome in zip(items, said_by, strict=True) for v in item.votes]
    for rater, pairs in (("human", people), ("j", judge)):
        decisive = [pair for pair in pairs if "tie" not in pair]
        for setting, chosen in (("with ties", pairs), ("without ties", decisive)):
            row = table.loc[(rater, setting)]
            assert (row["agreements"], row["n"]) == (sum(a == b for a, b in chosen), len(chosen))
            assert row["ci_low"] <= row["value"] <= row["ci_high"]


def test_items_the_judge_was_never_asked_about_do_not_count_against_it():
    items = [pair(i, "first", votes=[("a", "first")]) for i in range(4)]
    verdicts = [said(item, "first") for item in items[:2]]
    verdicts.append(Verdict(items[2].id, "original", "error", reason="not_recorded"))
    row = humans.vote_agreement(items, {"j": verdicts}, FEW).set_index(["rater", "setting"]).loc[("j", "with ties")]
    assert (row["agreements"], row["n"], row["errors"]) == (2, 2, 0)


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("protocol", ["pairwise", "pointwise"])
def test_alpha_equals_krippendorff_package(seed, protocol):
    items = voted(seed, protocol=protocol)
    rng = np.random.default_rng(seed)
    if protocol == "pairwise":
        outcomes = [str(rng.choice([*CLASSES, "error"])) for _ in items]
    else:
        outcomes = ["error" if rng.random() < 0.1 else float(rng.integers(1, 10)) for _ in items]
    verdicts = [said(item, outcome) for item, outcome in zip(items, outcomes, strict=True)]
    table = humans.alpha_table(items, {"j": verdicts}, FEW).set_index("raters")
    names = [f"person{k}" for k in range(4)]
    number = {name: index for index, name in enumerate(CLASSES)}

    def value(vote):
        return number[vote] if protocol == "pairwise" else vote

    data = np.full((5, len(items)), np.nan)
    for column, (item, outcome) in enumerate(zip(items, outcomes, strict=True)):
        for vote in item.votes:
            data[names.index(vote.annotator), column] = value(vote.vote)
        if outcome != "error":
            data[4, column] = value(outcome)
    level = "nominal" if protocol == "pairwise" else "interval"
    people = krippendorff.alpha(data[:4], level_of_measurement=level)
    with_judge = krippendorff.alpha(data, level_of_measurement=level)
    assert table.loc["humans", "value"] == pytest.approx(people, abs=1e-11)
    assert table.loc["humans and j", "value"] == pytest.approx(with_judge, abs=1e-11)
    assert table.loc["humans and j", "change"] == pytest.approx(with_judge - people, abs=1e-11)
    assert (table["ci_low"] < table["ci_high"]).all()


def test_alpha_formula_for_resamples_equals_the_package():
    rng = np.random.default_rng(0)
    for level in ("nominal", "interval"):
        table = rng.integers(0, 3, size=(30, 4)).astype(float)
        table[:, 0] += 2
        numbers = np.array([1.0, 2.0, 4.0, 7.0])
        names = CLASSES if level == "nominal" else numbers
        table = table[:, : len(names)]
        values = [[name for name, n in zip(names, row, strict=True) for _ in range(int(n))] for row in table]
        numbers = numbers[: len(names)]
        counts = humans._class_counts(values) if level == "nominal" else humans._number_counts(values)
        value = humans._alpha_of[level](np.stack(counts).sum(axis=1, keepdims=True))[0]
        expected = krippendorff.alpha(value_counts=table, value_domain=numbers, level_of_measurement=level)
        assert value == pytest.approx(expected)


def test_alpha_without_disagreement_or_votes():
    same = [pair(i, "first", votes=[("a", "first"), ("b", "first")]) for i in range(3)]
    assert humans.alpha_table(same, {}, FEW)["note"].tolist() == ["all values are the same"]
    single = [pair(i, "first", votes=[("a", "first")]) for i in range(3)]
    assert humans.alpha_table(single, {}, FEW)["note"].tolist() == ["fewer than two values on one item"]
