"""Make models/{made}: a tiny Llama with its own tokenizer, pretrained by LLaMA-Factory in the stages of the study."""

import shutil
from pathlib import Path

from judgemerge import demo_tasks, files, models, tiny, training
from judgemerge.items import read_items
from judgemerge.llamafactory import train
from judgemerge.logs import logged
from judgemerge.prompts import load_template


def main(
    make: dict, items: list[str], prompts: dict[str, str], seed: int, threads: int, work: str, model: str, manifest: str
) -> None:
    """Make the random model, run every stage on the result of the one before, and move the last into place."""
    from transformers import AutoTokenizer

    work = Path(work)
    texts = demo_tasks.corpus(**make["corpus"])
    tiny.make_base(
        work / "random",
        texts,
        make["seed"],
        hidden=make["hidden_size"],
        intermediate=make["intermediate_size"],
        layers=make["layers"],
        heads=make["heads"],
        key_value_heads=make["kv_heads"],
        vocab_size=make["vocabulary"],
    )
    templates = {protocol: load_template(f"config/prompts/{name}.yaml") for protocol, name in prompts.items()}
    by_name = {Path(path).stem: path for path in items}
    current = work / "random"
    for number, stage in enumerate(make["stages"], 1):
        data, result = work / f"data_{number}", work / f"stage_{number}"
        if stage["data"] == "corpus":
            training.write_dataset(data, texts=texts)
            kind = "pt"
        else:
            sets = [read_items(by_name[name]) for name in stage["data"]]
            rows = training.rows_of_sets(sets, templates, stage["orders"])
            limit = stage["settings"].get("cutoff_len", training.COMMON["cutoff_len"])
            training.check_lengths(AutoTokenizer.from_pretrained(current), rows, limit, f"{model}, stage {number}")
            training.write_dataset(data, rows)
            kind = "sft"
        settings = {"finetuning_type": "full", "stage": kind, **stage["settings"]}
        train(training.training_recipe(current, data, result, settings, seed), threads)
        current = result
    models.move_into_place(current, model)
    shutil.rmtree(work)
    files.write_json(manifest, models.describe(model, rule="make_model", make=make, seed=seed, threads=threads))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            make=snakemake.params.make,
            items=list(snakemake.input.item_sets),
            prompts=snakemake.params.prompts,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
            work=snakemake.params.work,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
