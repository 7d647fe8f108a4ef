"""The keys of a study file at its top."""

from functools import cache
from typing import Any, Literal

from judgemerge.settings import training_keys
from judgemerge.settings.comparisons import Ablation, LabelledPart, ModelComparison
from judgemerge.settings.embedding import Embedding
from judgemerge.settings.judging import Judging, PairsFromGrades, Suite
from judgemerge.settings.models import Expert, Merge, Model, Quantization, Twins
from judgemerge.settings.panels import Cascade, Jury
from judgemerge.settings.rehearsal import Rehearsal
from judgemerge.settings.report import About, Average, Display, Overlap, Replaceability, Statistics
from judgemerge.settings.searches import Screening, Search
from judgemerge.settings.section import NAMES, Section, key, schema_of, section
from judgemerge.settings.training_keys import LLAMAFACTORY, LlamaFactory


@section
class Settings(Section):
    """What runs. Catalogues (sources, benchmarks, prompts, recorded judges) list what exists."""

    # A study of an embedding model alone judges nothing.
    checks = {
        "if": {"not": {"required": ["embedding"]}},
        "then": {
            "required": ["suites", "judges"],
            "properties": {
                "suites": {"description": "Named lists of benchmarks."},
                "judges": {"description": "Who judges."},
            },
        },
    }

    study: str = key("Name of the study; everything it makes lies under results/<study>/.", pattern="^[a-z][a-z0-9_]*$")
    description: str = key("One sentence shown in the report.", "")
    seed: int = key(
        "Seed of everything random that has no seed of its own (demo tasks, random baseline, training).", 42, minimum=0
    )
    date: str = key(
        "The date, YYYY-MM-DD, that chat templates get as today's (Llama 3.2 and others show it), so that a "
        "prompt is the same on every day.",
        "2024-07-26",
        pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    )
    scale: str | None = key(
        "Name of a scale below `scales` that is laid over the study, usually given on the command line (--config "
        "scale=tiny); results then lie under results/<study>_<scale>/. Several are laid over one another in "
        "their order (scale=other_bases,twins). Every study has the scale `twins`, its rehearsal "
        "(docs/rehearsing.md).",
        None,
    )
    scales: dict[str, dict[str, Any]] | None = key(
        "Changes to the study by name. Mappings are merged key by key, anything else is replaced, null removes a key.",
        None,
    )
    mirror: str = key(
        "Folder with raw files laid out <owner>/<repo>/<commit>/<path>. Usually given on the command line (--config "
        "mirror=DIR) or as JUDGEMERGE_MIRROR; empty means HTTPS.",
        "",
    )
    downloads: bool = key("Run the optional suites without a mirror, fetching their raw files over HTTPS.", False)
    gpus: int = key(
        "GPUs that the training of an expert asks for on each of its `nodes`; judging asks for `judging.gpus`, "
        "merging for none. 0 runs on the CPU. With more than one, LLaMA-Factory trains with DeepSpeed ZeRO-3 "
        "(`training.deepspeed`).",
        0,
        minimum=0,
    )
    nodes: int = key(
        "Nodes that the training of an expert runs on, each with as many GPUs, threads and as much memory. Several "
        "need SLURM (--profile slurm); everything else runs on one.",
        1,
        minimum=1,
    )
    gpu_gb: float | None = key(
        "Memory of one GPU in gigabytes; unset means 80. The plan refuses judges that do not fit.",
        None,
        exclusiveMinimum=0,
    )
    longest_job: int | None = key(
        'Longest time of a job in minutes: the limit of your partition (`sinfo -o "%P %l"`). No training asks'
        " for more; a longer one resumes at its checkpoint in the next attempt. Without it a training of "
        "unknown length asks for two days.",
        None,
        minimum=10,
    )
    threads: int = key(
        "CPU threads of each training, merging and judging job. Part of a merge's identity (last bits depend on it).",
        2,
        minimum=1,
    )
    twins: bool | Twins | None = key(
        "Put the twin of a published model in place of every model of the hub, and of every folder that "
        "config/twins.yaml knows: `true`, or how the twins are made. Shows on two CPU cores that a study runs, and "
        "nothing about its models.",
        None,
    )
    rehearsal: Rehearsal | None = key(default=None)
    models: dict[str, Model] = key(
        "Models that the study starts from, by name; each is generated, downloaded, read from a folder, or "
        "behind an endpoint.",
        {},
        **NAMES,
    )
    base: str | None = key("The model that experts are trained from; one of `models`.", None)
    training: LlamaFactory = key("LLaMA-Factory keys that all experts share.", {}, **LLAMAFACTORY)
    experts: dict[str, Expert] = key(
        "Experts by name, each trained on its own item sets with one prompt; LoRA, or all weights with "
        "`settings.finetuning_type: full`.",
        {},
        **NAMES,
    )
    merges: dict[str, Merge] = key("Merged models by name.", {}, **NAMES)
    quantizations: dict[str, Quantization] = key(
        "Models of this study as GGUF files with fewer bits per weight, by name; llama.cpp judges with them.",
        {},
        **NAMES,
    )
    searches: dict[str, Search] = key(
        "Searches for settings of an expert or parameters of a merge by name. Each ends with a model `<name>_best`, "
        "which can be a judge like any other. The development set is never among the benchmarks of the suites.",
        {},
        **NAMES,
    )
    screening: Screening | None = key(default=None)
    model_comparisons: dict[str, ModelComparison] = key(
        "Two models that answer the same questions, by name of the comparison; judges compare the answers in "
        "pairs (both orders, blind) and grade each one by metrics of config/metrics/ (docs/comparing.md).",
        {},
        **NAMES,
    )
    embedding: Embedding | None = key(default=None)
    suites: dict[str, Suite] = key(
        "Named lists of benchmarks. One job answers one suite with one judge, so the model loads once per "
        "suite. Each benchmark belongs to exactly one suite.",
        {},
        minProperties=1,
        **NAMES,
    )
    judges: tuple[str, ...] = key(
        "The judges: names of models, experts and merges of this study, baselines (longer, random, majority),"
        " recorded judges of config/recorded.yaml, juries and cascades.",
        [],
        minItems=1,
        uniqueItems=True,
    )
    unified_table: bool = key(
        "Make tables/unified.csv and its page: every judge on every benchmark of pairs as myendless1/llm-as-a-judge "
        "counts, with row counts and the published figures beside them (docs/studies/unified.md).",
        False,
    )
    about: About = key(default={})
    averages: dict[str, Average] = key(
        "Means over benchmarks, or over the categories of one, by name; rows of agreement.csv under that name, with "
        "intervals. The mean is a plain one, whatever the sizes. An average whose benchmarks are not run is left out.",
        {},
    )
    display: Display = key(default={})
    overlap: Overlap = key(default={})
    ablation: Ablation | None = key(default=None)
    corrected: dict[str, LabelledPart] = key(
        "Benchmark of the suites, or model comparison, of which people labelled a part: tables/corrected_<name>.csv "
        "has the judges' numbers, those of the labels, and both together (docs/corrected.md).",
        {},
        **NAMES,
    )
    juries: dict[str, Jury] = key(
        "Judges that vote, by name of the jury, which is a judge like any other once `judges` lists it.", {}, **NAMES
    )
    cascades: dict[str, Cascade] = key(
        "Judges that are asked one after the other, by name of the cascade, which is a judge like any other once "
        "`judges` lists it.",
        {},
        **NAMES,
    )
    pairs_from_grades: PairsFromGrades = key(default={})
    judging: Judging = key(default={})
    statistics: Statistics = key(default={})
    compared_pairs: Literal["auto", "asked", "all"] = key(
        "Which judges comparisons.csv compares with each other: `all`, or what is `asked`: each with the best of the "
        "benchmark, the models that it was made from, every base and every baseline, and the twelve best among each "
        "other. `auto`: all while a benchmark has at most 20 judges.",
        "auto",
    )
    replaceability: Replaceability = key(default={})


@cache
def schema() -> dict[str, Any]:
    """Return the JSON schema of a study file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A judgemerge study",
        **schema_of(Settings),
        "$defs": {"llamafactory": training_keys.schema()},
    }
