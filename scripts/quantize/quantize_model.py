"""Make models/{quantization}: a GGUF file with fewer bits per weight, with the tokenizer it is rendered with."""

import shutil
import sys
from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.logs import logged
from judgemerge.quantize import quantizing


def main(
    model: str, parent: str, parents: dict[str, str], gguf: str, kind: str, threads: int, result: str, manifest: str
):
    """Quantize, count what became of the tensors, copy what rendering needs, and move the folder into place."""
    for warning in quantizing.check_rows(files.read_json(Path(model, "config.json")), kind, f"{model}/config.json"):
        print(warning, file=sys.stderr)
    fresh = Path(f"{result}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    quantizing.quantize(gguf, fresh / models.GGUF_FILE, kind, threads)
    for path in models.description_files(model):
        target = fresh / path.relative_to(model)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
    contents = quantizing.inspect(fresh / models.GGUF_FILE, kind)
    if contents.fallbacks:
        print(
            f"{result}: matrices whose rows do not fit {kind} have other types: {contents.fallbacks}", file=sys.stderr
        )
    about = quantizing.Quantized(parent, kind, contents).plain()
    files.write_json(fresh / models.QUANTIZATION_RECORD, about)
    models.move_into_place(fresh, result)
    described = models.describe(
        result, rule="quantize_model", quantization={"model": parent, "type": kind}, parents=parents
    )
    files.write_json(manifest, {**described, "backend": "llama_cpp", "quantization": about})


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            model=snakemake.input.model,
            parent=snakemake.params.parent,
            parents={snakemake.params.parent: files.read_json(snakemake.input.manifest)["digest"]},
            gguf=snakemake.input.gguf,
            kind=snakemake.params.type,
            threads=snakemake.threads,
            result=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
