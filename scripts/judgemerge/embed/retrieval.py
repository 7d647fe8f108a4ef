"""Retrieval tasks, the rank of the right text for each query, and recall@k, MRR and nDCG with intervals.

A task is a list of queries and the texts they are searched in. Queries of one cluster (one document) share chunks, so
intervals resample clusters. An equal score counts against a model: the rank of a right text is one more than the number
of other texts that score at least as much.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.embed import EvaluationRow
from judgemerge.embed.evaluation_sets import read_rows
from judgemerge.evaluate import estimates
from judgemerge.evaluate.bootstrap import Replicated, difference_test, leave_one_out, weighted_sums
from judgemerge.evaluate.counts import divide
from judgemerge.evaluate.power import detectable_by_test


@dataclass(frozen=True)
class Query:
    """A query, the places of its right texts among the task's texts, and of those it is searched in (None: all)."""

    id: str
    text: str
    cluster: str
    right: tuple[int, ...]
    among: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Task:
    """Queries and the texts they are searched in."""

    queries: list[Query]
    texts: list[str]


class RankRow(NamedTuple):
    """The ranks of the right texts of one query of a task, from 1."""

    task: str
    id: str
    cluster: str
    ranks: list[int]


def read_ranks(path: str | Path) -> list[RankRow]:
    """Return the rows of a file of ranks."""
    return [RankRow(**row) for row in files.read_jsonl(path)]


def read_task(path: str | Path) -> Task:
    """Return the task that a file of evaluation rows holds."""
    return task_of(read_rows(path))


def task_of(rows: Sequence[EvaluationRow]) -> Task:
    """Return the task of evaluation rows.

    Equal texts are one text. Rows without `negatives` are searched in the right texts of all rows; a row with them only
    in its own texts, as in the examples of FlagEmbedding.
    """
    places: dict[str, int] = {}

    def place(text: str) -> int:
        return places.setdefault(text, len(places))

    queries = []
    for row in rows:
        right = tuple(dict.fromkeys(map(place, row.positives)))
        wrong = tuple(dict.fromkeys(map(place, row.negatives)))
        among = tuple(dict.fromkeys((*right, *wrong))) if wrong else None
        queries.append(Query(row.id, row.anchor, row.cluster, right, among))
    return Task(queries, list(places))


def ranks(task: Task, similarity: np.ndarray) -> list[list[int]]:
    """Return the 1-based ranks of every query's right texts, ascending; `similarity` is (n_queries, n_texts).

    A right text is ranked among all texts of the query, other right ones included.
    """
    ranks_of_queries = []
    for query, row in zip(task.queries, similarity, strict=True):
        pool = row if query.among is None else row[list(query.among)]
        # Ties with wrong texts count against the model, ties among right ones are broken by their order.
        right = sorted(query.right, key=lambda place: -row[place])
        ranks_of_queries.append([])
        for number, place in enumerate(right, 1):
            n_at_least = int((pool >= row[place]).sum()) - sum(int(row[other] >= row[place]) for other in right)
            ranks_of_queries[-1].append(n_at_least + number)
    return ranks_of_queries


def similarity(model, task: Task, query_prompt: str = "", batch_size: int = 32) -> np.ndarray:
    """Return the cosine of every query's and every text's embedding, (n_queries, n_texts), in double precision."""
    questions = [query_prompt + query.text for query in task.queries]
    queries, texts = (
        np.asarray(
            model.encode(texts, batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False), float
        )
        for texts in (questions, task.texts)
    )
    if not (np.isfinite(queries).all() and np.isfinite(texts).all()):
        raise JudgemergeError(
            "the embedding model gives values that are no numbers; check its training (precision, rate)"
        )
    return queries @ texts.T


def predicted(scorer, question_and_text: Sequence[tuple[str, str]], batch_size: int) -> np.ndarray:
    """Return the reranker's score of each (query, text); such as are no numbers would sort anyhow, and are refused."""
    scores = np.asarray(scorer.predict(list(question_and_text), batch_size=batch_size, show_progress_bar=False), float)
    if not np.isfinite(scores).all():
        raise JudgemergeError("the reranker gives scores that are no numbers; check its training (precision, rate)")
    return scores


def search(model, task: Task, query_prompt: str = "", batch_size: int = 32) -> list[list[int]]:
    """Return `ranks` by the cosine of the model's embeddings."""
    return ranks(task, similarity(model, task, query_prompt, batch_size))


