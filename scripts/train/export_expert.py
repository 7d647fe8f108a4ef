"""Make models/{expert}: the expert's LoRA update folded into its base by LLaMA-Factory, or the whole model it is."""

from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.logs import logged
from judgemerge.prompting import chat_templates
from judgemerge.train import training
from judgemerge.train.llamafactory import export


def main(adapter: str, recipe_file: str, base: str, base_digest: str, threads: int, model: str, manifest: str) -> None:
    """Export with the chat template and the ends of a turn that the expert was trained with."""
    trained = load_yaml(recipe_file)
    fresh = Path(f"{model}.part")
    origin = {"base": base_digest}
    if trained["finetuning_type"] == "lora":
        recipe = training.export_recipe(base, adapter, fresh, trained["template"])
        export(recipe | {key: trained[key] for key in ("split_experts",) if key in trained}, threads)
        origin["adapter"] = files.sha256_file(Path(adapter, models.ADAPTER))
    else:
        models.check_folder(adapter)
        models.copy_model(adapter, fresh)
    models.complete_description(fresh, base)
    carry_form(fresh, trained.get("asked_by"))
    models.move_into_place(fresh, model)
    files.write_json(manifest, models.describe(model, rule="export_expert", **origin, training=trained))


def carry_form(folder: str | Path, chat_template: str | None) -> None:
    """Give a model folder the chat template it was trained in, and settings that name all that ends a turn.

    LLaMA-Factory's export replaces chat templates by its own for some templates, and leaves the base's end token in the
    generation settings. A folder that has it right already stays byte for byte.
    """
    from transformers import AutoTokenizer

    if chat_template is not None and chat_templates.read(folder) != chat_template:
        chat_templates.write(folder, chat_template)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    chat_templates.write_turn_ends(folder, chat_templates.Chat(tokenizer, folder).turn_ends)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            adapter=snakemake.input.adapter,
            recipe_file=snakemake.input.recipe,
            base=snakemake.input.model,
            base_digest=models.described(snakemake.input.model, snakemake.input.manifest)["digest"],
            threads=snakemake.threads,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
