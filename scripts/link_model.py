"""Make models/{found}: links to a model folder of this machine, and its manifest."""

from judgemerge import failures, files, models
from judgemerge.logs import logged


def main(path: str, model: str, manifest: str) -> None:
    """Link the model's files and describe them."""
    models.link_files(path, model)
    files.write_json(manifest, models.describe(model, rule="link_model", path=path))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        arguments = {
            "path": snakemake.params.path,
            "model": snakemake.output.model,
            "manifest": snakemake.output.manifest,
        }
        if snakemake.resources.get("judge_only", 0):
            failures.attempt(main, [snakemake.output.manifest], folders=[snakemake.output.model], **arguments)
        else:
            main(**arguments)
