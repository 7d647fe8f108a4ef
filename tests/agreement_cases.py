"""Random and hand-made items and verdicts for the agreement tests."""

import numpy as np

from judgemerge.core.items import Item, Verdict, Vote

CLASSES = ("first", "second", "tie")


def pair(index, truth, cluster=None, votes=(), **more):
    return Item(
        id=f"item{index:04d}",
        benchmark=more.pop("benchmark", "bench"),
        protocol="pairwise",
        turns=("question",),
        responses=more.pop("responses", (("one",), ("two",))),
        truth=truth,
        cluster=f"c{index if cluster is None else cluster}",
        origin={"source": "made", "row": index},
        votes=tuple(Vote(annotator, vote) for annotator, vote in votes),
        **more,
    )


def point(index, truth, cluster=None, votes=(), **more):
    return Item(
        id=f"item{index:04d}",
        benchmark="bench",
        protocol="pointwise",
        turns=("question",),
        responses=(("answer",),),
        truth=truth,
        cluster=f"c{index if cluster is None else cluster}",
        origin={"source": "made", "row": index},
        votes=tuple(Vote(annotator, vote) for annotator, vote in votes),
        **more,
    )


def said(item, outcome, order="original"):
    if outcome == "error":
        return Verdict(item.id, order, "error", reason="no_verdict")
    if isinstance(outcome, str):
        return Verdict(item.id, order, outcome)
    return Verdict(item.id, order, "score", float(outcome))


def both(items, original, swapped):
    verdicts = [said(item, outcome) for item, outcome in zip(items, original, strict=True)]
    return verdicts + [said(item, outcome, "swapped") for item, outcome in zip(items, swapped, strict=True)]


def random_pairwise(seed):
    """Return items, original outcomes, swapped outcomes: random sizes, clusters, ties, errors, constant judges."""
    rng = np.random.default_rng(seed)
    n_items = int(rng.integers(2, 60))
    classes = CLASSES if rng.random() < 0.7 else CLASSES[:2]
    truth = rng.choice(classes, n_items)
    items = [pair(i, str(t), cluster=int(rng.integers(max(2, n_items // 2)))) for i, t in enumerate(truth)]
    outcomes = []
    constant = rng.random() < 0.15
    for _ in range(2):
        guess = np.where(rng.random(n_items) < rng.random(), truth, rng.choice(CLASSES, n_items)).astype(object)
        guess[rng.random(n_items) < rng.choice([0, 0.1, 0.4])] = "error"
        outcomes.append([str(CLASSES[seed % 3] if constant else g) for g in guess])
    return items, *outcomes


def random_pointwise(seed):
    """Return items and scores (a number or "error"): scales of few or many levels, ties, errors, constant judges."""
    rng = np.random.default_rng(1000 + seed)
    n_items = int(rng.integers(3, 60))
    truth = rng.integers(1, 6, n_items).astype(float) if seed % 2 else np.round(rng.normal(5, 2, n_items), 1)
    score = truth + rng.normal(0, 1 + seed % 3, n_items)
    score = np.clip(np.round(score), 1, 10) if seed % 4 else score
    if seed % 11 == 0:
        score = np.full(n_items, 4.0)
    lost = rng.random(n_items) < rng.choice([0, 0.1, 0.3])
    items = [point(i, float(t), cluster=int(rng.integers(max(2, n_items // 2)))) for i, t in enumerate(truth)]
    return items, ["error" if gone else float(s) for s, gone in zip(score, lost, strict=True)]


def values(table, judge=None):
    """Return metric → value of one judge of a score table."""
    rows = table if judge is None else table[table["judge"] == judge]
    return dict(zip(rows["metric"], rows["value"], strict=True))
