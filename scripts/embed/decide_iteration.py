"""Make embedding/iterations/{iteration}/decision.json: recall before and after, whether that is enough, and why."""

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.embed import checks, decisions, tables


def main(base: str, tuned: str, earlier: list[str], iteration: int, rules: dict, decision: str) -> None:
    """Compare the base's ranks with the iteration's; an iteration that was not needed repeats the decision."""
    if stop := decisions.stopped_by(earlier):
        return decisions.pass_over(stop, decision)
    before, after = (
        tables.recall_of(list(files.read_jsonl(path)), checks.TARGET, rules["k"]) for path in (base, tuned)
    )
    made = decisions.decide(iteration, rules["maximum"], before, after, rules["increase_rate"], rules["recall"])
    files.write_json(decision, made)


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
