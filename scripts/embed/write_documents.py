"""Make embedding/collections/{collection}: a folder of documents made on the spot, as a person's folder would be."""

import shutil
from pathlib import Path

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.synthetic import made_documents


def main(make: dict, folder: str) -> None:
    """Write the documents of one domain: plain text, Markdown and HTML."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in made_documents.files_of(make["domain"], make["n_documents"], make["seed"]).items():
        with files.atomic_writer(Path(folder) / name) as file:
            file.write(content)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(make=snakemake.params.make, folder=snakemake.output[0])
