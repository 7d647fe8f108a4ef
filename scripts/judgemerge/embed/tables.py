"""retrieval.csv and retrieval_differences.csv: every model on every task, with intervals, and against the base."""

from collections.abc import Mapping, Sequence

import pandas as pd

from judgemerge.embed import decisions as rounds
from judgemerge.embed import retrieval

COLUMNS = (
    "model", "kind", "tuned_share", "task", "role", "metric", "value", "ci_low", "ci_high", "n", "errors", "note",
)  # fmt: skip
DIFFERENCE_COLUMNS = (
    "model", "kind", "against", "task", "role", "metric", "value", "ci_low", "ci_high", "p", "n", "note",
)  # fmt: skip


def recall_of(rows: Sequence[Mapping], task: str, k: int) -> float:
    """Return the mean recall@k of rank rows {task, id, cluster, ranks} on one task."""
    found = [row["ranks"] for row in rows if row["task"] == task]
    return float(retrieval.values(found, k)[f"recall@{k}"].mean())


def described(
    ranks: Mapping[str, list],
    shares: Mapping[str, float],
    rerankers: Sequence[str],
    decisions: Sequence[Mapping],
    others: Mapping[str, str] | None = None,
) -> dict[str, dict]:
    """Return what `retrieval_tables` wants to know of every model that has ranks, in the order shown.

    `tuned` is the iteration with the highest recall; mixtures stand between base and tuned by share;
    `others` gives the kind of every further model.
    """
    chosen = rounds.best(decisions)["iteration"]
    iterations = {f"iteration_{decision['iteration']}" for decision in rounds.run(decisions)}
    models = {"base": {"kind": "base", "tuned_share": 0.0, "against": None}}
    for name in ranks:
        if name in iterations:
            models[name] = {"kind": "iteration", "tuned_share": None, "against": "base"}
    for name, share in sorted(shares.items(), key=lambda entry: entry[1]):
        models[name] = {"kind": "mixed", "tuned_share": share, "against": "base"}
    models["tuned"] = {"kind": "tuned", "tuned_share": 1.0, "against": "base"}
    for name, kind in (others or {}).items():
        models[name] = {"kind": kind, "tuned_share": None, "against": "base"}
    for name in rerankers:
        against = rerankers[0] if name != rerankers[0] else "tuned"
        models[name] = {"kind": "reranked", "tuned_share": None, "against": against}
    known = {**ranks, "tuned": ranks[f"iteration_{chosen}"]}
    return {name: {**model, "ranks": known[name]} for name, model in models.items()}


def retrieval_tables(
    models: Mapping[str, Mapping], roles: Mapping[str, str], errors: Mapping[str, int], k: int, settings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both tables.

    `models`: name → {kind, tuned_share, against, ranks}, where ranks are rows {task, id, cluster, ranks} and `against`
    names the model of the difference (None: no difference). `roles`: task → target or other, in the order shown.
    Every model must have ranked the same queries of a task that it has ranked at all.
    """
    rows, gaps = [], []
    for task, role in roles.items():
        found: dict[str, dict] = {}
        queries: dict[str, list[str]] = {}
        for name, model in models.items():
            of_task = [row for row in model["ranks"] if row["task"] == task]
            if not of_task:
                continue
            clusters = [row["cluster"] for row in of_task]
            found[name] = retrieval.values([row["ranks"] for row in of_task], k)
            queries[name] = [row["id"] for row in of_task]
            about = {"model": name, "kind": model["kind"], "task": task, "role": role}
            for row in retrieval.scores(task, clusters, found[name], settings):
                rows.append({**about, "tuned_share": model["tuned_share"], "errors": errors[task], **row})
            against = model["against"]
            if against in found:
                if queries[name] != queries[against]:
                    raise ValueError(f"{name} and {against} have ranked different queries of {task}")
                for row in retrieval.differences(task, clusters, found[against], found[name], settings):
                    gaps.append({**about, "against": against, **row})
    return pd.DataFrame(rows, columns=list(COLUMNS)), pd.DataFrame(gaps, columns=list(DIFFERENCE_COLUMNS))
