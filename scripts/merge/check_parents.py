"""Make recipes/parents.json: models that will be merged with each other, compared before any training."""

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.merge import mergekit, preflight
from judgemerge.merge.recipes import Group


def main(folders: dict[str, str], groups: list[dict], out: str) -> None:
    """Compare the models of every group (merge.recipes.Group) from their headers alone."""
    read = [Group(**group) for group in groups]
    for group in read:
        if group.mergekit:
            mergekit.check_all([folders[name] for name in group.models], group.mergekit)
    files.write_json(
        out,
        [preflight.check_parents({name: folders[name] for name in group.models}, group.allow) for group in read],
    )


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            folders=dict(zip(snakemake.params.models, snakemake.input.models, strict=True)),
            groups=snakemake.params.groups,
            out=snakemake.output[0],
        )
