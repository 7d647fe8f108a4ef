"""Make embedding/chunks/{collection}.jsonl and .counts.json: folders of documents, read, split, without duplicates."""

from judgemerge.core.logs import logged
from judgemerge.embed import documents
from judgemerge.settings.embedding import Documents

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        settings = Documents.of(snakemake.params.documents)
        collections = zip(
            snakemake.params.folders,
            snakemake.params.openings,
            snakemake.output.chunks,
            snakemake.output.counts,
            strict=True,
        )
        for folder, openings, chunks, counts in collections:
            documents.split_folder(folder, settings, chunks, counts, openings)
