"""Which rank the right texts of every query have, with an embedding model or after a reranker; and what follows."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from judgemerge.core import files
from judgemerge.embed import decisions, encoders, retrieval
from judgemerge.embed.plan import TARGET
from judgemerge.embed.retrieval import RankRow
from judgemerge.settings.embedding import Iterations


def rank_queries(
    model: str, tasks: Sequence[str], query_prompt: str, max_tokens: int, batch_size: int, threads: int, output: str
) -> None:
    """Search every task with the model; a model of an iteration that was not needed has no ranks."""
    if decisions.is_passed_over(model):
        return files.write_jsonl(output, [])
    import torch

    torch.set_num_threads(threads)
    embedder = encoders.open_embedder(model, max_tokens)
    rows: list[RankRow] = []
    for path in tasks:
        task = retrieval.read_task(path)
        rows += _rows(Path(path).stem, task, retrieval.search(embedder, task, query_prompt, batch_size))
    files.write_jsonl(output, (row._asdict() for row in rows))


def rerank_queries(
    embedder: str, reranker: str, task: str, depth: int, query_prompt: str, max_tokens: int, batch_size: int,
    threads: int, output: str,
) -> None:  # fmt: skip
    """Search with the embedder, then let the reranker sort the first `depth` texts of each query."""
    import torch

    torch.set_num_threads(threads)
    target = retrieval.read_task(task)
    similarity = retrieval.similarity(encoders.open_embedder(embedder, max_tokens), target, query_prompt, batch_size)
    scorer = encoders.open_reranker(reranker, max_tokens)
    ranks = retrieval.rerank(scorer, target, similarity, depth, batch_size)
    files.write_jsonl(output, (row._asdict() for row in _rows(TARGET, target, ranks)))


def decide_iteration(
    base: str, tuned: str, earlier: Sequence[str], iteration: int, rules: Iterations, decision: str
) -> None:
    """Compare the base's ranks with the iteration's; an iteration that was not needed repeats the decision."""
    if stop := decisions.stopped_by(earlier):
        return decisions.pass_over(stop, decision)
    before, after = (retrieval.recall_of(retrieval.read_ranks(path), TARGET, rules.k) for path in (base, tuned))
    enough = (rules.increase_rate, rules.recall)
    files.write_json(decision, decisions.decide(iteration, rules.maximum, before, after, *enough).row())


def _rows(name: str, task: retrieval.Task, ranks: Sequence[list[int]]) -> Iterator[RankRow]:
    for query, ranks_of_query in zip(task.queries, ranks, strict=True):
        yield RankRow(name, query.id, query.cluster, ranks_of_query)
