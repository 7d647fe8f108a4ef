"""LLaMA-Factory trainings: data sets from items, recipes from study settings, and the token lengths checked before."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from judgemerge import files, prompts
from judgemerge.errors import JudgemergeError
from judgemerge.items import Item

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
    "template": "llama3",
    "cutoff_len": 2048,
    "lr_scheduler_type": "cosine",
}
LORA = {"stage": "sft", "finetuning_type": "lora", "lora_target": "all"}
DATASET = "training"
ZERO3 = "config/deepspeed/zero3.json"


def shared_settings(settings: dict) -> dict:
    """Return what all trainings of experts share: the study's `training`, and the number of processes if several.

    One process per GPU. The weights are spread over them by DeepSpeed ZeRO-3 unless `training.deepspeed` is none. The
    number is part of the training: it multiplies the batch.
    """
    shared = dict(settings["training"])
    if settings["gpus"] > 1:
        shared = {"deepspeed": ZERO3, **shared, "processes": settings["gpus"]}
    if shared.get("deepspeed") == "none" or settings["gpus"] < 2:
        shared.pop("deepspeed", None)
    return shared


def rows(items: Iterable[Item], template: prompts.Template, orders: str) -> Iterator[dict[str, str]]:
    """Yield alpaca rows {instruction, input, output[, system]}; pairs in their own order or in both.

    Raises JudgemergeError for an item that the template cannot show: training data is never dropped silently.
    """
    for item in items:
        both = orders == "both" and item.protocol == "pairwise"
        for order in ("original", "swapped") if both else ("original",):
            try:
                messages = prompts.render(template, item, order)
            except prompts.Unrenderable as reason:
                raise JudgemergeError(
                    f"training item {item.id}: prompt '{template.name}' cannot show it ({reason}); "
                    "use another prompt or item set"
                ) from None
            row = {"instruction": messages[-1]["content"], "input": "", "output": prompts.target(template, item, order)}
            if len(messages) == 2:
                row["system"] = messages[0]["content"]
            yield row


def rows_of_sets(
    sets: Iterable[list[Item]], templates: dict[str, prompts.Template], orders: str
) -> list[dict[str, str]]:
    """Return the alpaca rows of several item sets, each with the template of its protocol."""
    return [row for items in sets if items for row in rows(items, templates[items[0].protocol], orders)]


def write_dataset(folder: str | Path, alpaca_rows: list[dict] | None = None, texts: list[str] | None = None) -> int:
    """Write one LLaMA-Factory data set named `training` with its dataset_info.json; return the number of examples.

    Give `alpaca_rows` for instruction tuning or `texts` for plain-text pretraining.
    """
    folder = Path(folder)
    if texts is not None:
        content, columns = [{"text": text} for text in texts], {"prompt": "text"}
    else:
        content, columns = alpaca_rows, {"prompt": "instruction", "query": "input", "response": "output"}
        if any("system" in row for row in content):
            columns["system"] = "system"
    files.write_json(folder / "training.json", content)
    files.write_json(folder / "dataset_info.json", {DATASET: {"file_name": "training.json", "columns": columns}})
    return len(content)


def check_lengths(tokenizer, alpaca_rows: Iterable[dict], limit: int, where: str) -> int:
    """Return the longest example in tokens; refuse one beyond `limit`, which LLaMA-Factory would cut without a word."""
    longest = 0
    for number, row in enumerate(alpaca_rows):
        messages = [{"role": "user", "content": row["instruction"]}, {"role": "assistant", "content": row["output"]}]
        if "system" in row:
            messages.insert(0, {"role": "system", "content": row["system"]})
        length = len(tokenizer.apply_chat_template(messages, return_dict=True)["input_ids"])
        if length > limit:
            raise JudgemergeError(
                f"{where}: training example {number} has {length} tokens, cutoff_len is {limit} and "
                "would cut it; raise cutoff_len"
            )
        longest = max(longest, length)
    return longest


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
        recipe["save_strategy"] = "no"
    if recipe.get("val_size"):
        recipe |= {"eval_strategy": "steps"}
    if checkpoint is not None:
        recipe["resume_from_checkpoint"] = str(checkpoint)
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
