"""Checkpoints that outlive their training: which are kept, where they lie, and what of them is no part of a model.

Without the key `checkpoints` of an expert nothing is kept, as before. With it every checkpoint that is wanted is put
beside the end of the training: adapters/{expert}/checkpoints/step_400, which peft or Transformers can load.
"""

import math
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from judgemerge.core import files
from judgemerge.settings.models import Checkpoints

FOLDER = "checkpoints"
EVERY_ONE = 100_000  # transformers keeps as many checkpoints, which is all of them
# Of a checkpoint: what only the training itself can go on with.
OF_TRAINING = ("optimizer*", "scheduler*", "rng_state*", "scaler*", "training_args.bin", "trainer_state.json",
               "global_step*", "latest", "zero_to_fp32.py")  # fmt: skip


def settings(kept: Checkpoints) -> dict[str, int]:
    """Return the LLaMA-Factory keys of a training whose checkpoints are kept."""
    return {"save_steps": kept.every or math.gcd(*kept.steps), "save_total_limit": EVERY_ONE}


def is_wanted(kept: Checkpoints, step: int) -> bool:
    """Return whether the checkpoint of a step is one to keep."""
    return step % kept.every == 0 if kept.every else step in kept.steps


def in_folder(folder: str | Path) -> dict[int, Path]:
    """Return the kept checkpoints beside the end of a training by step, in their order."""
    by_step = {int(path.name.partition("_")[2]): path for path in Path(folder, FOLDER).glob("step_*")}
    return dict(sorted(by_step.items()))


def folder_of(trained: str | Path, step: int) -> Path:
    """Return the folder of the model after a step: a kept checkpoint, or the end of the training itself."""
    return in_folder(trained).get(step, Path(trained))


def chosen(trained: str | Path, choice: Iterable[str]) -> str:
    """Return the folder that stands for the expert: of the chosen step where there is a choice, else the end."""
    steps = [files.read_json(path)["chosen"] for path in choice]
    return str(folder_of(trained, steps[0]) if steps else trained)


def last_step(trained: str | Path) -> int:
    """Return the step with which a training ended."""
    return files.read_json(Path(trained, "trainer_state.json"))["global_step"]


def saver_of_space(kept: Checkpoints) -> Callable[[Path], bool]:
    """Return what watches a training and removes checkpoints that nobody wants, but for the two newest.

    It never ends the training. With `steps`, transformers writes more checkpoints than are kept.
    """

    def watch(output: Path) -> bool:
        for step, path in list(_written(output).items())[:-2]:
            if not is_wanted(kept, step):
                shutil.rmtree(path, ignore_errors=True)
        return False

    return watch


def keep(kept: Checkpoints, output: Path, work: Path, target: Path) -> list[int]:
    """Put the wanted checkpoints of a finished training beside what is in `target`; return their steps.

    They stay in `work` as well, where a job that starts again finds them after the training's own are gone; both share
    their blocks on disk. One that equals the end of the training is not kept a second time.
    """
    end = last_step(output)
    for step, path in _written(output).items():
        place = work / FOLDER / f"step_{step}"
        if is_wanted(kept, step) and step != end and not place.exists():
            part = place.with_name(f"{place.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(path, part, ignore=shutil.ignore_patterns(*OF_TRAINING))
            part.rename(place)
    if (work / FOLDER).is_dir():
        shutil.copytree(work / FOLDER, target / FOLDER, copy_function=_linked, dirs_exist_ok=True)
    return list(in_folder(target))


def lacking(kept: Checkpoints, steps: Iterable[int], end: int) -> list[int]:
    """Return the steps that were asked for and that the training, which ended before, never came to."""
    return sorted(set(kept.steps or ()) - {*steps, end})


def _written(output: Path) -> dict[int, Path]:
    """Return the checkpoints that the training itself wrote, by step in their order."""
    return dict(sorted((int(path.name.partition("-")[2]), path) for path in output.glob("checkpoint-*")))


def _linked(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target
