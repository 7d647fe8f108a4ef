"""Make screening/{screened}.json: losses of one foundation model on held-out answers, after its fine-tuning."""

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.prompting.prompts import load_template
from judgemerge.train import runs, screening

if "snakemake" in globals():
    inputs, params = snakemake.input, snakemake.params
    with logged(snakemake.log[0]):
        screening.screen_base(
            settings=params.screening,
            items=list(inputs.item_sets),
            held_out=list(inputs.held_out),
            template=load_template(*inputs.prompt),
            common=params.common,
            start=runs.Start.at(inputs.model, inputs.manifest, params.seed, snakemake.threads, params.work),
            judging=params.judging,
            n_parameters=files.read_json(inputs.manifest)["parameters"],
            losses_file=snakemake.output.losses,
            curve_file=snakemake.output.curve,
        )
