"""retrieval.csv and retrieval_differences.csv: every model on every task, with intervals, and against the base."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from judgemerge.core import files
from judgemerge.core.frames import write_table
from judgemerge.embed import decisions as rounds
from judgemerge.embed import retrieval
from judgemerge.embed.retrieval import RankRow
from judgemerge.settings.report import Statistics

COLUMNS = (
    "model", "kind", "tuned_share", "task", "role", "metric", "value", "ci_low", "ci_high", "n", "errors", "note",
)  # fmt: skip
DIFFERENCE_COLUMNS = (
    "model", "kind", "against", "task", "role", "metric", "value", "ci_low", "ci_high", "detectable",
    "p", "n", "note",
)  # fmt: skip


class RankedModel(NamedTuple):
    """One model in the tables: `against` names the model of its difference, None where there is none."""

    kind: str
    tuned_share: float | None
    against: str | None
    ranks: Sequence[RankRow]


def write_tables(
    ranks: Sequence[str], reranked: Sequence[str], decisions: Sequence[str], mixed: Sequence[str],
    counts: Sequence[str], roles: Mapping[str, str], others: Mapping[str, str], k: int, settings: Statistics,
    tables: Sequence[str],
) -> None:  # fmt: skip
    """Write both tables from the files of a study: ranks, decisions, manifests of mixtures, counts of tasks."""
    shares = {Path(path).stem: files.read_json(path)["made_by"]["tuned_share"] for path in mixed}
    rows = {Path(path).stem: retrieval.read_ranks(path) for path in (*ranks, *reranked)}
    rerankers = [Path(path).stem for path in reranked]
    models = ranked_models(rows, shares, rerankers, rounds.read(decisions), others)
    errors = {Path(path).name.split(".")[0]: files.read_json(path)["left_out"] for path in counts}
    for frame, path in zip(retrieval_tables(models, roles, errors, k, settings), tables, strict=True):
        write_table(path, frame)


def ranked_models(
    ranks: Mapping[str, Sequence[RankRow]],
    shares: Mapping[str, float],
    rerankers: Sequence[str],
    decisions: Sequence[rounds.Decision],
    others: Mapping[str, str] | None = None,
) -> dict[str, RankedModel]:
    """Return every model that has ranks, in the order shown.

    `tuned` is the iteration with the highest recall; mixtures stand between base and tuned by share;
    `others` gives the kind of every further model.
    """
    best = rounds.best(decisions).iteration
    iterations = {f"iteration_{decision.iteration}" for decision in rounds.run(decisions)}
    models = {"base": RankedModel("base", 0.0, None, ranks["base"])}
    for name in ranks:
        if name in iterations:
            models[name] = RankedModel("iteration", None, "base", ranks[name])
    for name, share in sorted(shares.items(), key=lambda entry: entry[1]):
        models[name] = RankedModel("mixed", share, "base", ranks[name])
    models["tuned"] = RankedModel("tuned", 1.0, "base", ranks[f"iteration_{best}"])
    for name, kind in (others or {}).items():
        models[name] = RankedModel(kind, None, "base", ranks[name])
    for name in rerankers:
        against = rerankers[0] if name != rerankers[0] else "tuned"
        models[name] = RankedModel("reranked", None, against, ranks[name])
    return models


def retrieval_tables(
    models: Mapping[str, RankedModel], roles: Mapping[str, str], errors: Mapping[str, int], k: int, settings: Statistics
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both tables. `roles`: task → target or other, in the order shown.

    Every model must have ranked the same queries of a task that it has ranked at all.
    """
    rows, differences = [], []
    for task, role in roles.items():
        values: dict[str, dict] = {}
        queries: dict[str, list[str]] = {}
        for name, model in models.items():
            of_task = [row for row in model.ranks if row.task == task]
            if not of_task:
                continue
            clusters = [row.cluster for row in of_task]
            values[name] = retrieval.values([row.ranks for row in of_task], k)
            queries[name] = [row.id for row in of_task]
            about = {"model": name, "kind": model.kind, "task": task, "role": role}
            for row in retrieval.scores(task, clusters, values[name], settings):
                rows.append({**about, "tuned_share": model.tuned_share, "errors": errors[task], **row})
            against = model.against
            if against in values:
                if queries[name] != queries[against]:
                    raise ValueError(f"{name} and {against} have ranked different queries of {task}")
                for row in retrieval.differences(task, clusters, values[against], values[name], settings):
                    differences.append({**about, "against": against, **row})
    return pd.DataFrame(rows, columns=list(COLUMNS)), pd.DataFrame(differences, columns=list(DIFFERENCE_COLUMNS))
