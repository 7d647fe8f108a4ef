"""A tiny Llama made on the spot: its own tokenizer, random weights, then the pretraining stages of the study."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from judgemerge.core import files, models, provenance
from judgemerge.core.items import read_items
from judgemerge.prompting.prompts import Template
from judgemerge.settings.models import Stage, Tiny
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


def pretrained(
    make: Tiny,
    items: Mapping[str, str],
    templates: Sequence[Mapping[str, Template]],
    seed: int,
    threads: int,
    cache: str,
) -> Path:
    """Return the folder in `cache` that holds the model, made now unless it is there.

    `items` are files by set, `templates` those of every stage by protocol. Cached models are named after everything
    that decides them, so that studies with the same small base make it once.
    """
    data = [
        _stage_data(stage, make, items, by_protocol) for stage, by_protocol in zip(make.stages, templates, strict=True)
    ]
    versions = {name: version for name, version in provenance.versions().items() if name in DECIDING}
    identity = files.sha256_text(
        yaml.safe_dump([{key: value for key, value in make.plain().items() if key != "threads"}, seed, threads]),
        yaml.safe_dump(versions),
        *(f"{row}" for rows in data for row in rows),
    )[:16]
    finished = Path(cache, identity)
    if not finished.exists():
        _pretrain(make, data, seed, threads, finished)
    return finished


def _stage_data(stage: Stage, make: Tiny, items: Mapping[str, str], templates: Mapping[str, Template]) -> list:
    """Return what a stage is trained on: texts of the corpus, or alpaca rows."""
    if stage.data == training.CORPUS:
        return demo_tasks.corpus(**make.corpus.plain())
    return training.rows_of_sets([read_items(items[name]) for name in stage.data], templates, stage.orders)


def _pretrain(make: Tiny, data: Sequence[list], seed: int, threads: int, finished: Path) -> None:
    """Make the random model, run every stage on the result of the one before, and keep the last."""
    work = Path(f"{finished}.part")
    current = work / "random"
    tiny.make_base(
        current,
        demo_tasks.corpus(**make.corpus.plain()),
        make.seed,
        hidden=make.hidden_size,
        intermediate=make.intermediate_size,
        layers=make.layers,
        heads=make.heads,
        key_value_heads=make.kv_heads,
        vocab_size=make.vocabulary,
    )
    for number, (stage, rows) in enumerate(zip(make.stages, data, strict=True), 1):
        folder, result = work / f"data_{number}", work / f"stage_{number}"
        kind = _write_stage(folder, stage, rows, current, f"{finished}, stage {number}")
        settings = {"finetuning_type": "full", "stage": kind, "template": tiny.TEMPLATE, **stage.settings}
        train(training.training_recipe(current, folder, result, settings, seed), threads)
        current = result
    models.move_into_place(current, finished, leave_out=("checkpoint-*",))
    shutil.rmtree(work)


def _write_stage(folder: Path, stage: Stage, rows: list, model: Path, where: str) -> str:
    """Write the data set of a stage, and return LLaMA-Factory's name for this kind of training."""
    if stage.data == training.CORPUS:
        training.write_dataset(folder, texts=rows)
        return "pt"
    form = load_form(model, {"template": tiny.TEMPLATE, **stage.settings}, {}, where)
    examples = list(map(form.laid_out, rows))
    limit = stage.settings.get("cutoff_len", training.COMMON["cutoff_len"])
    training.check_lengths(form, examples, limit, where)
    training.write_dataset(folder, examples)
    return "sft"
