"""Make recipes/parents.json: models that will be merged with each other, compared before any training."""

from judgemerge import files
from judgemerge.logs import logged
from judgemerge.merging import preflight


def main(folders: dict[str, str], groups: list[list[str]], out: str) -> None:
    """Compare the models of every group, from their headers alone."""
    files.write_json(out, [preflight.check_parents({name: folders[name] for name in group}) for group in groups])


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            folders=dict(zip(snakemake.params.models, snakemake.input.models, strict=True)),
            groups=snakemake.params.groups,
            out=snakemake.output[0],
        )
