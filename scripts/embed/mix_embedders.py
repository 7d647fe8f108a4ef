"""Make embedding/models/mixed_*: the base and the fine-tuned model mixed at several weights, in one pass."""

from pathlib import Path

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.embed import evaluation_sets, mixing


def main(
    base: str,
    tuned: str,
    held_out: str,
    mixes: dict,
    by_loss: dict | None,
    query_prompt: str,
    seed: int,
    threads: int,
    outputs: list[str],
    manifests: list[str],
) -> None:
    """Mix at the given shares of the tuned model, and at the share that follows from losses on a few held-out pairs."""
    folders = {"base": base, "tuned": tuned}
    found = None
    if by_loss is not None:
        pairs = evaluation_sets.pairs_of(files.read_jsonl(held_out))
        found = mixing.weights_by_loss(folders, pairs, by_loss, seed, threads, query_prompt)
    shares = {name: found["weights"]["tuned"] if share is None else share for name, share in mixes.items()}
    weights = {name: {"base": 1 - share, "tuned": share} for name, share in shares.items()}
    weighed = {name: found if share is None else None for name, share in mixes.items()}
    places = {Path(output).name: output for output in outputs}
    described = mixing.mix_with_card(folders, weights, places, threads, weighed)
    for output, manifest in zip(outputs, manifests, strict=True):
        name = Path(output).name
        described[name]["made_by"]["tuned_share"] = shares[name]
        files.write_json(manifest, described[name])


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            base=snakemake.input.base,
            tuned=snakemake.input.tuned,
            held_out=snakemake.input.held_out,
            mixes=snakemake.params.mixes,
            by_loss=snakemake.params.by_loss,
            query_prompt=snakemake.params.query_prompt,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
            outputs=list(snakemake.output.models),
            manifests=list(snakemake.output.manifests),
        )
