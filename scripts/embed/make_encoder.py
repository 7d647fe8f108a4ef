"""Make embedding/models/{base,reranker}: a small BERT made on the spot and pretrained on general texts."""

import shutil
from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.logs import logged
from judgemerge.embed import encoders, training


def main(make: dict, kind: str, start: list[str], threads: int, work: str, model: str, manifest: str) -> None:
    """Pretrain an embedder from random weights, or a reranker from the embedder in `start[0]`."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(make["seed"])  # dropout, and the reranker's new head
    shutil.rmtree(work, ignore_errors=True)
    work = Path(work)
    pairs = encoders.pretraining_pairs(make["n_documents"], make["seed"], make["chunk"])
    settings = {**training.DEFAULTS, **make["training"]}
    if kind == "embedder":
        shape = {name: make[name] for name in ("hidden", "layers", "vocabulary", "max_tokens")}
        encoders.make_random_bert(work / "random", [pair.positive for pair in pairs], make["seed"], **shape)
        made = encoders.as_embedder(work / "random", make["max_tokens"])
        done = training.train_embedder(made, pairs, settings, work / "trainer", make["seed"])
    else:
        made = encoders.open_reranker(start[0], make["max_tokens"])
        pairs = training.at_most(pairs, settings["max_pairs"], make["seed"])
        rows = training.labelled(pairs, settings["hard_negatives"], settings["random_negatives"], make["seed"])
        done = training.train_reranker(made, rows, settings, work / "trainer", make["seed"])
    encoders.save_model(made, work / "model")
    models.move_into_place(work / "model", model)
    shutil.rmtree(work)
    files.write_json(manifest, models.describe(model, rule="make_encoder", make=make, kind=kind, **done))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            make=snakemake.params.make,
            kind=snakemake.params.kind,
            start=list(snakemake.input),
            threads=snakemake.threads,
            work=snakemake.params.work,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
