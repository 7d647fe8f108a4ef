"""Make tables/items.csv: what every item set holds and what was left out or mended, long form."""

import pandas as pd

from judgemerge.core import files
from judgemerge.core.logs import logged


def main(counts: list[str], table: str) -> None:
    """Write one row per item set and count; nested counts get dotted names."""
    rows = []
    for path in counts:
        entry = files.read_json(path)
        name = entry.pop("benchmark")
        flat = pd.json_normalize(entry, sep=".").iloc[0]
        rows += [{"benchmark": name, "count": key, "value": value} for key, value in flat.items()]
    with files.atomic_writer(table) as file:
        pd.DataFrame(rows, columns=["benchmark", "count", "value"]).to_csv(file, index=False)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(counts=list(snakemake.input), table=snakemake.output[0])
