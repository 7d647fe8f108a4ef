"""Make embedding/tasks/{collection}.jsonl and review/{collection}.csv: questions on held-out documents."""

import os

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.embed import Chunk, asking, evaluation_sets, questions


def main(
    chunks: str,
    share: float,
    n_questions: int,
    writer: dict | None,
    wording: dict | None,
    seed: int,
    store: str,
    rows: str,
    review: str,
    counts: str,
) -> None:
    """Ask about the held-out documents (all of them when `share` is 0); also write what a person may review."""
    every = [Chunk(**row) for row in files.read_jsonl(chunks)]
    held = evaluation_sets.held_out(every, share, seed)
    evaluated = [chunk for chunk in every if not held or chunk.document in held]
    backend = writer and asking.open_model(writer, os.environ)
    generated, reasons = asking.questions_of(
        evaluated, every, n_questions, backend, store, f"{seed}:evaluation", wording=wording
    )
    pairs, n_repeats = questions.without_repeats(generated)
    task_rows = evaluation_sets.rows_of(pairs)
    files.write_jsonl(rows, task_rows)
    with files.atomic_writer(review) as file:
        file.write(evaluation_sets.review_text(task_rows))
    lost = sum(n for reason, n in reasons.items() if reason.startswith("missing_"))
    files.write_json(
        counts,
        {"rows": len(task_rows) + n_repeats + lost, "queries": len(task_rows), "left_out": lost, "documents": len(held),
         "reasons": {**reasons, "repeated": n_repeats}},
    )  # fmt: skip


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            chunks=snakemake.input.chunks,
            share=snakemake.params.share,
            n_questions=snakemake.params.per_chunk,
            writer=snakemake.params.writer,
            wording=snakemake.params.wording,
            seed=snakemake.params.seed,
            store=snakemake.params.store,
            rows=snakemake.output.rows,
            review=snakemake.output.review,
            counts=snakemake.output.counts,
        )
