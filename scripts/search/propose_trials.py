"""Make searches/{search}/round_{round}.json: the settings of the trials of one round, from all earlier results."""

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.search import searching


def main(search: dict, number: int, earlier: list[str], default: dict, proposed: str) -> None:
    """Write {trials: [{trial, params}]}; the sampler sees the results of earlier rounds and nothing else."""
    results = [files.read_json(path) for path in earlier]
    settings = searching.propose(search, number, results, default)
    trials = [
        {"trial": trial, "params": params}
        for trial, params in zip(searching.trial_numbers(search, number), settings, strict=True)
    ]
    files.write_json(proposed, {"round": number, "trials": trials})


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            search=snakemake.params.search,
            number=int(snakemake.wildcards.round),
            earlier=list(snakemake.input),
            default=snakemake.params.default,
            proposed=snakemake.output[0],
        )
