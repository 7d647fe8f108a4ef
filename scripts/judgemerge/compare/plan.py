"""Which models, questions, metrics and prompts the jobs of a study's model comparisons read, by their names."""

from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.compare import answer_judging
from judgemerge.prompting import rubric_metrics
from judgemerge.prompting.rubric_metrics import Metric
from judgemerge.settings.models import EndpointModel

if TYPE_CHECKING:
    from judgemerge.study.study import Study


class ComparisonPlan:
    """The model comparisons of one study, as its rules ask about them."""

    def __init__(self, study: "Study"):
        """Answer from the settings of `study`."""
        self.study = study
        self.comparisons = study.settings.model_comparisons

    def settings(self, comparison: str) -> dict:
        """Return a comparison as the study has it, for the parameters of a job."""
        return self.comparisons[comparison].plain()

    def models_and_judges(self) -> list[str]:
        """Return every model that a comparison needs: those compared, and the judges."""
        entries = self.comparisons.values()
        return list(dict.fromkeys(name for entry in entries for name in (*entry.models, *entry.judges)))

    def question_set(self, comparison: str) -> str:
        """Return the item set that the questions of a comparison are drawn from."""
        return self.comparisons[comparison].questions

    def categories(self, comparison: str) -> dict:
        """Return the part of `judging.categories` that is about the questions."""
        return self.study.categories_of([self.question_set(comparison)])

    def question_sets(self) -> list[str]:
        """Return the item sets that the questions of all comparisons are drawn from."""
        return list(map(self.question_set, self.comparisons))

    def answers(self, comparison: str) -> list[tuple[str, str]]:
        """Return (comparison, model) for both models, in the order of the comparison."""
        return [(comparison, model) for model in self.comparisons[comparison].models]

    def judgments(self, comparison: str) -> list[tuple[str, str]]:
        """Return (comparison, judge) for every judge."""
        return [(comparison, judge) for judge in self.comparisons[comparison].judges]

    def published(self, comparison: str) -> list[str]:
        """Return the file with somebody else's figures, if the comparison quotes any."""
        published = self.comparisons[comparison].published
        return [published] if published else []

    def generation(self, comparison: str) -> dict:
        """Return how both models answer."""
        return self.comparisons[comparison].generation.plain()

    # ---- metrics and prompts ----

    def metric_files(self, comparison: str) -> list[Path]:
        """Return the file of every metric of a comparison."""
        where = f"{self.study.where}: model_comparisons.{comparison}.metrics"
        names = self.comparisons[comparison].metrics
        return [rubric_metrics.metric_file(name, where, self.study.catalogues.metrics) for name in names]

    def metric_paths(self, comparison: str) -> list[str]:
        """Return the paths of those files."""
        return list(map(str, self.metric_files(comparison)))

    def metric_contents(self, comparison: str) -> dict[str, dict]:
        """Return what those files say; a comment or another description in them starts nothing again."""
        return {str(path): rubric_metrics.content(path) for path in self.metric_files(comparison)}

    def metrics(self, comparison: str) -> list[Metric]:
        """Return the metrics of a comparison."""
        return list(map(rubric_metrics.load_metric, self.metric_files(comparison)))

    def metric_sources(self, comparison: str) -> list[str]:
        """Return the raw files that the metrics of a comparison take their words from: keys of sources.yaml."""
        names = [name for path in self.metric_files(comparison) for name in rubric_metrics.metric_sources(path)]
        return list(dict.fromkeys(names))

    def prompts(self, comparison: str) -> dict[str, str]:
        """Return the name of the prompt of the pairs, if they are judged, and of every metric."""
        return answer_judging.prompt_names(self.comparisons[comparison], self.metrics(comparison))

    # ---- how models are asked ----

    def answering(self, model: str, comparison: str) -> dict:
        """Return what a model's backend is told besides threads and batches; transformers alone draws answers."""
        judging = self.study.settings.judging
        longest = self.comparisons[comparison].max_prompt_tokens or judging.max_prompt_tokens
        chat = self.study.chat(model)
        return {"dtype": judging.dtype, "max_prompt_tokens": longest} | ({"chat": chat} if chat else {})

    def grading(self, judge: str, comparison: str) -> dict:
        """Return what a judge's backend is told besides threads and batches."""
        reply_tokens = self.study.settings.judging.reply_tokens
        limit = {"reply_tokens": reply_tokens} if reply_tokens else {}
        return self.answering(judge, comparison) | {"backend": self.study.backend(judge)} | limit

    def endpoint(self, model: str) -> dict | None:
        """Return the endpoint of a model or judge, None when its weights are here."""
        entry = self.study.models.get(model)
        return entry.endpoint.plain() if isinstance(entry, EndpointModel) else None

    def weights(self, model: str) -> list[str]:
        """Return the model itself where its weights are here, nothing for one behind an endpoint."""
        return [] if self.endpoint(model) else [model]
