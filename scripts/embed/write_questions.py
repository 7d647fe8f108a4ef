"""Make embedding/iterations/{iteration}/questions.jsonl: questions on the chunks of one iteration."""

import os
from pathlib import Path

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.embed import Chunk, asking, decisions, evaluation_sets, questions


def main(
    chunks: str, earlier: list[str], iteration: int, settings: dict, share: float, writer: dict | None,
    wording: dict | None, seed: int, store: str, rows: str, counts: str,
) -> None:  # fmt: skip
    """Ask about every chunk of the iteration's slice that is not held out.

    Each iteration asks anew. A model that would say the same again (temperature 0) is not asked the same again.
    """
    if stop := decisions.stopped_by(earlier):
        return decisions.pass_over(stop, rows, counts)
    every = [Chunk(**row) for row in files.read_jsonl(chunks)]
    held = evaluation_sets.held_out(every, share, seed)
    trained_on = [chunk for chunk in every if chunk.document not in held]
    slice_of_chunks = decisions.slice_of(
        trained_on, iteration, settings["iterations"]["maximum"], settings["iterations"]["slices"]
    )
    backend = writer and asking.open_model(asking.of_iteration(writer, iteration), os.environ)
    place = Path(store)
    earlier_stores = [place.with_name(f"questions_{number}.jsonl") for number in range(1, iteration)]
    also = [] if writer and asking.draws(writer) else earlier_stores
    generated, reasons = asking.questions_of(
        slice_of_chunks,
        every,
        settings["questions"]["per_chunk"],
        backend,
        store,
        f"{seed}:iteration {iteration}",
        also,
        wording,
    )
    pairs, n_repeats = questions.without_repeats(generated)
    files.write_jsonl(rows, (pair.row() for pair in pairs))
    counted = {
        "chunks": len(slice_of_chunks),
        "questions": len(generated),
        "repeated": n_repeats,
        "pairs": len(pairs),
        **reasons,
    }
    files.write_json(counts, counted)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            chunks=snakemake.input.chunks,
            earlier=list(snakemake.input.earlier),
            iteration=int(snakemake.wildcards.iteration),
            settings=snakemake.params.embedding,
            share=snakemake.params.share,
            writer=snakemake.params.writer,
            wording=snakemake.params.wording,
            seed=snakemake.params.seed,
            store=snakemake.params.store,
            rows=snakemake.output.rows,
            counts=snakemake.output.counts,
        )
