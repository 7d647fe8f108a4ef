"""Training one expert: item sets → examples in the form of its base → LLaMA-Factory → adapter, recipe and curve."""

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from judgemerge.core import files, models
from judgemerge.core.items import Item, read_items
from judgemerge.prompting.prompts import Template, load_template, with_category
from judgemerge.settings.models import Checkpoints, Expert
from judgemerge.train import checkpoints, curves, lora_targets, preferences, runs, trained_forms, training
from judgemerge.train.llamafactory import load_form


@dataclass(frozen=True)
class Data:
    """What an expert learns from: item files by set, the file of excluded items, its prompts by protocol.

    `evaluation` are item files for the evaluation loss.
    """

    items: Mapping[str, str]
    left_out: str
    templates: Mapping[str, Template]
    evaluation: Sequence[str] = ()


@dataclass(frozen=True)
class Results:
    """The paths of what a training makes."""

    adapter: str
    recipe: str
    curve: str


def load_templates(prompts: Mapping[str, str], paths: Sequence[str], sources: str | None) -> dict[str, Template]:
    """Return the templates of prompts given by protocol; `paths` are the prompt files, in any order."""
    by_name = {Path(path).stem: path for path in paths}
    return {protocol: load_template(by_name[name], sources) for protocol, name in prompts.items()}


def train_expert(
    expert: Mapping,
    data: Data,
    common: Mapping,
    start: runs.Start,
    results: Results,
    watch: Callable[[Path], bool] | None = None,
) -> None:
    """Train the expert, or take what was trained before, and put adapter, recipe and curve into place.

    `common` is what all trainings share; `chat` there, how the chat template of the base is used; and `categories`, the
    part of `judging.categories` that is about its sets. The work folder keeps
    the finished adapter: when the rule runs again for the same training, nothing is trained again.
    """
    section = Expert.of(expert)
    kept = section.checkpoints
    plan, counts = _plan(section, data, common, start, results.recipe)
    trained = runs.run(plan, start, watch or (checkpoints.saver_of_space(kept) if kept else None))
    curves.write(results.curve, curves.state_of(trained.output))
    with files.atomic_writer(results.recipe) as file:
        about = {**counts, "threads": start.threads, "asked_by": plan.form.chat.text}
        yaml.safe_dump({**about, **trained.recipe}, file, sort_keys=False)
    for other in Path(start.work).iterdir():
        if other != trained.folder:
            shutil.rmtree(other)
    part = Path(f"{results.adapter}.part")
    shutil.copytree(trained.output, part, ignore=shutil.ignore_patterns("checkpoint-*"), dirs_exist_ok=True)
    if kept:
        _keep_checkpoints(kept, trained, part, results.recipe)
    models.move_into_place(part, results.adapter)
    for checkpoint in trained.output.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)


def _keep_checkpoints(kept: Checkpoints, trained: runs.Run, part: Path, where: str) -> None:
    steps, end = checkpoints.keep(kept, trained.output, trained.folder, part), checkpoints.last_step(trained.output)
    if too_late := checkpoints.lacking(kept, steps, end):
        print(f"{where}: the training ended with step {end}, so there is no checkpoint {too_late}", file=sys.stderr)


def _plan(expert: Expert, data: Data, common: Mapping, start: runs.Start, where: str) -> tuple[runs.Plan, dict]:
    """Return what is trained, and the counts that the recipe begins with: examples, and items that are none."""
    shared = {key: value for key, value in common.items() if key not in ("chat", "categories")}
    own = expert.settings | (checkpoints.settings(expert.checkpoints) if expert.checkpoints else {})
    settings, adapted = lora_targets.prepare(start.base, training.expert_settings(shared, own), where)

    def read(path: str) -> list[Item]:
        return [with_category(item, common.get("categories", {})) for item in read_items(path)]

    items = {name: read(path) for name, path in data.items.items()}
    sets, by_set = training.select(items, files.read_json(data.left_out), expert.subset, start.seed)
    stage = settings["stage"]
    rows = training.rows_of_sets(sets.values(), data.templates, expert.orders, stage, expert.format)
    held_out = training.rows_of_sets(map(read, data.evaluation), data.templates, "original", stage)
    form = load_form(
        start.base, settings, common.get("chat", {}), where, trained_forms.longer_talks([*rows, *held_out])
    )
    rows, held_out = list(map(form.laid_out, rows)), list(map(form.laid_out, held_out))
    limit = settings.get("cutoff_len", training.COMMON["cutoff_len"])
    short = training.short_enough(form, rows, limit, where) if expert.too_long == "leave_out" else rows
    examples = training.limited(short, settings, start.seed)
    training.check_lengths(form, examples, limit, where)
    if held_out:
        held_out = training.short_enough(form, held_out, limit, where)
        settings |= {"eval_dataset": training.EVALUATION}
        settings.setdefault("per_device_eval_batch_size", settings.get("per_device_train_batch_size", 8))
    conversations = any(template.mode == "likelihood" for template in data.templates.values())
    counts = {
        "examples": len(examples),
        "ties_left_out": sum(map(preferences.n_ties, sets.values())) if conversations else 0,
        "too_long": len(rows) - len(short),
        "over_max_samples": len(short) - len(examples),
        "item_sets": by_set,
    }
    return runs.Plan(settings, form, examples, adapted, where, tuple(held_out), expert.format), counts
