"""Make cards/{merge}.md: a merge's model card with its agreement table."""

from judgemerge.core import files
from judgemerge.core.frames import read_table
from judgemerge.core.logs import logged
from judgemerge.evaluate.metrics import PROTOCOLS, metrics_for
from judgemerge.merge import cards


def main(merge: str, manifest: str, agreement: str, replaceability: str, about: dict, card: str) -> None:
    """Write the card that lies in the model's folder, and below it what the tables say of the merge and its parents."""
    metrics = {metric for protocol in PROTOCOLS for metric in metrics_for(protocol, "card")}
    text = cards.card(merge, files.read_json(manifest), read_table(agreement), about, metrics)
    with files.atomic_writer(card) as file:
        file.write(text + cards.answers(merge, read_table(replaceability)))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            merge=snakemake.wildcards.merge,
            manifest=snakemake.input.manifest,
            agreement=snakemake.input.agreement,
            replaceability=snakemake.input.replaceability,
            about=snakemake.params.about,
            card=snakemake.output[0],
        )
