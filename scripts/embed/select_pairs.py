"""Make embedding/iterations/{iteration}/training.jsonl: the best pairs, judged, with their rewrites."""

import os
from pathlib import Path

import numpy as np

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.embed import asking, decisions, pair_of, rewriting, selection


def main(
    scored: str,
    earlier: list[str],
    iteration: int,
    settings: dict,
    writers: dict[str, dict | None],
    wordings: dict[str, dict],
    seed: int,
    store: str,
    rows: str,
    counts: str,
) -> None:
    """Fuse the ranks and keep the best share, ask for relevance if the study does, then add rewrites.

    What an earlier iteration was told is not asked again.
    """
    if stop := decisions.stopped_by(earlier):
        return decisions.pass_over(stop, rows, counts)
    scored_rows = list(files.read_jsonl(scored))
    scores = [
        np.array([row[name] for row in scored_rows])
        for name in ("bm25", "reranker")
        if scored_rows and name in scored_rows[0]
    ]
    selected = [
        pair_of(scored_rows[place])
        for place in selection.best(selection.fused(*scores), settings["selection"]["share"])
    ]
    counted = {"scored": len(scored_rows), "kept_by_rank": len(selected)}
    stores = [Path(store).with_name(f"iteration_{number}") for number in range(1, iteration)]
    if writers["selection.relevance.model"]:
        backend = asking.open_model(writers["selection.relevance.model"], os.environ)
        threshold = settings["selection"]["relevance"]["threshold"]
        also = [folder / "relevance.jsonl" for folder in stores]
        selected, relevance_counts = asking.relevant(
            selected, backend, threshold, f"{store}/relevance.jsonl", also, wordings["relevance"]
        )
        counted |= relevance_counts
    backend = writers["rewriting.model"] and asking.open_model(writers["rewriting.model"], os.environ)
    number = settings["rewriting"]["number"]
    also = [folder / "rewrites.jsonl" for folder in stores]
    rewrites = asking.rewrites_of(
        selected, number, backend, f"{store}/rewrites.jsonl", seed, also, wordings["rewriting"]
    )
    pairs, rewritten = rewriting.with_rewrites(selected, rewrites)
    files.write_jsonl(rows, (pair.row() for pair in pairs))
    files.write_json(counts, counted | rewritten | {"training": len(pairs)})


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            scored=snakemake.input.scored,
            earlier=list(snakemake.input.earlier),
            iteration=int(snakemake.wildcards.iteration),
            settings=snakemake.params.embedding,
            writers=snakemake.params.writers,
            wordings=snakemake.params.wordings,
            seed=snakemake.params.seed,
            store=snakemake.params.store,
            rows=snakemake.output.rows,
            counts=snakemake.output.counts,
        )
