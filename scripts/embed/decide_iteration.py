"""Make embedding/iterations/{iteration}/decision.json: recall before and after, whether that is enough, and why."""

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.embed import decisions, retrieval, retrieval_tables
from judgemerge.embed.plan import TARGET


def main(base: str, tuned: str, earlier: list[str], iteration: int, rules: dict, decision: str) -> None:
    """Compare the base's ranks with the iteration's; an iteration that was not needed repeats the decision."""
    if stop := decisions.stopped_by(earlier):
        return decisions.pass_over(stop, decision)
    ranks = map(retrieval.read_ranks, (base, tuned))
    before, after = (retrieval_tables.recall_of(rows, TARGET, rules["k"]) for rows in ranks)
    enough = (rules["increase_rate"], rules["recall"])
    files.write_json(decision, decisions.decide(iteration, rules["maximum"], before, after, *enough))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            base=snakemake.input.base,
            tuned=snakemake.input.tuned,
            earlier=list(snakemake.input.earlier),
            iteration=int(snakemake.wildcards.iteration),
            rules=snakemake.params.rules,
            decision=snakemake.output[0],
        )
