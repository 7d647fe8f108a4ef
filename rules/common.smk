"""What all rules share: the checked study, wildcard constraints, resources, paths of files."""

import os

sys.path.insert(0, os.path.join(workflow.basedir, "scripts"))

from judgemerge.train import planned_forms
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.digests import script_digest
from judgemerge.core.errors import JudgemergeError
from judgemerge.evaluate.expected import read_expected
from judgemerge.core.patterns import one_of
from judgemerge.study import rehearsing
from judgemerge.study.environments import Environments
from judgemerge.study.layout import Layout, chained, filled, of, renamed
from judgemerge.study.resources import Needs, per_attempt, several_nodes, sizes_on_disk
from judgemerge.study.load import load_study

config.setdefault("mirror", os.environ.get("JUDGEMERGE_MIRROR", ""))
STUDY_FILE = os.path.relpath((workflow.overwrite_configfiles or ["config/config.yaml"])[-1])
try:
    load_yaml(STUDY_FILE)  # Snakemake keeps the last of two equal keys and says nothing
    study = load_study(config, STUDY_FILE, os.path.join(workflow.basedir, "config"))
    EXPECTED = read_expected("config/expected.tsv", study.name)
    if workflow.is_main_process:
        planned_forms.check(study)
        for line in rehearsing.lines(study.settings, study.stand_ins):
            print(line, file=sys.stderr)
except JudgemergeError as error:
    raise WorkflowError(str(error)) from None
settings = study.settings
paths = Layout(study.name)
each = paths.each
# The report's first page reads the configuration itself: at a scale it has to say that scale's words.
config["description"] = settings.description


# Patterns without a wildcard for the study let Snakemake look a file's rule up by the beginning of its path.
pathvars:
    results=paths.root,
    logs=paths.LOGS,
    benchmarks=paths.TIMINGS,


wildcard_constraints:
    source=one_of(study.catalogues.sources),
    benchmark=one_of(study.item_sets),
    endpoint=one_of(study.models_by_origin("endpoint")),
    expert=one_of(study.experts),
    merge=one_of(study.merges),
    quantization=one_of(study.quantizations),
    model=one_of(study.model_names),
    judge=one_of(study.model_names),
    suite=one_of(settings.suites),
    recorded=one_of(study.catalogues.recorded),


# What a job that reads and writes small files needs.
small_job = dict(mem_mb=per_attempt(1000), runtime=per_attempt(10))


NEEDS = Needs(study, sizes_on_disk(study, paths))
try:
    NEEDS.check_judges()
except JudgemergeError as error:
    raise WorkflowError(str(error)) from None
GPUS = NEEDS.gpus
environments = Environments(study)
TRAINING_NODES = several_nodes(settings)
# The cluster profile reads these: a study without GPUs goes to the partition for CPUs.
os.environ.update(
    JUDGEMERGE_GPUS=str(settings.gpus),
    JUDGEMERGE_NODES=str(settings.nodes),
    JUDGEMERGE_JUDGE_GPUS=str(NEEDS.most_judging_gpus()),
)
judge_gpus = NEEDS.gpus_of_judge
needed = NEEDS.resources
prompt_contents = study.prompt_contents


def raw_files(by_role):
    """The files of sources given by role; what is no key of sources.yaml is the path of a file."""
    return paths.raw_files(by_role.values(), study.catalogues.sources)


def prompt_files(prompts):
    """The files of prompts given by protocol; what they say is a parameter, `study.prompt_contents`."""
    return [ancient(f"config/prompts/{name}.yaml") for name in dict.fromkeys(prompts.values())]


def prompt_texts(prompts):
    """The raw files that prompts given by protocol take texts from."""
    names = [source for prompt in prompts.values() for source in study.prompt_sources(prompt)]
    return paths.raw_files(dict.fromkeys(names), study.catalogues.sources)
