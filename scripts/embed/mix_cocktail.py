"""Make embedding/models/{cocktail}: several embedding models mixed, by given weights or by losses."""

from pathlib import Path

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.embed import evaluation_sets, mixing


def main(
    parents: list[str],
    held_out: str,
    cocktail: dict | list,
    by_loss: dict | None,
    query_prompt: str,
    seed: int,
    threads: int,
    model: str,
    manifest: str,
) -> None:
    """Mix the models in the order of the study; a list of models is weighed first."""
    folders = dict(zip(cocktail, parents, strict=True))
    weighed = None
    if not isinstance(cocktail, dict):
        pairs = evaluation_sets.pairs_of(files.read_jsonl(held_out))
        weighed = mixing.weights_by_loss(folders, pairs, by_loss, seed, threads, query_prompt)
    weights = {Path(model).name: weighed["weights"] if weighed else dict(cocktail)}
    described = mixing.mix_with_card(folders, weights, {Path(model).name: model}, threads, {Path(model).name: weighed})
    files.write_json(manifest, described[Path(model).name])


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            parents=list(snakemake.input.models),
            held_out=snakemake.input.held_out,
            cocktail=snakemake.params.cocktail,
            by_loss=snakemake.params.by_loss,
            query_prompt=snakemake.params.query_prompt,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