def rerank(scorer, task: Task, similar: np.ndarray, depth: int, batch_size: int = 32) -> list[list[int]]:
    """Return `ranks` after `scorer` (a cross-encoder) has sorted the first `depth` texts of each query anew.

    Texts below keep the embedder's order.
    """
    firsts, question_and_text = [], []
    for query, row in zip(task.queries, similar, strict=True):
        pool = np.array(query.among if query.among is not None else range(len(row)))
        first = pool[np.argsort(-row[pool], kind="stable")[:depth]]
        firsts.append(first)
        question_and_text += [(query.text, task.texts[place]) for place in first]
    relevances = predicted(scorer, question_and_text, batch_size)
    sorted_anew, start = np.array(similar), 0
    for row, first in zip(sorted_anew, firsts, strict=True):
        places = np.argsort(np.argsort(relevances[start : start + len(first)], kind="stable"), kind="stable")
        row[first] = 2 + places  # above every cosine
        start += len(first)
    return ranks(task, sorted_anew)


def values(ranks_of_queries: Sequence[Sequence[int]], k: int) -> dict[str, np.ndarray]:
    """Return recall@k, mrr and ndcg@k of every query, (n_queries,) each.

    Recall is the share of the right texts among the first k; MRR is 1 / rank of the first right text, however far down;
    nDCG has gain 1 for a right text and discount log2(1 + rank).
    """
    recall, mrr, ndcg = [], [], []
    for ranks_of_query in ranks_of_queries:
        best = sum(1 / np.log2(1 + place) for place in range(1, min(len(ranks_of_query), k) + 1))
        recall.append(sum(rank <= k for rank in ranks_of_query) / len(ranks_of_query))
        mrr.append(1 / min(ranks_of_query))
        ndcg.append(sum(1 / np.log2(1 + rank) for rank in ranks_of_query if rank <= k) / best)
    return {f"recall@{k}": np.array(recall), "mrr": np.array(mrr), f"ndcg@{k}": np.array(ndcg)}


def recall_of(rows: Sequence[RankRow], task: str, k: int) -> float:
    """Return the mean recall@k on one task."""
    return float(values([row.ranks for row in rows if row.task == task], k)[f"recall@{k}"].mean())


def scores(task: str, clusters: Sequence[str], values_by_metric: Mapping[str, np.ndarray], settings) -> list[dict]:
    """Return {metric, value, ci_low, ci_high, n, note} for each metric of one model on one task.

    Recall gets Wilson's interval at the effective sample size, the others BCa (evaluate/bootstrap.py says why).
    """
    sample = estimates.draw_sample(clusters, f"retrieval:{task}", settings)
    rows = []
    for metric, hits in values_by_metric.items():
        counts = sample.count(hits, np.ones(len(hits)))
        result = estimates.estimate(sample, counts, _mean, proportion=metric.startswith("recall"))
        rows.append({"metric": metric, **result.columns(), "n": len(hits), "note": _note(result, sample.n_clusters)})
    return rows


def differences(
    task: str, clusters: Sequence[str], base: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], settings
) -> list[dict]:
    """Return {metric, value, ci_low, ci_high, detectable, p, n, note} of other − base: same queries, same resamples."""
    sample = estimates.draw_sample(clusters, f"retrieval:{task}", settings)
    rows = []
    for metric in base:
        ours, theirs = (_replicated(sample, values_of_model[metric]) for values_of_model in (other, base))
        test = difference_test(ours, theirs, sample.clusters, settings.confidence)
        result = estimates.Estimate(ours.value - theirs.value, test.low, test.high)
        shown = round(detectable_by_test(test, settings.confidence), estimates.DECIMALS)
        about = {"n": len(other[metric]), "note": _note(result, sample.n_clusters)}
        rows.append({"metric": metric, **result.columns(), "detectable": shown, "p": test.p, **about})
    return rows


def _replicated(sample: estimates.Sample, values: np.ndarray) -> Replicated:
    """Return the mean of values, (n_units,), in every resample and without each cluster."""
    counts = sample.count(values, np.ones(len(values)))
    return Replicated(
        float(_mean(counts.sum(axis=1, keepdims=True))[0]),
        _mean(weighted_sums(counts, sample.weights).astype(float)),
        _mean(leave_one_out(counts)),
    )


def _mean(sums: np.ndarray) -> np.ndarray:
    return divide(sums[0], sums[1])


def _note(result: estimates.Estimate, n_clusters: int) -> str:
    if not np.isnan(result.low):
        return ""
    return "one document, no interval" if n_clusters < 2 else "the same in every resample, no interval"
