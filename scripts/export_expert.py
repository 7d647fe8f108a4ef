"""Make models/{expert}: the expert's LoRA update folded into its base by LLaMA-Factory, or the whole model it is."""

from pathlib import Path

from judgemerge import files, models, training
from judgemerge.catalogues import load_yaml
from judgemerge.llamafactory import export
from judgemerge.logs import logged


def main(adapter: str, recipe_file: str, base: str, base_digest: str, threads: int, model: str, manifest: str) -> None:
    """Export with the chat template that the expert was trained with; a fully trained model is only linked."""
    trained = load_yaml(recipe_file)
    fresh = Path(f"{model}.part")
    origin = {"base": base_digest}
    if trained["finetuning_type"] == "lora":
        recipe = training.export_recipe(base, adapter, fresh, trained["template"])
        export(recipe | {key: trained[key] for key in ("split_experts",) if key in trained}, threads)
        origin["adapter"] = files.sha256_file(Path(adapter, "adapter_model.safetensors"))
    else:
        models.check_folder(adapter)
        models.copy_model(adapter, fresh)
    models.move_into_place(fresh, model)
    files.write_json(manifest, models.describe(model, rule="export_expert", **origin, training=trained))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            adapter=snakemake.input.adapter,
            recipe_file=snakemake.input.recipe,
            base=snakemake.input.model,
            base_digest=files.read_json(snakemake.input.manifest)["digest"],
            threads=snakemake.threads,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
