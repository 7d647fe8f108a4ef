"""Make adapters/{expert}: what LLaMA-Factory trains on the expert's item sets, a LoRA adapter or a whole model."""

import shutil
from collections.abc import Callable
from pathlib import Path

import yaml

from judgemerge.core import files, models
from judgemerge.core.items import read_items
from judgemerge.core.logs import logged
from judgemerge.prompting.prompts import load_template
from judgemerge.train import curves, lora_targets, preferences, trained_forms, training, written
from judgemerge.train.llamafactory import load_form, train


def main(
    expert: dict,
    items: dict[str, str],
    left_out: str,
    prompts: dict[str, str],
    sources: str,
    common: dict,
    base: str,
    base_digest: str,
    seed: int,
    threads: int,
    work: str,
    adapter: str,
    recipe_file: str,
    curve: str,
    evaluation: list[str] = (),
    watch: Callable[[Path], bool] | None = None,
) -> None:
    """Write the data set, train, and put the adapter into place; `curve` gets what was logged on the way.

    `evaluation` are item sets for the evaluation loss; `watch` may stop the training (llamafactory.train). The work
    folder is named after everything that decides the training, so that checkpoints of another one are never resumed. It
    keeps the finished adapter: when the rule runs again for the same training, nothing is trained again.
    """
    chat = common.get("chat", {})
    common = {key: value for key, value in common.items() if key != "chat"}
    settings, adapted = lora_targets.prepare(base, training.expert_settings(common, expert["settings"]), recipe_file)
    templates = {protocol: load_template(f"config/prompts/{name}.yaml", sources) for protocol, name in prompts.items()}
    sets, counts = training.select(
        {name: read_items(path) for name, path in items.items()}, files.read_json(left_out), expert["subset"], seed
    )
    rows = training.rows_of_sets(sets.values(), templates, expert["orders"], settings["stage"], expert["format"])
    conversations = any(template.mode == "likelihood" for template in templates.values())
    n_ties = sum(map(preferences.n_ties, sets.values())) if conversations else 0
    limit = settings.get("cutoff_len", training.COMMON["cutoff_len"])
    held_out = training.rows_of_sets(map(read_items, evaluation), templates, "original", settings["stage"])
    form = load_form(base, settings, chat, recipe_file, trained_forms.longer_talks([*rows, *held_out]))
    rows, held_out = list(map(form.laid_out, rows)), list(map(form.laid_out, held_out))
    n_rows = len(rows)
    if expert["too_long"] == "leave_out":
        rows = training.fitting(form, rows, limit, recipe_file)
    n_fitting = len(rows)
    rows = training.drawn(rows, settings, seed)
    training.check_lengths(form, rows, limit, recipe_file)
    if held_out:
        held_out = training.fitting(form, held_out, limit, recipe_file)
        settings |= {"eval_dataset": training.EVALUATION}
        settings.setdefault("per_device_eval_batch_size", settings.get("per_device_train_batch_size", 8))
    layout = [expert["format"]] if expert["format"] != "alpaca" else []
    shown = map(str, [*rows, *held_out])
    identity = files.sha256_text(base_digest, yaml.safe_dump([settings, seed, *layout]), *shown)[:12]
    folder = Path(work, identity)
    output, finished = folder / "output", folder / "finished"
    n_examples = training.write_dataset(folder / "data", rows, form=expert["format"])
    if held_out:
        training.write_dataset(folder / "data", held_out, name=training.EVALUATION)
    checkpoint = training.latest_checkpoint(output)
    known = {**settings, "template": form.name}
    recipe = training.training_recipe(base, folder / "data", output, known, seed, checkpoint)
    if not finished.exists():
        train(recipe, threads, watch)
        written.check(output, recipe, n_examples, adapted, recipe_file)
        finished.touch()
    curves.write(curve, curves.state_of(output))
    with files.atomic_writer(recipe_file) as file:
        said = {"examples": n_examples, "ties_left_out": n_ties, "too_long": n_rows - n_fitting}
        said |= {"over_max_samples": n_fitting - n_examples, "item_sets": counts, "threads": threads}
        said |= {"asked_by": form.chat.text}
        yaml.safe_dump({**said, **recipe}, file, sort_keys=False)
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
            items=dict(zip(snakemake.params.expert["train_on"], snakemake.input.item_sets, strict=True)),
            left_out=snakemake.input.left_out,
            prompts=snakemake.params.prompts,
            sources=snakemake.params.sources,
            common=snakemake.params.common,
            base=snakemake.input.model,
            base_digest=models.described(snakemake.input.model, snakemake.input.manifest)["digest"],
            seed=snakemake.params.seed,
            threads=snakemake.threads,
            work=snakemake.params.work,
            adapter=snakemake.output.adapter,
            recipe_file=snakemake.output.recipe,
            curve=snakemake.output.curve,
            evaluation=list(snakemake.input.evaluation),
        )
