"""Make embedding/models/iteration_{iteration}: the original model, fine-tuned on one iteration's pairs."""

import shutil
from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.logs import logged
from judgemerge.embed import decisions, encoders, pair_of, training


def main(
    base: str,
    pairs: str,
    earlier: list[str],
    settings: dict,
    threads: int,
    seed: int,
    work: str,
    model: str,
    manifest: str,
) -> None:
    """Train from the base, whatever was trained before; an iteration that is not needed leaves a note instead."""
    if stop := decisions.stopped_by(earlier):
        return decisions.pass_over(stop, model, manifest)
    import torch

    torch.set_num_threads(threads)
    shutil.rmtree(work, ignore_errors=True)
    found = [pair_of(row) for row in files.read_jsonl(pairs)]
    tuned = encoders.open_embedder(base, settings["max_tokens"])
    done = training.train_embedder(tuned, found, settings, Path(work) / "trainer", seed)
    encoders.save_model(tuned, f"{work}/model", base)
    models.move_into_place(f"{work}/model", model)
    shutil.rmtree(work)
    files.write_json(manifest, models.describe(model, rule="train_embedder", training=settings, seed=seed, **done))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            base=snakemake.input.base,
            pairs=snakemake.input.pairs,
            earlier=list(snakemake.input.earlier),
            settings=snakemake.params.training,
            threads=snakemake.threads,
            seed=snakemake.params.seed,
            work=snakemake.params.work,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
