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
    """Write the data set, train, and put the adapter into place.

    The work folder is named after everything that decides the training, so that checkpoints of another one are never
    resumed. It keeps the finished adapter: when the rule runs again for the same training, nothing is trained again.
    """
    from transformers import AutoTokenizer

    templates = {protocol: load_template(f"config/prompts/{name}.yaml") for protocol, name in prompts.items()}
    rows = training.rows_of_sets([read_items(path) for path in items], templates, expert["orders"])
    settings = {**training.LORA, **common, **expert["settings"]}
    limit = settings.get("cutoff_len", training.COMMON["cutoff_len"])
    training.check_lengths(AutoTokenizer.from_pretrained(base), rows, limit, recipe_file)
    identity = files.sha256_text(base_digest, yaml.safe_dump([settings, seed]), *(f"{row}" for row in rows))[:12]
    folder = Path(work, identity)
    output, finished = folder / "output", folder / "finished"
    n_examples = training.write_dataset(folder / "data", rows)
    recipe = training.training_recipe(base, folder / "data", output, settings, seed, training.latest_checkpoint(output))
    if not finished.exists():
        train(recipe, threads)
        finished.touch()
    with files.atomic_writer(recipe_file) as file:
        yaml.safe_dump({"examples": n_examples, "threads": threads, **recipe}, file, sort_keys=False)
    for other in Path(work).iterdir():
        if other != folder:
            shutil.rmtree(other)
    part = Path(f"{adapter}.part")
    shutil.copytree(output, part, ignore=shutil.ignore_patterns("checkpoint-*"), dirs_exist_ok=True)
    models.move_into_place(part, adapter)
    for checkpoint in output.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)


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
