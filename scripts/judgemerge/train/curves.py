"""Training curves: what LLaMA-Factory logged while it trained, as one table per training.

trainer_state.json of the output folder holds every logged line. A row per step and part (training or evaluation);
columns that a training does not have are left out.
"""

from collections.abc import Mapping
from pathlib import Path

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError

# Name in the log (after `eval_`) → column.
COLUMNS = {
    "loss": "loss",
    "sft_loss": "nll",
    "odds_ratio_loss": "odds_ratio_loss",
    "rewards/accuracies": "reward_accuracy",
    "rewards/margins": "reward_margin",
    "rewards/chosen": "reward_chosen",
    "rewards/rejected": "reward_rejected",
    "logps/chosen": "logp_chosen",
    "logps/rejected": "logp_rejected",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
}
NAMES = ("step", "epoch", "part", *COLUMNS.values())


def rows(state: Mapping) -> list[dict]:
    """Return {step, epoch, part, …} per logged line of a trainer state; `part` is train or evaluation.

    A line without any of COLUMNS (the summary at the end) is left out.
    """
    table = []
    for line in state["log_history"]:
        part, prefix = ("evaluation", "eval_") if "eval_loss" in line else ("train", "")
        values = {column: line[prefix + name] for name, column in COLUMNS.items() if prefix + name in line}
        if values:
            table.append({"step": line["step"], "epoch": line.get("epoch"), "part": part, **values})
    return table


def state_of(output: str | Path) -> dict:
    """Return the trainer state in a training's output folder."""
    path = Path(output, "trainer_state.json")
    if not path.is_file():
        raise JudgemergeError(f"{path}: the training left no log of its steps; delete the folder and train again")
    return files.read_json(path)


def write(path: str | Path, state: Mapping) -> int:
    """Write the curves of a trainer state as CSV; return the number of rows."""
    import csv

    table = rows(state)
    columns = [name for name in NAMES if any(name in row for row in table)] or list(NAMES[:3])
    with files.atomic_writer(path) as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    return len(table)
