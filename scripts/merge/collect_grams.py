"""Make weights/{merge}.json and weights/{merge}: what the layers of a merge's parents read on examples."""

from pathlib import Path

from judgemerge.core import files
from judgemerge.core.items import read_items
from judgemerge.core.logs import logged
from judgemerge.merge import grams
from judgemerge.merge.examples import of_items
from judgemerge.merge.recipes import Merge
from judgemerge.prompting.prompts import by_protocol, with_category


def main(
    merge: Merge, parents: dict[str, str], item_sets: dict[str, str], prompts: list[str], sources: str,
    categories: dict, threads: int, folder: str, out: str,
) -> None:  # fmt: skip
    """Write the matrices of every parent on the items of its own set, shown with the prompt of their protocol."""
    templates, about = by_protocol(prompts, sources), {}
    for name, path in item_sets.items():
        items = [with_category(item, categories) for item in read_items(path)]
        examples = of_items(items, templates[items[0].protocol])
        sizes = grams.write(parents[name], examples, Path(folder, name), merge.parameters, merge.seed, threads)
        about[name] = {"examples": Path(path).name, "sha256": files.sha256_file(path), **sizes}
    files.write_json(out, {"grams": {name: str(Path(folder, name)) for name in item_sets}, "noted": about})


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        merge = Merge.of(snakemake.params.merge)
        main(
            merge=merge,
            parents={Path(path).name: path for path in snakemake.input.models},
            item_sets=dict(zip(merge.grams, snakemake.input.item_sets, strict=True)),
            prompts=list(snakemake.input.prompts),
            sources=snakemake.params.sources,
            categories=snakemake.params.categories,
            threads=snakemake.threads,
            folder=snakemake.output.grams,
            out=snakemake.output.weights,
        )
