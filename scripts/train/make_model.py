"""Make models/{made}: a tiny Llama with its own tokenizer, pretrained by LLaMA-Factory in the stages of the study."""

import shutil
from pathlib import Path

import yaml

from judgemerge.core import files, models, provenance
from judgemerge.core.items import read_items
from judgemerge.core.logs import logged
from judgemerge.prompting.prompts import load_template
from judgemerge.synthetic import demo_tasks, tiny
from judgemerge.train import training
from judgemerge.train.llamafactory import load_form, train

# The packages whose version can change the weights; a new plotting library makes no model anew.
DECIDING = {
    "python",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "llamafactory",
    "trl",
    "accelerate",
    "datasets",
}


def main(
    make: dict,
    items: list[str],
    prompts: list[dict[str, str]],
    sources: str,
    seed: int,
    threads: int,
    kept: str,
    model: str,
    manifest: str,
) -> None:
    """Make the model unless `kept` holds it already, and copy it into place.

    Kept models are named after everything that decides them, so that studies with the same small base make it once.
    """
    by_name = {Path(path).stem: path for path in items}
    stages = []
    for stage, names in zip(make["stages"], prompts, strict=True):
        templates = {key: load_template(f"config/prompts/{name}.yaml", sources) for key, name in names.items()}
        stages.append(_stage_data(stage, make, by_name, templates))
    identity = files.sha256_text(
        yaml.safe_dump([{key: value for key, value in make.items() if key != "threads"}, seed, threads]),
        yaml.safe_dump({name: version for name, version in provenance.versions().items() if name in DECIDING}),
        *(f"{row}" for rows in stages for row in rows),
    )[:16]
    finished = Path(kept, identity)
    if not finished.exists():
        _pretrain(make, stages, seed, threads, Path(f"{finished}.part"), finished)
    part = Path(f"{model}.part")
    shutil.copytree(finished, part, dirs_exist_ok=True)
    models.move_into_place(part, model)
    files.write_json(manifest, models.describe(model, rule="make_model", make=make, seed=seed, threads=threads))


def _stage_data(stage: dict, make: dict, by_name: dict[str, str], templates: dict) -> list:
    """Return what a stage is trained on: texts of the corpus, or alpaca rows."""
    if stage["data"] == "corpus":
        return demo_tasks.corpus(**make["corpus"])
    return training.rows_of_sets([read_items(by_name[name]) for name in stage["data"]], templates, stage["orders"])


def _pretrain(make: dict, stages: list, seed: int, threads: int, work: Path, finished: Path) -> None:
    """Make the random model, run every stage on the result of the one before, and keep the last."""
    current = work / "random"
    tiny.make_base(
        current,
        demo_tasks.corpus(**make["corpus"]),
        make["seed"],
        hidden=make["hidden_size"],
        intermediate=make["intermediate_size"],
        layers=make["layers"],
        heads=make["heads"],
        key_value_heads=make["kv_heads"],
        vocab_size=make["vocabulary"],
    )
    for number, (stage, rows) in enumerate(zip(make["stages"], stages, strict=True), 1):
        data, result = work / f"data_{number}", work / f"stage_{number}"
        if stage["data"] == "corpus":
            training.write_dataset(data, texts=rows)
            kind = "pt"
        else:
            limit = stage["settings"].get("cutoff_len", training.COMMON["cutoff_len"])
            where = f"{finished}, stage {number}"
            form = load_form(current, {"template": tiny.TEMPLATE, **stage["settings"]}, {}, where)
            rows = list(map(form.laid_out, rows))
            training.check_lengths(form, rows, limit, where)
            training.write_dataset(data, rows)
            kind = "sft"
        settings = {"finetuning_type": "full", "stage": kind, "template": tiny.TEMPLATE, **stage["settings"]}
        train(training.training_recipe(current, data, result, settings, seed), threads)
        current = result
    models.move_into_place(current, finished, leave_out=("checkpoint-*",))
    shutil.rmtree(work)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            make=snakemake.params.make,
            items=list(snakemake.input.item_sets),
            prompts=snakemake.params.prompts,
            sources=snakemake.params.sources,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
            kept=snakemake.params.kept,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
