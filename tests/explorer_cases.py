"""A study with pairs and grades, as the explorer gets it: what tests of its contents and of its page share."""

from judgemerge.core.items import Item, Verdict, Vote
from judgemerge.prompting.parsing import Reply
from judgemerge.report.explorer import Contents, CsvTable, Judge, Judged
from judgemerge.report.standings import standings_of

JUDGES = [
    Judge("big", "The big one", "merge"),
    Judge("small", "small", "base"),
    Judge("gpt", "GPT", "recorded"),
    Judge("longer", "longer", "baseline"),
]
AGREEMENT_HEAD = [
    "judge",
    "benchmark",
    "protocol",
    "metric",
    "value",
    "ci_low",
    "ci_high",
    "n",
    "errors",
    "rules",
    "note",
]
COMPARISONS_HEAD = ["judge_a", "judge_b", "benchmark", "metric", "difference", "p_holm"]


def pair(number, prompt="Name a colour.", first="red", second="a spoon", truth="first", votes=(), **more):
    """Return a pair of responses."""
    return Item(
        id=f"pair {number}",
        benchmark="pairs",
        protocol="pairwise",
        turns=(prompt,),
        responses=((first,), (second,)),
        truth=truth,
        cluster=str(number),
        origin={"source": "here", "row": number},
        votes=tuple(Vote(f"annotator {place}", vote) for place, vote in enumerate(votes)),
        **{"category": ("colours", "tools")[number % 2], **more},
    )


def grade(number, truth=3.0):
    """Return one response that people have graded."""
    return Item(
        id=f"grade {number}",
        benchmark="grades",
        protocol="pointwise",
        turns=("Greet me.",),
        responses=(("Hello" * (number + 1),),),
        truth=truth,
        cluster=str(number),
        origin={"source": "here", "row": number},
        reference="Good morning",
    )


def verdicts(items, original, swapped=None):
    """Return the verdicts of a judge; the outcomes of each order are repeated until there is one for every item."""
    found = []
    for number, item in enumerate(items):
        for order, outcomes in (("original", original), ("swapped", swapped)):
            if outcomes:
                outcome = outcomes[number % len(outcomes)]
                reason = "no_verdict" if outcome == "error" else None
                found.append(
                    Verdict(item.id, order, outcome, reason=reason, raw=None if reason else f"Verdict {outcome}")
                )
    return found


def replies(items, text="I think so. Verdict"):
    """Return what a judge wrote of every item in both orders."""
    return [
        Reply(item.benchmark, item.id, order, "key", f"{text}: {item.id}, {order}", None, 9, 3, "stop")
        for item in items
        for order in ("original", "swapped")
    ]


def table(name, head, rows, title=None):
    """Return a table with a word for each column."""
    columns = {column: (f"meaning of {column}", ".3f" if column == "value" else "") for column in head}
    return CsvTable(name, title or name.title(), columns, head, rows)


def study(items=None, text="I think so. Verdict", more_tables=(), description="Words."):
    """Return a study: the pairs given, else four, with three judges and a baseline; two grades."""
    items = items or [
        pair(0, votes=("first", "first")),
        pair(1, votes=("first", "second")),
        pair(2, truth="second", second="a rather long response"),
        pair(3, truth="tie"),
    ]
    grades = [grade(0), grade(1, truth=5.0)]
    said = {
        "big": verdicts(items, ["first", "second", "second", "tie"], ["first", "first", "second", "tie"]),
        "small": verdicts(items, ["first", "second", "first", "error"], ["first", "second", "first", "tie"]),
        "gpt": verdicts(items, ["first"]),
        "longer": verdicts(items, ["second"], ["second"]),
    }
    pairs = Judged("pairs", "pairwise", items, said, {judge: replies(items, text) for judge in ("big", "small")}, {})
    scores = [
        Verdict(item.id, "original", "score", score=score) for item, score in zip(grades, (3.5, 2.0), strict=True)
    ]
    pointwise = Judged("grades", "pointwise", grades, {"big": scores}, {}, {"small": "no memory"})
    agreement = [
        [judge, "pairs", "pairwise", "accuracy", value, value - 0.1, value + 0.1, 4, 0, "house", None]
        for judge, value in (("big", 0.9), ("small", 0.5), ("gpt", 0.8), ("longer", 0.1234567))
    ]
    agreement.append(["big", "grades", "pointwise", "spearman", None, None, None, 2, 0, "house", "two items"])
    comparisons = [
        ["big", "small", "pairs", "accuracy", 0.4, 0.01],
        ["big", "gpt", "pairs", "accuracy", 0.1, 0.6],
        ["big", "longer", "pairs", "accuracy", 0.78, 0.001],
        ["small", "gpt", "pairs", "accuracy", -0.3, 0.2],
        ["small", "longer", "pairs", "accuracy", 0.38, 0.2],
        ["gpt", "longer", "pairs", "accuracy", 0.68, 0.001],
    ]
    tables = [
        table("agreement", AGREEMENT_HEAD, agreement, "Judge–human agreement"),
        table("comparisons", COMPARISONS_HEAD, comparisons, "Paired comparisons"),
        *more_tables,
    ]
    rows = [[dict(zip(one.head, row, strict=True)) for row in one.rows] for one in tables[:2]]
    return Contents("mine", description, JUDGES, [pairs, pointwise], tables, standings_of(*rows))
