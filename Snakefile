"""judgemerge: train, merge and audit LLM judges. Reads one study file; everything it makes lies under results/<study>/."""

import atexit
import gc
import os
import sys

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.0")

# Snakemake keeps all that it makes while it plans. Python would look through it many times, and once more at the end: a
# fifth of the CPU time of a plan, be it of seventy jobs or of thousands.
gc.set_threshold(100_000, 20, 20)
atexit.register(gc.freeze)

# Tools installed beside Snakemake are found without activating its environment; packages below ~/.local never are.
# Scripts find our package.
# Threads that wait for each other sleep: on a shared machine spinning ones made a training 20 times slower (measured).
# Sets of texts have one order in every process.
os.environ.update(
    PYTHONHASHSEED="0",
    PATH=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)]),
    PYTHONPATH=os.pathsep.join(
        [os.path.join(workflow.basedir, "scripts"), *filter(None, [os.environ.get("PYTHONPATH")])]
    ),
    PYTHONNOUSERSITE="1",
    OMP_WAIT_POLICY=os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
)

# A study given on the command line replaces the default one: loading both would mix them key by key.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


# An image made from containers/Dockerfile, for --sdm conda apptainer.
if container_image := os.environ.get("JUDGEMERGE_CONTAINER"):

    containerized: container_image


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/merge.smk"
include: "rules/judge.smk"
include: "rules/evaluate.smk"
include: "rules/report.smk"
include: "rules/quantize.smk"
include: "rules/search.smk"
include: "rules/compare.smk"
include: "rules/plan.smk"


if study.embedding:

    include: "rules/embed.smk"


rule all:
    """Every table and figure of the study, and the record of how they came about."""
    default_target: True
    input:
        paths.path(paths.RUN_RECORD),
        CONTENTS.files(),


rule sources:
    """Every raw file and every downloaded model of the study, so that the rest can run without internet."""
    input:
        each(paths.SOURCE, study.source_keys),
        each(paths.MANIFEST, item_sets.downloaded_models()),
        each(paths.ENCODER_MANIFEST, item_sets.downloaded_encoders()),
        each(paths.COLLECTION, item_sets.downloaded_collections()),


localrules:
    all,
    sources,
