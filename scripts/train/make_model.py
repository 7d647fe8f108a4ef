"""Make models/{model}: a tiny Llama with its own tokenizer, pretrained by LLaMA-Factory in the stages of the study."""

import shutil
from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.logs import logged
from judgemerge.settings.models import Tiny
from judgemerge.train.experts import load_templates
from judgemerge.train.pretraining import pretrained

if "snakemake" in globals():
    params = snakemake.params
    with logged(snakemake.log[0]):
        templates = [load_templates(names, snakemake.input.prompts, params.sources) for names in params.prompts]
        items = {Path(path).stem: path for path in snakemake.input.item_sets}
        cached = pretrained(Tiny.of(params.make), items, templates, params.seed, snakemake.threads, params.cache)
        part = Path(f"{snakemake.output.model}.part")
        shutil.copytree(cached, part, dirs_exist_ok=True)
        models.move_into_place(part, snakemake.output.model)
        about = {"make": params.make, "seed": params.seed, "threads": snakemake.threads}
        described = models.describe(snakemake.output.model, rule="make_model", **about)
        files.write_json(snakemake.output.manifest, described)
