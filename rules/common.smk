"""What all rules share: the checked study, wildcard constraints, resources, paths of files."""

import os
import re

sys.path.insert(0, os.path.join(workflow.basedir, "scripts"))

from judgemerge.train import planned_forms
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.digests import script_digest
from judgemerge.core.errors import JudgemergeError
from judgemerge.evaluate.expected import read_expected
from judgemerge.core.models import fingerprint, size_on_disk
from judgemerge.core.patterns import one_of
from judgemerge.prompting.prompts import content
from judgemerge.study.layout import (
    FIGURE,
    FIGURE_PNG,
    ITEM_COUNTS,
    ITEMS,
    MANIFEST,
    MODEL,
    PAGE,
    RECORDED_COUNTS,
    REPLIES,
    RUN_RECORD,
    SIDES,
    SOURCE,
    SOURCES,
    STORE,
    TABLE,
    TIMING,
    USAGE,
    VERDICTS,
    Layout,
    of,
    renamed,
)
from judgemerge.study.resources import Needs, Size, several_nodes
from judgemerge.study.load import load_study
from judgemerge.train.training import shared_settings

config.setdefault("mirror", os.environ.get("JUDGEMERGE_MIRROR", ""))
STUDY_FILE = os.path.relpath((workflow.overwrite_configfiles or ["config/config.yaml"])[-1])
try:
    load_yaml(STUDY_FILE)  # Snakemake keeps the last of two equal keys and says nothing
    study = load_study(config, STUDY_FILE, os.path.join(workflow.basedir, "config"))
    EXPECTED = read_expected("config/expected.tsv", study.name)
    if workflow.is_main_process:
        planned_forms.check(study)
except JudgemergeError as error:
    raise WorkflowError(str(error)) from None
settings = study.settings
paths = Layout(study.name)
each = paths.each
# The report's first page reads the configuration itself: at a scale it has to say that scale's words.
config["description"] = settings.get("description", "")


wildcard_constraints:
    study=re.escape(study.name),
    source=one_of(study.catalogues.sources),
    benchmark=one_of(study.item_sets),
    made=one_of(study.models_by_origin("make")),
    downloaded=one_of(study.models_by_origin("repo")),
    found=one_of(study.models_by_origin("path")),
    endpoint=one_of(study.models_by_origin("endpoint")),
    expert=one_of(study.experts),
    merge=one_of(study.merges),
    quantization=one_of(study.quantizations),
    model=one_of(study.model_names),
    judge=one_of(study.model_names),
    suite=one_of(settings["suites"]),
    recorded=one_of(study.catalogues.recorded),


def per_attempt(amount):
    """Return a resource function that asks for `amount` more at each attempt (attempts are counted by the profile)."""

    def resource(wildcards, attempt):
        return amount * attempt

    return resource


# What a job that reads and writes small files needs.
small_job = dict(mem_mb=per_attempt(1000), runtime=per_attempt(10))


def results_file(pattern, **wildcards):
    """Return one path below this study's results."""
    return f"results/{study.name}/{pattern.format(**wildcards)}"


def known_size(model):
    """Return the size of a model that is there already: in this study's results, or in the folder it is found in."""
    found = size_on_disk(results_file("models/{name}.json", name=model), study.models.get(model, {}).get("path"))
    return found and Size(*found)


NEEDS = Needs(study, known_size)
try:
    NEEDS.check_judges()
except JudgemergeError as error:
    raise WorkflowError(str(error)) from None
GPUS = NEEDS.gpus
TRAINING_NODES = several_nodes(settings)
# The cluster profile reads these: a study without GPUs goes to the partition for CPUs.
os.environ.update(
    JUDGEMERGE_GPUS=str(settings["gpus"]),
    JUDGEMERGE_NODES=str(settings["nodes"]),
    JUDGEMERGE_JUDGE_GPUS=str(NEEDS.most_judging_gpus()),
)


def judge_gpus(wildcards):
    """The GPUs that one judge, or a model that answers like one, asks for."""
    return NEEDS.judging_gpus(wildcards.judge if hasattr(wildcards, "judge") else wildcards.model)


def needed(amount, step, *names):
    """Return a resource function: `mem_mb` or `runtime` of a step, from the sizes of its models, more at each attempt."""

    def resource(wildcards, attempt):
        return getattr(NEEDS, step)(*(wildcards[name] for name in names)).at(amount, attempt)

    return resource


def raw_files(by_role):
    """The files of sources given by role; what is no key of sources.yaml is the path of a file."""
    known = study.catalogues.sources
    return [results_file("sources/{source}", source=value) if value in known else value for value in by_role.values()]


def prompt_files(prompts):
    """The files of prompts given by protocol; what they say is a parameter, see `prompt_contents`."""
    return [ancient(f"config/prompts/{name}.yaml") for name in dict.fromkeys(prompts.values())]


def prompt_contents(prompts):
    """What prompts given by protocol say: a comment or another description in a file starts nothing again."""
    return {name: content(study.catalogues.prompts[name]) for name in dict.fromkeys(prompts.values())}


def prompt_texts(prompts):
    """The raw files that prompts given by protocol take texts from."""
    known = study.catalogues.sources
    names = [source for prompt in prompts.values() for source in study.prompt_sources(prompt)]
    return [results_file("sources/{source}", source=name) if name in known else name for name in dict.fromkeys(names)]
