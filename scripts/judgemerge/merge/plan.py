"""Which models, adapters and examples the jobs that merge a study's models read, by the name of the merge."""

from functools import cached_property
from typing import TYPE_CHECKING

from judgemerge.merge.recipes import Merge
from judgemerge.settings.models import HubModel, MadeModel

if TYPE_CHECKING:
    from judgemerge.study.study import Study


class MergePlan:
    """The merges of one study, as their rules ask about them."""

    def __init__(self, study: "Study"):
        """Answer from the settings of `study`."""
        self.study = study

    @cached_property
    def groups(self) -> list[dict]:
        """The groups of models that merges bring together and that are compared before, as recipes.Group reads them.

        One model alone is only looked at for the method of mergekit, and only where it is not made here.
        """
        groups = []
        for name in self.study.merges:
            merge, roots = Merge.of(self.entry(name)), sorted(self.study.roots(name))
            foreign = not merge.is_ours and any(not isinstance(self.study.models[root], MadeModel) for root in roots)
            method = merge.method.name if foreign else None
            group = {"models": roots, "allow": self.study.allowed_differences(name), "mergekit": method}
            if (len(roots) > 1 or foreign) and group not in groups:
                groups.append(group)
        return groups

    @property
    def compared_models(self) -> list[str]:
        """The models in those groups."""
        return sorted({name for group in self.groups for name in group["models"]})

    def entry(self, merge: str) -> dict:
        """Return one merge as the study has it; `lookup` would walk all of them for each, and grids have hundreds."""
        return self.study.merges[merge].plain()

    def categories(self, merge: str) -> dict:
        """Return the part of `judging.categories` that is about the examples of a merge."""
        return self.study.categories_of(self.example_sets(merge))

    def adapter_bases(self, merge: str) -> dict[str, str]:
        """Return LoRA adapter → the model it was trained on, for those that a merge reads as adapters."""
        return {name: self.study.adapters[name] for name in self.study.adapters_of(merge)}

    def weighed(self, merge: str) -> list[str]:
        """Return the merge itself if something is computed from examples before it is made, else nothing."""
        return [merge] if self.study.examples_of(merge) is not None or self.gram_sets(merge) else []

    @property
    def with_grams(self) -> list[str]:
        """The merges that need what the layers of their parents read."""
        return [name for name in self.study.merges if self.gram_sets(name)]

    @property
    def weighed_by_losses(self) -> list[str]:
        """The merges whose weights are computed from losses."""
        return [name for name in self.study.merges if self.study.examples_of(name) is not None]

    def gram_sets(self, merge: str) -> list[str]:
        """Return the item sets on which that is collected, in the order of the parents."""
        return list((self.study.merges[merge].grams or {}).values())

    def gram_prompts(self, merge: str) -> dict[str, str]:
        """Return protocol → prompt that the items of these sets are shown with."""
        prompts = self.study.settings.judging.prompts
        protocols = dict.fromkeys(map(self.study.protocol, self.gram_sets(merge)))
        return {protocol: prompts.of_protocol(protocol) for protocol in protocols}

    def gram_categories(self, merge: str) -> dict:
        """Return the part of `judging.categories` that is about these sets."""
        return self.study.categories_of(self.gram_sets(merge))

    def example_sets(self, merge: str) -> list[str]:
        """Return the item set that the weights are computed from; none for a file."""
        examples = self.study.examples_of(merge)
        return [examples] if examples in self.study.catalogues.benchmarks else []

    def example_files(self, merge: str) -> list[str]:
        """Return the file that the weights are computed from; none for an item set."""
        return [] if self.example_sets(merge) else [self.study.examples_of(merge)]

    def about_all(self) -> dict[str, dict]:
        """Return merge → what its card says of it besides its manifest."""
        return {merge: self.about(merge) for merge in self.study.merges}

    def about(self, merge: str) -> dict:
        """Return what the study knows of a merge besides its manifest: for its card."""
        study = self.study
        entries = {name: study.models.get(name) for name in study.models_read(merge)}
        suites = study.suites if merge in study.judges else []
        prompts = {prompt for suite in suites for prompt in study.prompts_of(merge, suite).values()}
        return {
            "study": study.name,
            "prompts": ", ".join(sorted(filter(None, prompts))),
            "repos": {name: entry.repo for name, entry in entries.items() if isinstance(entry, HubModel)},
            "licence": study.settings.about.model_licence,
            "source": study.settings.about.source,
            "confidence": study.settings.statistics.confidence,
        }
