"""Which item sets, prompts and models the jobs that train a study's models read, by the name of the model or expert."""

from typing import TYPE_CHECKING

from judgemerge.core.models import fingerprint
from judgemerge.synthetic import twins
from judgemerge.train.training import shared_settings, stage_sets

if TYPE_CHECKING:
    from judgemerge.study.study import Study


class TrainingPlan:
    """The models and experts of one study, as the rules that make them ask about them."""

    def __init__(self, study: "Study"):
        """Answer from the settings of `study`."""
        self.study = study

    # ---- models that experts are trained from ----

    def fingerprint(self, model: str) -> str | None:
        """Return what the files of a model folder of this machine are known by: exchanged weights are another model."""
        return fingerprint(self.study.models[model].path)

    def twin(self, model: str) -> dict:
        """Return what decides a twin: how it is made, and what is published about its model."""
        twin = self.study.models[model].twin
        return {**twin.plain(), "facts": twins.plain_facts(twin.of)}

    def stage_sets(self, model: str) -> list[str]:
        """Return the item sets that a tiny model is pretrained on."""
        return list(dict.fromkeys(stage_sets(self.study.models[model])))

    def stage_prompts(self, model: str) -> dict[str, str]:
        """Return the prompts of all its pretraining stages, each by its own name."""
        return {name: name for prompts in self.study.stage_prompts(model) for name in prompts.values()}

    def threads(self, model: str) -> int:
        """Return the CPU threads that it is pretrained with."""
        return self.study.models[model].make.threads or self.study.settings.threads

    # ---- experts ----

    def expert(self, expert: str) -> dict:
        """Return what decides a training of what the study says of an expert.

        Which checkpoint is taken, and what they are judged on, is decided after it.
        """
        entry = self.study.experts[expert].plain()
        if "checkpoints" not in entry:
            return entry
        kept = {key: value for key, value in entry["checkpoints"].items() if key in ("every", "steps")}
        return entry | {"checkpoints": kept}

    def choices(self, expert: str) -> list[str]:
        """Return the expert where one of its checkpoints is taken for it, else nothing."""
        kept = self.study.experts[expert].checkpoints
        return [expert] if kept and kept.choose == "best" else []

    def training_sets(self, expert: str) -> list[str]:
        """Return the item sets that an expert is trained on."""
        return list(self.study.experts[expert].train_on)

    def evaluation_sets(self, expert: str) -> list[str]:
        """Return the item sets that its evaluation loss is taken on while it is trained."""
        return list(self.study.experts[expert].evaluate_on)

    def common(self, expert: str) -> dict:
        """Return what all trainings share, and for what of an expert the study says more.

        That is how the chat template of its base is used, and which category's criteria its items get.
        """
        more = {
            "chat": self.study.chat_in_training(self.study.base_of(expert)),
            "categories": self.study.categories_of([*self.training_sets(expert), *self.evaluation_sets(expert)]),
        }
        return shared_settings(self.study.settings) | {key: value for key, value in more.items() if value}
