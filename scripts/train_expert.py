"""Make adapters/{expert}: a LoRA adapter trained by LLaMA-Factory on the expert's item sets."""

import shutil
from pathlib import Path

import yaml

from judgemerge import files, models, training
from judgemerge.items import read_items
from judgemerge.llamafactory import train
from judgemerge.logs import logged
from judgemerge.prompts import load_template


def main(
    expert: dict,
    items: list[str],
    prompts: dict[str, str],
    common: dict,
    base: str,
    base_digest: str,
    seed: int,
    threads: int,
    work: str,
    adapter: str,
    recipe_file: str,
) -> None:
    """Write the data set, train (going on at a checkpoint of the same training), move the adapter into place."""
    from transformers import AutoTokenizer

    templates = {protocol: load_template(f"config/prompts/{name}.yaml") for protocol, name in prompts.items()}
    rows = training.rows_of_sets([read_items(path) for path in items], templates, expert["orders"])
    settings = {**training.LORA, **common, **expert["settings"]}
    limit = settings.get("cutoff_len", training.COMMON["cutoff_len"])
    training.check_lengths(AutoTokenizer.from_pretrained(base), rows, limit, recipe_file)
    # Checkpoints lie in a folder named after everything that decides the training: those of another one are never
    # resumed.
    identity = files.sha256_text(base_digest, yaml.safe_dump([settings, seed]), *(f"{row}" for row in rows))[:12]
    folder = Path(work, identity)
    n_examples = training.write_dataset(folder / "data", rows)
    checkpoint = training.latest_checkpoint(folder / "output")
    recipe = training.training_recipe(base, folder / "data", folder / "output", settings, seed, checkpoint)
    train(recipe, threads)
    with files.atomic_writer(recipe_file) as file:
        yaml.safe_dump({"examples": n_examples, "threads": threads, **recipe}, file, sort_keys=False)
    models.move_into_place(folder / "output", adapter, leave_out=("checkpoint-*",))
    shutil.rmtree(work)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            expert=snakemake.params.expert,
            items=list(snakemake.input.item_sets),
            prompts=snakemake.params.prompts,
            common=snakemake.params.common,
            base=snakemake.input.model,
            base_digest=files.read_json(snakemake.input.manifest)["digest"],
            seed=snakemake.params.seed,
            threads=snakemake.threads,
            work=snakemake.params.work,
            adapter=snakemake.output.adapter,
            recipe_file=snakemake.output.recipe,
        )
