"""Make searches/{search}/best.json: the trial with the best value on the development set."""

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.search import searching


def main(search: dict, results: list[str], chosen: str) -> None:
    """Write the chosen trial beside the default one's value; the settings decide, so that a rerun changes nothing."""
    read = [files.read_json(path) for path in results]
    winner = searching.best(search, read)
    default = next(result for result in read if result["trial"] == 0)
    files.write_json(chosen, {**winner, "default_value": default["value"], "trials": len(read)})


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(search=snakemake.params.search, results=list(snakemake.input), chosen=snakemake.output[0])
