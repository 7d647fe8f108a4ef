"""Make cards/{merge}.md of every merge: its model card with its agreement table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from judgemerge.core import files
from judgemerge.core.frames import read_table
from judgemerge.core.logs import logged
from judgemerge.evaluate.metrics import PROTOCOLS, metrics_for
from judgemerge.merge import cards


def main(about: Mapping[str, dict], manifests: Sequence[str], agreement: str, replaceability: str, folder: str) -> None:
    """Write the card that lies in each model's folder, and below it what the tables say of the merge and its parents.

    `about` is what the study knows of each merge, in the order of the manifests; `folder` gets {merge}.md.
    """
    metrics = {metric for protocol in PROTOCOLS for metric in metrics_for(protocol, "card")}
    scores, answers = read_table(agreement), read_table(replaceability)
    for (merge, known), manifest in zip(about.items(), manifests, strict=True):
        text = cards.card(merge, files.read_json(manifest), scores, known, metrics)
        with files.atomic_writer(Path(folder, f"{merge}.md")) as file:
            file.write(text + cards.answers(merge, answers))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            about=snakemake.params.about,
            manifests=snakemake.input.manifests,
            agreement=snakemake.input.agreement,
            replaceability=snakemake.input.replaceability,
            folder=snakemake.output[0],
        )
