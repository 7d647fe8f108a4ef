"""One training by LLaMA-Factory in a work folder: resumed at its checkpoint, and never done twice."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import yaml

from judgemerge.core import architectures, files, models
from judgemerge.train import training, training_audit
from judgemerge.train.llamafactory import train
from judgemerge.train.trained_forms import Form


@dataclass(frozen=True)
class Start:
    """What a training starts from: a model folder with its digest, the seed, the CPU threads, a work folder."""

    base: str
    base_digest: str
    seed: int
    threads: int
    work: str

    @classmethod
    def at(cls, model: str, manifest: str, seed: int, threads: int, work: str) -> "Start":
        """Return the start at a model of the study, whose manifest has its digest and whose files are complete."""
        architectures.check_complete(model)
        return cls(model, models.described(model, manifest)["digest"], seed, threads, work)


@dataclass(frozen=True)
class Plan:
    """What is trained: LLaMA-Factory's keys, the form of the conversations, and the examples in that form.

    `adapted` are the modules of a LoRA training, None where all weights are trained; `layout` is the format of the
    training file; `where` names the training in errors.
    """

    settings: dict
    form: Form
    rows: list[dict]
    adapted: Collection[str] | None
    where: str
    held_out: tuple[dict, ...] = ()
    layout: str = "alpaca"

    def identity(self, start: Start) -> str:
        """Return what the work folder is called: a digest of everything that decides the training."""
        layout = [self.layout] if self.layout != "alpaca" else []
        decided = yaml.safe_dump([self.settings, start.seed, *layout])
        return files.sha256_text(start.base_digest, decided, *map(str, [*self.rows, *self.held_out]))[:12]


@dataclass(frozen=True)
class Run:
    """A finished training: its folder, what LLaMA-Factory wrote, its recipe, and how many examples it was given."""

    folder: Path
    output: Path
    recipe: dict
    n_examples: int


def run(plan: Plan, start: Start, watch: Callable[[Path], bool] | None = None) -> Run:
    """Write the data set and train, from the last checkpoint on if there is one; check what the training left.

    The work folder is named after everything that decides the training, so that checkpoints of another one are never
    resumed. What is finished there is not trained again. `watch` may stop the training (llamafactory.train).
    """
    folder = Path(start.work, plan.identity(start))
    output, finished = folder / "output", folder / "finished"
    n_examples = training.write_dataset(folder / "data", plan.rows, form=plan.layout)
    if plan.held_out:
        training.write_dataset(folder / "data", list(plan.held_out), name=training.EVALUATION)
    settings = {**plan.settings, **plan.form.recipe}
    checkpoint = training.latest_checkpoint(output)
    recipe = training.training_recipe(start.base, folder / "data", output, settings, start.seed, checkpoint)
    if not finished.exists():
        train(recipe, start.threads, watch)
        training_audit.check(output, recipe, n_examples, plan.adapted, plan.where)
        finished.touch()
    return Run(folder, output, recipe, n_examples)
