"""Make embedding/collections/{collection} of a study: folders of documents made on the spot, as a person's would be."""

from judgemerge.core.logs import logged
from judgemerge.embed import documents
from judgemerge.settings.embedding import MadeDocuments

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        for recipe, folder in zip(snakemake.params.collections.values(), snakemake.output, strict=True):
            documents.write_synthetic(folder, MadeDocuments.of(recipe))
