"""Make tables/{name}.csv: the scores of all benchmarks, one below the other."""

import sys
from collections.abc import Mapping

import pandas as pd

from judgemerge.core.frames import write_table
from judgemerge.core.logs import logged

CELL = ("judge", "benchmark", "metric", "rules")


def main(scores: list[str], table: str, prompts: Mapping[str, Mapping[str, str]]) -> None:
    """Concatenate the scores as they are: text in, text out, so that no digit changes.

    A paper's module may count with house rules what every benchmark has anyway; such a cell is taken once.
    `prompts` gives the prompt of each judge by protocol, which becomes the last column of scores, which name the
    protocol; empty for judges that nobody asked.
    """
    parts = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in scores]
    whole = pd.concat(parts)
    if set(CELL) <= set(whole):
        repeated = whole.duplicated(list(CELL))
        if repeated.any():
            print(f"{repeated.sum()} cells are in two tables; the first of each is kept", file=sys.stderr)
        whole = whole[~repeated]
    if "protocol" in whole:
        rows = zip(whole.judge, whole.protocol, strict=True)
        whole = whole.assign(prompt=[prompts.get(judge, {}).get(protocol, "") for judge, protocol in rows])
    write_table(table, whole)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(scores=list(snakemake.input), table=snakemake.output[0], prompts=snakemake.params.prompts)
