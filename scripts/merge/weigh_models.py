"""Make weights/{merge}.json: the losses of a cocktail's models on a few examples, and the weights that follow."""

from pathlib import Path

from judgemerge.core import files
from judgemerge.core.items import read_items
from judgemerge.core.logs import logged
from judgemerge.merge import cocktail, losses
from judgemerge.merge.examples import of_items
from judgemerge.merge.recipes import Merge
from judgemerge.prompting.prompts import load_template, with_category


def main(
    merge: Merge,
    parents: dict[str, str],
    examples: str,
    prompt: str | None,
    sources: str,
    categories: dict,
    threads: int,
    out: str,
):
    """Read the examples (items when there is a prompt for them, else JSON lines) and weigh the models with them."""
    if prompt is not None:
        items = [with_category(item, categories) for item in read_items(examples)]
        rows = of_items(items, load_template(prompt, sources))
    else:
        rows = losses.read_examples(examples, merge.parameters.get("kind", "decoder"))
    weighed = cocktail.weigh(parents, rows, merge.parameters, merge.seed, threads, merge.allow)
    files.write_json(out, {"examples": Path(examples).name, "sha256": files.sha256_file(examples), **weighed})


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            merge=Merge.of(snakemake.params.merge),
            parents={Path(path).name: path for path in snakemake.input.models},
            examples=next(iter([*snakemake.input.item_set, *snakemake.input.example_file])),
            prompt=next(iter(snakemake.input.prompts), None),
            sources=snakemake.params.sources,
            categories=snakemake.params.get("categories", {}),
            threads=snakemake.threads,
            out=snakemake.output[0],
        )
