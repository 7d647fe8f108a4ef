"""Make sources/{source}: one raw file, from the mirror of the study or over HTTPS, with the catalogue's sha256."""

import shutil
import sys
from pathlib import Path

from judgemerge.core.logs import logged
from judgemerge.data import stand_ins
from judgemerge.data.fetching import fetch, is_right
from judgemerge.data.sources import get_source, load_sources
from judgemerge.quantize import quantizing

# Programs, not data: a mirror need not hold them, and all studies share one copy, so that the second needs no network.
TOOLS = (quantizing.CONVERTER,)


def main(
    source: str, catalogue: str, destination: str, mirror: str | None, tools_folder: str, stand_in: bool = False
) -> None:
    """Fetch the source of that key in the catalogue and write it to `destination`; tools are kept in `tools_folder`.

    A stand-in is made on the spot: nothing is fetched.
    """
    if stand_in:
        print(f"source '{source}': neither a mirror nor this machine has the file; a stand-in is made", file=sys.stderr)
        stand_ins.write(source, destination)
        return
    entry = get_source(load_sources(catalogue), source, catalogue)
    if source not in TOOLS:
        fetch(entry, destination, mirror)
        return
    copy = Path(tools_folder, f"{source}-{entry.sha256[:12]}")
    if not is_right(entry, copy):
        fetch(entry, copy, mirror, fall_back=True)
    shutil.copyfile(copy, destination)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            source=snakemake.wildcards.source,
            catalogue="config/sources.yaml",
            destination=snakemake.output[0],
            mirror=snakemake.config.get("mirror") or None,
            tools_folder="results/fetched",
            stand_in=bool(snakemake.params.get("stand_in")),
        )
