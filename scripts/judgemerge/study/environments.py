"""The conda environment (a file of envs/) of a job, where it depends on what the study asks of the job."""

from collections.abc import Mapping

from judgemerge.judge import backends
from judgemerge.study.study import Study
from judgemerge.train import training

FILE = "../envs/{}.yaml"  # as the rules see it


class Environments:
    """The environments of one study's jobs, as its rules ask for them."""

    def __init__(self, study: Study):
        """Answer for `study`."""
        self.study = study

    def of_replies(self, model: str) -> str:
        """Return the environment of a job in which a model of the study answers: that of its backend."""
        return FILE.format(backends.environment(self.study.backend_of(model), self.study.settings.gpus > 0))

    def of_training(self, expert: str) -> str:
        """Return the environment in which an expert is trained."""
        return self._training("train", self.study.experts[expert].settings)

    def of_trial(self, search: str) -> str:
        """Return the environment in which the trials of a search for settings are trained and judged."""
        own = self.study.experts[self.study.target_of(search)].settings
        return self._training("search", {**own, **dict.fromkeys(self.study.searches[search].space, True)})

    def of_screening(self, model: str) -> str:
        """Return the environment in which a base model is screened."""
        settings = self.study.settings
        return self._file("train", training.expert_settings(settings.training, settings.screening.settings))

    def _training(self, environment: str, own: Mapping) -> str:
        return self._file(environment, training.expert_settings(training.shared_settings(self.study.settings), own))

    @staticmethod
    def _file(environment: str, settings: Mapping) -> str:
        return FILE.format(f"{environment}_gpu" if training.gpu_packages(settings) else environment)
