"""judgemerge: train, merge and audit LLM judges. Reads one study file; everything it makes lies under results/<study>/."""

import os
import sys

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.0")

# Tools installed beside Snakemake are found without activating its environment; packages below ~/.local never are.
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
os.environ["PYTHONNOUSERSITE"] = "1"

# A study given on the command line replaces the default one: loading both would mix them key by key.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/merge.smk"
include: "rules/judge.smk"
include: "rules/score.smk"
include: "rules/report.smk"


rule all:
    """Every table and figure of the study, and the record of how they came about."""
    default_target: True
    input:
        study_results,


rule sources:
    """Every raw file of the study, so that the rest can run without internet."""
    input:
        study_sources,


localrules:
    all,
    sources,
