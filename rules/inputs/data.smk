"""Input functions of rules/data.smk."""

from judgemerge.study.layout import ENCODER_MANIFEST
from judgemerge.data.benchmarks import deciding as deciding_of_items


def benchmark_spec(wildcards):
    """What the catalogue says that decides which items one set has; words for readers are no part of it."""
    return deciding_of_items(study.catalogues.benchmarks[wildcards.benchmark])


def study_sources(wildcards):
    """What is fetched: raw files of benchmarks, recorded judges and training sets, and every model of the hub."""
    files = [results_file("sources/{source}", source=key) for key in study.source_keys]
    models = [name for name in study.models if "repo" in study.models[name]]
    encoders = study.embedding.encoders_with("repo") if study.embedding else []
    return [
        *files,
        *(results_file("models/{name}.json", name=name) for name in models),
        *each(ENCODER_MANIFEST, encoders),
    ]


def source_sha256(wildcards):
    """The checksum that a raw file must have."""
    return study.catalogues.sources[wildcards.source].sha256


def benchmark_files(wildcards):
    """The raw files of one item set."""
    return raw_files(study.benchmark_sources(wildcards.benchmark))


def benchmark_limit(wildcards):
    """The number of items that a suite draws from one of its benchmarks, None for all."""
    return study.limit(wildcards.benchmark)


def benchmark_rubric(wildcards):
    """The rubric of the items of one set that have none of their own, None where there is none."""
    return study.rubric(wildcards.benchmark)


def benchmark_seed(wildcards):
    """The seed that a suite draws items with; none where all are taken, so that another seed changes nothing there."""
    return settings["seed"] if study.limit(wildcards.benchmark) is not None else None


def adapter_digest(wildcards):
    """A digest of the code that makes one item set: editing another benchmark's adapter leaves it alone."""
    return script_digest("data/write_items", benchmarks=study.catalogues.benchmarks[wildcards.benchmark]["adapter"])


def benchmark_roles(wildcards):
    """The role that each raw file of one item set plays, in the order of `benchmark_files`."""
    return list(study.benchmark_sources(wildcards.benchmark))
