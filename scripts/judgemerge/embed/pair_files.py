"""The files of questions and pairs, from the chunks of documents to what an iteration trains on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from judgemerge.core import files
from judgemerge.embed import Chunk, asking, decisions, evaluation_sets, pair_of, questions, rewriting, selection
from judgemerge.settings.embedding import Iterations, Rewriting, Selection

Writer = Mapping[str, Any] | None  # the endpoint of a model that writes or judges; None where no model is asked


def write_evaluation_set(
    chunks: str, share: float, n_questions: int, writer: Writer, wording: Mapping | None,
    environment: Mapping[str, str], seed: int, store: str, rows: str, review: str, counts: str,
) -> None:  # fmt: skip
    """Ask about the held-out documents (all of them when `share` is 0); also write what a person may review."""
    every = _chunks(chunks)
    held_out = evaluation_sets.held_out(every, share, seed)
    evaluated = [chunk for chunk in every if not held_out or chunk.document in held_out]
    backend = writer and asking.open_model(writer, environment)
    generated, reasons = asking.questions_of(
        evaluated, every, n_questions, backend, store, f"{seed}:evaluation", wording=wording
    )
    pairs, n_repeats = questions.without_repeats(generated)
    task_rows = evaluation_sets.rows_of(pairs)
    evaluation_sets.write_rows(rows, task_rows)
    with files.atomic_writer(review) as file:
        file.write(evaluation_sets.review_text(task_rows))
    lost = sum(n for reason, n in reasons.items() if reason.startswith("missing_"))
    numbers = {"rows": len(task_rows) + n_repeats + lost, "queries": len(task_rows), "left_out": lost}
    reasons["repeated"] = n_repeats
    files.write_json(counts, {**numbers, "documents": len(held_out), "reasons": reasons})


def write_questions(
    chunks: str, earlier: Sequence[str], iteration: int, iterations: Iterations, n_questions: int, share: float,
    writer: Writer, wording: Mapping | None, environment: Mapping[str, str], seed: int, store: str, rows: str,
    counts: str,
) -> None:  # fmt: skip
    """Ask about every chunk of the iteration's slice that is not held out.

    Each iteration asks anew. A model that would say the same again (temperature 0) is not asked the same again.
    """
    if stop := decisions.stopped_by(earlier):
        return decisions.pass_over(stop, rows, counts)
    every = _chunks(chunks)
    held_out = evaluation_sets.held_out(every, share, seed)
    trained_on = [chunk for chunk in every if chunk.document not in held_out]
    part = decisions.slice_of(trained_on, iteration, iterations.maximum, iterations.slices)
    backend = writer and asking.open_model(asking.of_iteration(writer, iteration), environment)
    stores = [Path(store).with_name(f"questions_{number}.jsonl") for number in range(1, iteration)]
    also = [] if writer and asking.draws(writer) else stores
    generated, reasons = asking.questions_of(
        part, every, n_questions, backend, store, f"{seed}:iteration {iteration}", also, wording
    )
    pairs, n_repeats = questions.without_repeats(generated)
    files.write_jsonl(rows, (pair.row() for pair in pairs))
    numbers = {"chunks": len(part), "questions": len(generated), "repeated": n_repeats, "pairs": len(pairs)}
    files.write_json(counts, numbers | reasons)


def score_pairs(
    pairs: str, earlier: Sequence[str], reranker: Sequence[str], max_tokens: int, batch_size: int, threads: int,
    rows: str,
) -> None:  # fmt: skip
    """Write the pairs with `bm25` and, where the study has a reranker, `reranker` scores."""
    if stop := decisions.stopped_by(earlier):
        return decisions.pass_over(stop, rows)
    every = [pair_of(row) for row in files.read_jsonl(pairs)]
    scores = {"bm25": selection.bm25_scores(every)}
    if reranker:
        import torch

        from judgemerge.embed import encoders, retrieval

        torch.set_num_threads(threads)
        model = encoders.open_reranker(reranker[0], max_tokens)
        scores["reranker"] = retrieval.predicted(model, [(pair.anchor, pair.positive) for pair in every], batch_size)
    by_pair = zip(*(map(float, values) for values in scores.values()), strict=True)
    scored = zip(every, by_pair, strict=True)
    files.write_jsonl(rows, (pair.row() | dict(zip(scores, values, strict=True)) for pair, values in scored))


def select_pairs(
    scored: str, earlier: Sequence[str], iteration: int, keeping: Selection, restyling: Rewriting,
    writers: Mapping[str, Writer], wordings: Mapping[str, Mapping], environment: Mapping[str, str], seed: int,
    store: str, rows: str, counts: str,
) -> None:  # fmt: skip
    """Fuse the ranks and keep the best share, ask for relevance if the study does, then add rewrites.

    What an earlier iteration was told is not asked again.
    """
    if stop := decisions.stopped_by(earlier):
        return decisions.pass_over(stop, rows, counts)
    scored_rows = list(files.read_jsonl(scored))
    names = [name for name in ("bm25", "reranker") if scored_rows and name in scored_rows[0]]
    ranks = selection.fused(*(np.array([row[name] for row in scored_rows]) for name in names))
    pairs = [pair_of(scored_rows[place]) for place in selection.best(ranks, keeping.share)]
    numbers = {"scored": len(scored_rows), "kept_by_rank": len(pairs)}
    stores = [Path(store).with_name(f"iteration_{number}") for number in range(1, iteration)]
    if judge := writers["selection.relevance.model"]:
        pairs, relevance_counts = asking.relevant(
            pairs,
            asking.open_model(judge, environment),
            keeping.relevance.threshold,
            f"{store}/relevance.jsonl",
            [folder / "relevance.jsonl" for folder in stores],
            wordings["relevance"],
        )
        numbers |= relevance_counts
    writer = writers["rewriting.model"]
    rewrites = asking.rewrites_of(
        pairs,
        restyling.number,
        writer and asking.open_model(writer, environment),
        f"{store}/rewrites.jsonl",
        seed,
        [folder / "rewrites.jsonl" for folder in stores],
        wordings["rewriting"],
    )
    pairs, rewrite_counts = rewriting.with_rewrites(pairs, rewrites)
    files.write_jsonl(rows, (pair.row() for pair in pairs))
    files.write_json(counts, numbers | rewrite_counts | {"training": len(pairs)})


def _chunks(path: str) -> list[Chunk]:
    return [Chunk(**row) for row in files.read_jsonl(path)]
