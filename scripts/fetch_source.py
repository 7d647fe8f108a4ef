"""Make sources/{source}: one raw file, from the mirror of the study or over HTTPS, with the catalogue's sha256."""

from judgemerge.fetching import fetch
from judgemerge.logs import logged
from judgemerge.sources import get_source, load_sources


def main(source: str, catalogue: str, destination: str, mirror: str | None) -> None:
    """Fetch the source of that key in the catalogue and write it to `destination`."""
    fetch(get_source(load_sources(catalogue), source, catalogue), destination, mirror)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            source=snakemake.wildcards.source,
            catalogue="config/sources.yaml",
            destination=snakemake.output[0],
            mirror=snakemake.config.get("mirror") or None,
        )
