"""Who stands where: the best judge, those level with it, and the places that comparisons leave open."""

from judgemerge.report.standings import beaten_by, headline_metrics, is_lower_better, standings_of


def row(judge, metric="accuracy", value=0.5, rules="house"):
    """Return a row of agreement.csv."""
    common = {"benchmark": "pairs", "protocol": "pairwise", "ci_low": None, "ci_high": None, "n": 9, "errors": 1}
    return common | {"judge": judge, "metric": metric, "value": value, "rules": rules, "note": None}


def compared(one, other, difference, p, metric="accuracy"):
    """Return a row of comparisons.csv."""
    names = {"judge_a": one, "judge_b": other, "benchmark": "pairs", "metric": metric}
    return names | {"difference": difference, "p_holm": p}


def test_the_best_and_those_level_with_it_are_marked_and_ranked():
    scores = [row("a", value=0.9), row("b", value=0.8), row("c", value=0.4)]
    pairs = [compared("a", "b", 0.1, 0.3), compared("c", "a", -0.5, 0.001), compared("b", "c", 0.4, 0.2)]
    cells = {judge: of["accuracy"] for judge, of in standings_of(scores, pairs)["pairs"].judges.items()}
    assert {judge: (cell.mark, cell.ranks) for judge, cell in cells.items()} == {
        "a": ("best", (1, 2)),
        "b": ("level", (1, 3)),
        "c": ("", (2, 3)),
    }


def test_places_are_given_only_where_everybody_is_compared_with_everybody():
    scores = [row("a", value=0.9), row("b", value=0.8), row("c", value=0.4)]
    pairs = [compared("a", "b", 0.1, 0.3), compared("a", "c", 0.5, 0.001)]
    cells = standings_of(scores, pairs)["pairs"].judges
    assert [(cells[judge]["accuracy"].mark, cells[judge]["accuracy"].ranks) for judge in "abc"] == [
        ("best", None),
        ("level", None),
        ("", None),
    ]


def test_of_two_tests_the_first_counts_and_what_is_undefined_does_not():
    pairs = [compared("a", "b", 0.1, 0.3), compared("a", "b", 0.1, 0.01), compared("a", "c", None, None)]
    assert beaten_by(pairs, lower=False) == {"a": set(), "b": set()}
    assert beaten_by([compared("a", "b", 0.1, None)], lower=False) == {"a": set(), "b": set()}


def test_where_less_is_better_the_smallest_is_the_best():
    lower = next(name for name in ("mae", "rmse") if is_lower_better(name))
    assert not is_lower_better("accuracy") and not is_lower_better("unheard of")
    scores = [row("a", lower, 0.9), row("b", lower, 0.2)]
    standing = standings_of(scores, [compared("a", "b", 0.7, 0.001, lower)])["pairs"]
    assert [standing.judges[judge][lower].mark for judge in "ab"] == ["", "best"]
    assert [standing.judges[judge][lower].ranks for judge in "ab"] == [(2, 2), (1, 1)]


def test_a_judge_alone_and_a_metric_that_is_not_compared_have_no_place():
    standing = standings_of([row("a"), row("a", "ties", 0.1)], [])["pairs"]
    assert {(cell.mark, cell.ranks) for cell in standing.judges["a"].values()} == {("", None)}


def test_the_metric_that_most_judges_have_comes_first():
    first, other = headline_metrics()[:2]
    scores = [row("a", "ties"), row("a", first, None), row("a", other), row("b", other), row("b", first)]
    standing = standings_of([*scores, row("people", "published_f1", rules="published")], [])["pairs"]
    assert standing.metrics == [other, "ties", first]
    assert list(standing.judges) == ["a", "b"]
