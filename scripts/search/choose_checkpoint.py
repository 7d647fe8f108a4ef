"""Make checkpoints/{expert}.json: the step that stands for the expert, and what each is worth on development sets."""

from collections.abc import Mapping

from judgemerge.core import files
from judgemerge.core.items import read_items
from judgemerge.core.logs import logged
from judgemerge.search import checkpoints
from judgemerge.settings.models import Checkpoints


def main(kept: Mapping, items: Mapping[str, str], verdicts: str, choice: str) -> None:
    """Value every step on the development sets and write which one is taken."""
    section = Checkpoints.of(kept)
    sets = {name: read_items(path) for name, path in items.items()}
    values = checkpoints.worth(sets, checkpoints.read_verdicts(verdicts), section.sets)
    defined = {str(step): value if value == value else None for step, value in values.items()}
    chosen = checkpoints.choose(section, values)
    files.write_json(choice, {"chosen": chosen, "rule": section.choose, "values": defined})


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            kept=snakemake.params.kept,
            items=dict(zip(snakemake.params.sets, snakemake.input.development, strict=True)),
            verdicts=snakemake.input.verdicts,
            choice=snakemake.output[0],
        )
