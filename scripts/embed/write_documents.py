"""Make embedding/collections/{collection} of a study: folders of documents made on the spot, as a person's would be."""

from judgemerge.core.logs import logged
from judgemerge.embed import documents

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        for make, folder in zip(snakemake.params.collections.values(), snakemake.output, strict=True):
            documents.write_synthetic(folder, make["domain"], make["n_documents"], make["seed"])
