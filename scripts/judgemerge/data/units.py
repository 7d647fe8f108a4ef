"""Which raw files make which item sets, and which of these share them. Imports nothing heavy."""

from typing import TYPE_CHECKING

from judgemerge.core.digests import script_digest
from judgemerge.data.benchmarks import deciding

if TYPE_CHECKING:
    from judgemerge.study.study import Study


class ItemSets:
    """The item sets of one study."""

    def __init__(self, study: "Study"):
        self.study = study

    def deciding(self, benchmark: str) -> dict:
        """Return what the catalogue says that decides which items a set has; words for readers are no part of it.

        Of stand-ins no counts are expected.
        """
        spec = deciding(self.study.catalogues.benchmarks[benchmark])
        made_up = {*self.study.stand_ins}.intersection(self.study.benchmark_sources(benchmark).values())
        return {key: value for key, value in spec.items() if key != "expected" or not made_up}

    def code(self, benchmark: str) -> str:
        """Return a digest of the code that makes one item set: editing another benchmark's loader leaves it alone."""
        return script_digest("data/write_items", benchmarks=self.loader(benchmark))

    def loader(self, benchmark: str) -> str:
        """Return the module of data/benchmarks/ that makes the items of a set."""
        return self.study.catalogues.benchmarks[benchmark]["loader"]

    def sampling_seed(self, benchmark: str) -> int | None:
        """Return the seed that items are sampled with, None where all are taken: another seed changes nothing there."""
        return self.study.settings.seed if self.study.limit(benchmark) is not None else None

    def roles(self, benchmark: str) -> list[str]:
        """Return the role of each raw file of an item set."""
        return list(self.study.benchmark_sources(benchmark))

    def harmless_overlaps(self) -> dict[tuple[str, str], str]:
        """Return why no warning is needed, by pair of sets that come from one raw file and nothing is trained on."""
        notes = {}
        for pair in self.study.overlap_pairs:
            first, second = (set(self.study.benchmark_sources(name).values()) for name in pair)
            if first & second and pair[0] not in self.study.training_sets:
                notes[pair] = f"both are read from {', '.join(sorted(first & second))}"
        return notes

    def is_stand_in(self, source: str) -> bool:
        """Return whether a raw file is made up, for a rehearsal."""
        return source in self.study.stand_ins

    def checksum(self, source: str) -> str:
        """Return the sha256 that a raw file must have."""
        return self.study.catalogues.sources[source].sha256

    def downloaded_models(self) -> list[str]:
        """Return the models that come from the hub or from a package."""
        return [name for name, entry in self.study.models.items() if entry.repo or entry.package]

    def downloaded_encoders(self) -> list[str]:
        """Return the encoders that come from the hub or from a package."""
        embedding = self.study.embedding
        return [*embedding.encoders_with("repo"), *embedding.encoders_with("package")] if embedding else []

    def downloaded_collections(self) -> list[str]:
        """Return the collections of documents that come from a package."""
        return list(self.study.embedding.packaged_collections) if self.study.embedding else []
