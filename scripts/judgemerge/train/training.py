"""LLaMA-Factory trainings: data sets from items, recipes from study settings, and the token lengths checked before."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, random_part, sample
from judgemerge.prompting import prompts
from judgemerge.settings.models import MadeModel, Model, Subset
from judgemerge.settings.study_file import Settings
from judgemerge.train import preferences
from judgemerge.train.trained_forms import Form, messages_of

if TYPE_CHECKING:
    from judgemerge.study.study import Study

# What every training file says unless the study says otherwise. Downloads of code are never allowed.
COMMON = {
    "do_train": True,
    "trust_remote_code": False,
    "overwrite_cache": True,
    "preprocessing_num_workers": 1,
    "dataloader_num_workers": 0,
    "report_to": "none",
    "plot_loss": True,
    "logging_steps": 10,
    "cutoff_len": 2048,
    "lr_scheduler_type": "cosine",
}
LORA = {"stage": "sft", "finetuning_type": "lora", "lora_target": "all"}
AS_PUBLISHED = "as_published"  # the form of a training file whose rows are copied
CORPUS = "corpus"  # what a stage of pretraining learns when it is no item sets
DATASET = "training"
EVALUATION = "evaluation"
# LLaMA-Factory's sharegpt form, told to look for OpenAI's names of roles.
MESSAGE_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}
ZERO3 = "config/deepspeed/zero3.json"
# Settings that need a package which `make venv` does not install, because a laptop has no use for it.
GPU_PACKAGES = {"deepspeed": "deepspeed", "quantization_bit": "bitsandbytes"}
# Keys that LLaMA-Factory refuses, or ignores, when all weights are trained.
LORA_ONLY = ("lora_rank", "lora_alpha", "lora_dropout", "lora_target", "use_rslora", "use_dora", "quantization_bit")


def gpu_packages(settings: Mapping) -> list[str]:
    """Return the packages that a training needs for its settings and no other training does."""
    return [package for key, package in GPU_PACKAGES.items() if settings.get(key)]


def stage_sets(model: Model) -> list[str]:
    """Return the item sets that a made model is pretrained on, in the order of its stages."""
    stages = model.make.stages if isinstance(model, MadeModel) else ()
    return [name for stage in stages if stage.data != CORPUS for name in stage.data]


def trainings(study: "Study") -> Iterator[tuple[str, str, dict]]:
    """Yield place in the study file, base and LLaMA-Factory keys of every training: of experts, and of a screening."""
    shared, screening = study.settings.training, study.settings.screening
    for name, expert in study.experts.items():
        yield f"experts.{name}", study.base_of(name), {**shared, **expert.settings}
    for base in screening.bases if screening else ():
        template = {"template": screening.templates[base]} if base in screening.templates else {}
        yield "screening", base, {**shared, **screening.settings, **template}


def shared_settings(settings: Settings) -> dict:
    """Return what all trainings of experts share: the study's `training`, and the numbers of processes and nodes.

    One process per GPU, `processes` on each of `nodes`. The weights are spread over them by DeepSpeed ZeRO-3 unless
    `training.deepspeed` is none. The numbers are part of the training: they multiply the batch. A rehearsal has
    processes without GPUs.
    """
    shared, gpus, nodes = dict(settings.training), settings.gpus, settings.nodes
    gpus = settings.rehearsal.processes if settings.rehearsal else gpus
    if gpus * nodes > 1:
        shared = {"deepspeed": ZERO3, **shared}
    if shared.get("deepspeed") == "none" or gpus * nodes < 2:
        shared.pop("deepspeed", None)
    if gpus > 1 or nodes > 1:
        shared["processes"] = max(1, gpus)
    return shared | ({"nodes": nodes} if nodes > 1 else {})


def expert_settings(common: Mapping, of_expert: Mapping) -> dict:
    """Return the LLaMA-Factory keys of one expert: LoRA unless `finetuning_type` says otherwise; `of_expert` wins.

    `common` is what `shared_settings` returns. DeepSpeed is only for several processes.
    """
    settings = {**LORA, **common, **of_expert}
    if settings.get("deepspeed") == "none" or settings.get("processes", 1) * settings.get("nodes", 1) < 2:
        settings.pop("deepspeed", None)
    if settings["finetuning_type"] != "lora":
        settings = {key: value for key, value in settings.items() if key not in LORA_ONLY}
    return settings


def rows(items: Iterable[Item], template: prompts.Template, orders: str) -> Iterator[dict[str, str]]:
    """Yield alpaca rows {instruction, input, output[, system]}; pairs in their own order or in both.

    Raises JudgemergeError for an item that the template cannot show: training data is never dropped silently.
    """
    for item in items:
        both = orders == "both" and item.protocol == "pairwise"
        for order in ("original", "swapped") if both else ("original",):
            try:
                messages = prompts.render(template, item, order)
                output = prompts.target(template, item, order)
            except prompts.Unrenderable as reason:
                raise JudgemergeError(
                    f"training item {item.id}: prompt '{template.name}' cannot show it ({reason}); "
                    "use another prompt or item set"
                ) from None
            *system, question = (message["content"] for message in messages)
            row = {"instruction": question, "input": "", "output": output}
            yield row | ({"system": system[0]} if system else {})


def published_row(item: Item) -> dict[str, str]:
    """Return the row of the training file that an item comes from, as it is."""
    row = item.extra.get("training_row")
    if row is None:
        raise JudgemergeError(
            f"training item {item.id} of '{item.benchmark}' does not hold the row that it comes from, which format "
            "as_published copies; use format alpaca or messages, or a set that keeps its rows (loader meld_training)"
        )
    return row


def rows_of_sets(
    sets: Iterable[list[Item]],
    templates: dict[str, prompts.Template],
    orders: str,
    stage: str = "sft",
    form: str = "alpaca",
) -> list[dict]:
    """Return the rows of several item sets, each with the template of its protocol.

    They are alpaca rows; with a template of mode likelihood they are conversations (preferences.rows). With form
    as_published they are the rows of the training files, and no template has a say.
    """
    rows_of_all: list[dict] = []
    if form == AS_PUBLISHED:
        return [published_row(item) for items in sets for item in items]
    for items in filter(None, sets):
        template = templates.get(items[0].protocol) or templates["pairwise"]  # for prompts with answers
        if template.mode == "likelihood":
            rows_of_all += preferences.rows(items, template, ranking=stage == "dpo")
        else:
            rows_of_all += rows(items, template, orders)
    return rows_of_all


def select(
    sets: Mapping[str, list[Item]], leaks: Mapping[str, Mapping[str, str]], subset: Subset, seed: int
) -> tuple[dict[str, list[Item]], dict[str, dict[str, int]]]:
    """Return the items by set that an expert is trained on, and {set: {items, left_out, kept}}.

    `leaks` names items by set (those whose prompt a benchmark has); they go first. Raises JudgemergeError when nothing
    is left of a set.
    """
    selected, counts = {}, {}
    for name, items in sets.items():
        clean = remaining = [item for item in items if item.id not in leaks.get(name, {})]
        part = (subset.by_set or {}).get(name, subset)
        if part.share is not None:
            seeds = (one for one in (part.seed, subset.seed, seed) if one is not None)
            remaining = sample(remaining, round(part.share * len(remaining)), next(seeds))
        remaining = remaining[: part.first]
        if not remaining:
            why = f"{len(items) - len(clean)} share their prompt with a benchmark (drop_overlap), the subset keeps 0"
            raise JudgemergeError(f"training set '{name}': none of its {len(items)} items is left: {why}; keep some")
        selected[name] = remaining
        counts[name] = {"items": len(items), "left_out": len(items) - len(clean), "kept": len(remaining)}
    return selected, counts


def write_dataset(
    folder: str | Path,
    alpaca_rows: list[dict] | None = None,
    texts: list[str] | None = None,
    form: str = "alpaca",
    name: str = DATASET,
) -> int:
    """Write one LLaMA-Factory data set with its dataset_info.json; return the number of examples.

    Give `alpaca_rows` for instruction tuning, written as they are or as `messages`, or `texts` for plain-text
    pretraining. Rows of preferences.rows are written as they are, ranked when they have a rejected answer. Other data
    sets in a dataset_info.json that is there already stay.
    """
    folder = Path(folder)
    info: dict = {"file_name": f"{name}.json"}
    if texts is not None:
        content, columns = [{"text": text} for text in texts], {"prompt": "text"}
    elif alpaca_rows and "rejected" in alpaca_rows[0]:
        content, columns = alpaca_rows, {column: column for column in ("messages", "chosen", "rejected")}
        info |= {"formatting": "sharegpt", "tags": MESSAGE_TAGS, "ranking": True}
    elif form == "messages" or (alpaca_rows and "messages" in alpaca_rows[0]):
        content, columns = [{"messages": messages_of(row)} for row in alpaca_rows], {"messages": "messages"}
        info |= {"formatting": "sharegpt", "tags": MESSAGE_TAGS}
    else:
        content, columns = alpaca_rows, {"prompt": "instruction", "query": "input", "response": "output"}
        if any("system" in row for row in content):
            columns["system"] = "system"
    files.write_json(folder / f"{name}.json", content)
    info_file = folder / "dataset_info.json"
    others = files.read_json(info_file) if info_file.is_file() else {}
    files.write_json(info_file, {**others, name: {**info, "columns": columns}})
    return len(content)


def check_lengths(form: Form, alpaca_rows: Iterable[dict], limit: int, where: str) -> int:
    """Return the longest example in tokens; refuse one beyond `limit`, which LLaMA-Factory would cut without a word."""
    longest = 0
    for number, row in enumerate(alpaca_rows):
        length = form.count(row)
        if length > limit:
            raise JudgemergeError(
                f"{where}: training example {number} has {length} tokens, cutoff_len is {limit} and "
                "would cut it; raise cutoff_len"
            )
        longest = max(longest, length)
    return longest


def short_enough(form: Form, alpaca_rows: list[dict], limit: int, where: str) -> list[dict]:
    """Return the rows of at most `limit` tokens; raises JudgemergeError when there are none."""
    short = [row for row in alpaca_rows if form.count(row) <= limit]
    if not short:
        raise JudgemergeError(
            f"{where}: all {len(alpaca_rows)} training examples have more than {limit} tokens (cutoff_len); raise it"
        )
    return short


def limited(rows: list[dict], settings: dict, seed: int) -> Sequence[dict]:
    """Return at most `max_samples` of the rows, drawn over all of them, in their order.

    LLaMA-Factory takes the first ones of a file: of several item sets in one file that would leave whole sets out.
    """
    return random_part(rows, settings.get("max_samples"), seed)


def training_recipe(
    model: str | Path,
    data: str | Path,
    output: str | Path,
    settings: dict,
    seed: int,
    checkpoint: str | Path | None = None,
) -> dict:
    """Return the LLaMA-Factory file of one training; `settings` win over COMMON, `checkpoint` is resumed from."""
    recipe = {
        **COMMON,
        "seed": seed,
        **settings,
        "model_name_or_path": str(model),
        "dataset_dir": str(data),
        "dataset": DATASET,
        "output_dir": str(output),
        "overwrite_output_dir": checkpoint is None,
    }
    if "save_steps" in recipe:
        recipe |= {"save_strategy": "steps"}
        recipe.setdefault("save_total_limit", 1)
    else:
        recipe |= {"save_strategy": "no"}
    if recipe.get("val_size") or "eval_dataset" in recipe:
        recipe |= {"eval_strategy": "steps"}
    if "early_stopping_steps" in recipe:
        recipe |= {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss", "greater_is_better": False}
        recipe |= {"save_strategy": "steps", "save_steps": recipe["eval_steps"]}  # the best one must have been saved
        recipe.setdefault("save_total_limit", 1)
    if checkpoint is not None:
        recipe |= {"resume_from_checkpoint": str(checkpoint)}
    return recipe


def export_recipe(model: str | Path, adapter: str | Path, output: str | Path, template: str) -> dict:
    """Return the LLaMA-Factory file that folds a LoRA adapter into its base, on the CPU, as safetensors."""
    return {
        "model_name_or_path": str(model),
        "adapter_name_or_path": str(adapter),
        "template": template,
        "trust_remote_code": False,
        "export_dir": str(output),
        "export_size": 5,
        "export_device": "cpu",
        "export_legacy_format": False,
    }


def latest_checkpoint(folder: str | Path) -> Path | None:
    """Return the newest complete checkpoint in a training's output folder; trainer_state.json is written last."""
    complete = [path.parent for path in Path(folder).glob("checkpoint-*/trainer_state.json")]
    return max(complete, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)
