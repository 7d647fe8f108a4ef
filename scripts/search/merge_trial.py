"""Make searches/{blending}/trial_{trial}: a merge with other parameters, judged on the development set."""

import shutil
from pathlib import Path

from judgemerge.core import files, processes
from judgemerge.core.items import read_items
from judgemerge.core.logs import logged
from judgemerge.merge import runs
from judgemerge.prompting.prompts import load_template
from judgemerge.search import searching, trials


def main(
    search: dict,
    trial: int,
    proposed: str,
    earlier: list[str],
    default: dict,
    merge: dict,
    parents: runs.Parents,
    threads: int,
    development: dict[str, str],
    prompts: dict[str, str],
    sources: str,
    judging: dict,
    folder: str,
    result: str,
) -> None:
    """Merge, judge item by item until the pruner gives up or all are judged, and write the result.

    `development` are the files of the sets by name; the merged weights are removed again: the best trial
    is merged a second time, which gives the same bytes.
    """
    from judgemerge.judge.backends.transformers import Transformers

    number = searching.round_of(search, trial)
    params = next(entry["params"] for entry in files.read_json(proposed)["trials"] if entry["trial"] == trial)
    place = Path(folder)
    merged = place / "model"
    runs.make_model(
        merge=searching.applied(merge, params, "merge"),
        parents=parents,
        threads=threads,
        model=str(merged),
        manifest=str(place / "manifest.json"),
        recipe_file=str(place / "recipe.yaml"),
    )
    pruner = searching.Pruner(search, number, map(files.read_json, earlier), default)
    sets = {name: list(read_items(path)) for name, path in development.items()}
    metrics = searching.targets(search)
    templates = [load_template(f"config/prompts/{name}.yaml", sources) for name in prompts.values()]
    verdicts, complete = trials.judge(
        sets,
        {template.protocol: template for template in templates},
        Transformers(merged, judging["dtype"], judging["batch_tokens"], threads, judging.get("chat", {})),
        judging["max_prompt_tokens"],
        metrics,
        search["pruning_every"] if search["pruning"] != "none" else None,
        pruner.report,
    )
    shutil.rmtree(merged)
    found = {"trial": trial, "round": number, "params": params, "state": "complete" if complete else "pruned"}
    files.write_json(result, {**found, **trials.finish(place, sets, verdicts, metrics), "reports": pruner.reports})


if "snakemake" in globals():
    processes.end_cleanly()
    with logged(snakemake.log[0]):
        main(
            search=snakemake.params.search,
            trial=int(snakemake.wildcards.trial),
            proposed=snakemake.input.proposed,
            earlier=list(snakemake.input.earlier),
            default=snakemake.params.default,
            merge=snakemake.params.merge,
            parents=runs.Parents.at(
                snakemake.input.models, snakemake.input.manifests, snakemake.input.adapters, snakemake.params.bases
            ),
            threads=snakemake.threads,
            development=dict(zip(searching.targets(snakemake.params.search), snakemake.input.development, strict=True)),
            prompts=snakemake.params.prompts,
            sources=snakemake.params.sources,
            judging=snakemake.params.judging,
            folder=snakemake.output.folder,
            result=snakemake.output.result,
        )
