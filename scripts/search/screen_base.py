"""Make screening/{screened}.json: losses of one foundation model on held-out answers, after its fine-tuning."""

import shutil
from pathlib import Path

import yaml

from judgemerge.core import files
from judgemerge.core.items import read_items, sample
from judgemerge.core.logs import logged
from judgemerge.prompting.prompts import load_template
from judgemerge.train import curves, lora_targets, preferences, screening, trained_forms, training, written
from judgemerge.train.llamafactory import load_form, train
from train_trial import load_trained


def main(
    settings: dict,
    items: list[str],
    held_out: list[str],
    prompt: str,
    common: dict,
    base: str,
    manifest: str,
    judging: dict,
    seed: int,
    threads: int,
    work: str,
    losses: str,
    curve: str,
) -> None:
    """Train for the given steps, take the losses, and write them with the number of parameters."""
    template = load_template(prompt)
    name = Path(base).name
    chosen = {"template": settings["templates"][name]} if name in settings["templates"] else {}
    chosen |= {"stage": "sft", "max_steps": settings["steps"]}
    common = {key: value for key, value in common.items() if key not in preferences.STAGES["dpo"]}
    own, adapted = lora_targets.prepare(base, training.expert_settings(common, settings["settings"] | chosen), losses)
    rows = preferences.rows([item for path in items for item in read_items(path)], template, ranking=False)
    limit = own.get("cutoff_len", training.COMMON["cutoff_len"])
    form = load_form(base, own, judging.get("chat", {}), losses, trained_forms.longer_talks(rows))
    fitting = training.fitting(form, list(map(form.laid_out, rows)), limit, losses)
    kept = training.drawn(fitting, own, seed)
    known = files.read_json(manifest)
    identity = files.sha256_text(known["digest"], yaml.safe_dump([own, seed]), *map(str, kept))[:12]
    folder = Path(work, identity)
    output, finished = folder / "output", folder / "finished"
    training.write_dataset(folder / "data", kept)
    checkpoint = training.latest_checkpoint(output)
    recipe = training.training_recipe(base, folder / "data", output, {**own, "template": form.name}, seed, checkpoint)
    if not finished.exists():
        train(recipe, threads)
        written.check(output, recipe, len(kept), adapted, losses)
        finished.touch()
    backend = load_trained(base, output, judging, threads, form.chat.text)
    tested = [item for path in held_out for item in read_items(path)]
    drawn = sample(tested, settings["limit"], seed) if "limit" in settings else tested
    asked = screening.questions(drawn, template, backend)
    found = {
        "parameters": known["parameters"],
        "examples": len(kept),
        "examples_too_long": len(rows) - len(fitting),
        "steps": settings["steps"],
        "answers": screening.losses(asked, backend, judging["max_prompt_tokens"]),
    }
    curves.write(curve, curves.state_of(output))
    files.write_json(losses, found)
    shutil.rmtree(folder)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            settings=snakemake.params.screening,
            items=list(snakemake.input.item_sets),
            held_out=list(snakemake.input.held_out),
            prompt=snakemake.input.prompt,
            common=snakemake.params.common,
            base=snakemake.input.model,
            manifest=snakemake.input.manifest,
            judging=snakemake.params.judging,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
            work=snakemake.params.work,
            losses=snakemake.output.losses,
            curve=snakemake.output.curve,
        )
