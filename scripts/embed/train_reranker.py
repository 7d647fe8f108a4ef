"""Make embedding/models/reranker_tuned: the original reranker, fine-tuned on the pairs of the embedder."""

import shutil
from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.logs import logged
from judgemerge.embed import decisions, encoders, pair_of, training


def main(
    reranker: str,
    pairs: list[str],
    decided: list[str],
    settings: dict,
    threads: int,
    seed: int,
    work: str,
    model: str,
    manifest: str,
) -> None:
    """Train on the chosen iteration's pairs, each with hard and drawn wrong chunks."""
    import torch

    torch.set_num_threads(threads)
    shutil.rmtree(work, ignore_errors=True)
    chosen = decisions.best(list(map(files.read_json, decided)))["iteration"]
    found = [pair_of(row) for row in files.read_jsonl(pairs[chosen - 1])]
    found = training.at_most(found, settings["max_pairs"], seed)
    rows = training.labelled(found, settings["hard_negatives"], settings["random_negatives"], seed)
    tuned = encoders.open_reranker(reranker, settings["max_tokens"])
    done = training.train_reranker(tuned, rows, settings, Path(work) / "trainer", seed)
    encoders.save_model(tuned, f"{work}/model", reranker)
    models.move_into_place(f"{work}/model", model)
    shutil.rmtree(work)
    files.write_json(manifest, models.describe(model, rule="train_reranker", training=settings, seed=seed, **done))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            reranker=snakemake.input.reranker,
            pairs=list(snakemake.input.pairs),
            decided=list(snakemake.input.decisions),
            settings=snakemake.params.training,
            threads=snakemake.threads,
            seed=snakemake.params.seed,
            work=snakemake.params.work,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
