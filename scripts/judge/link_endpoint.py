"""Make models/{endpoint}.json: what a model behind an endpoint is known by. Nothing is asked."""

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.judge import endpoints
from judgemerge.settings.models import Endpoint


def main(endpoint: Endpoint, manifest: str) -> None:
    """Write the manifest of a model that is only seen through its endpoint."""
    files.write_json(manifest, endpoints.manifest(endpoint))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        params = snakemake.params
        main(Endpoint(url=params.url, model=params.model, settings=params.settings), snakemake.output[0])
