"""Make models/{model}: the twin of a published model, from what config/twins.yaml says about it."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judgemerge.core import files, models
from judgemerge.core.logs import logged
from judgemerge.prompting import chat_templates
from judgemerge.synthetic import twins


def main(twin: Mapping[str, Any], model: str, manifest: str, chat_template: str | None = None) -> None:
    """Write the twin as its repository lies on the hub, and keep of it what a download keeps."""
    hub, part = Path(f"{model}.hub"), Path(f"{model}.part")
    shutil.rmtree(hub, ignore_errors=True)
    twins.make(hub, twin)
    models.copy_model(hub, part)
    shutil.rmtree(hub)
    if chat_template is not None:
        chat_templates.write(part, chat_template)
    models.move_into_place(part, model)
    about = {key: twin[key] for key in ("of", "layers", "seed")}
    files.write_json(manifest, models.describe(model, rule="make_twin", twin=about))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            twin=snakemake.params.twin,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
            chat_template=snakemake.params.get("chat_template"),
        )
