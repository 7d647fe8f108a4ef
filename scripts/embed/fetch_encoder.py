"""Make embedding/models/{base,reranker}: a model of the Hugging Face hub at one commit, or one from a folder."""

from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.logs import logged
from judgemerge.embed import encoders


def main(entry: dict, mixed: bool, base: list[str], model: str, manifest: str) -> None:
    """Download or copy what is needed to load the model, sub-folders of sentence-transformers included.

    A model that will be `mixed` is tried for that at once and compared with the `base`, before that is trained.
    """
    fresh = Path(f"{model}.part")  # an interrupted download goes on here
    if "path" in entry:
        encoders.copy_model(entry["path"], fresh)
    else:
        encoders.download_model(entry["repo"], entry["revision"], fresh)
    models.check_folder(fresh)
    if mixed:
        from judgemerge.embed import mixing
        from judgemerge.merge import preflight

        mixing.check_base(fresh)
        preflight.check_parents({Path(folder).name: folder for folder in (*base, fresh)})
    models.move_into_place(fresh, model, leave_out=(".cache",))
    files.write_json(manifest, models.describe(model, rule="fetch_encoder", **entry))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            entry=snakemake.params.entry,
            mixed=snakemake.params.mixed,
            base=list(snakemake.input.base),
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
