"""Make searches/{tuning}/trial_{trial}: an expert trained with other settings, and judged on the development set."""

import dataclasses
from pathlib import Path

from judgemerge.core import files
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.items import read_items
from judgemerge.core.logs import logged
from judgemerge.core.processes import Stopped
from judgemerge.prompting.prompts import load_template
from judgemerge.search import searching, trials
from judgemerge.train import experts, runs, trained_models


def main(
    search: dict,
    trial: int,
    proposed: str,
    earlier: list[str],
    default: dict,
    expert: dict,
    data: experts.Data,
    common: dict,
    start: runs.Start,
    development: dict[str, str],
    prompts: dict[str, str],
    judging: dict,
    folder: str,
    result: str,
) -> None:
    """Train with the proposed settings, give up when the pruner says so, judge, and write the result.

    `development` are the files of the sets by name; `data`, `common` and `start` are those of experts.train_expert. A
    trial that was given up keeps its last value, which no choice looks at.
    """
    number = searching.round_of(search, trial)
    params = next(entry["params"] for entry in files.read_json(proposed)["trials"] if entry["trial"] == trial)
    changed = searching.applied(expert, params, "expert")
    pruner = searching.Pruner(search, number, map(files.read_json, earlier), default)
    minimised = searching.is_minimised(search)
    watch, evaluation = None, []
    if search["pruning"] != "none":
        # A checkpoint at every evaluation holds what was measured so far.
        changed["settings"] |= {"eval_steps": search["pruning_every"], "save_steps": search["pruning_every"]}
        evaluation, watch = list(development.values()), trials.watcher(pruner, minimised)
    if "patience" in search:
        every = {"eval_steps": search["pruning_every"], "save_steps": search["pruning_every"]}
        changed["settings"] |= {"early_stopping_steps": search["patience"], **every}
        evaluation, watch = list(development.values()), None
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    results = experts.Results(*(str(place / name) for name in ("adapter", "recipe.yaml", "curve.csv")))
    found = {"trial": trial, "round": number, "params": params, "state": "pruned", "value": None, "n": 0, "errors": 0}
    try:
        experts.train_expert(changed, dataclasses.replace(data, evaluation=evaluation), common, start, results, watch)
        state = files.read_json(place / "adapter" / "trainer_state.json")
        complete = not trials.reports(pruner, state, minimised)
    except Stopped:
        complete = False
    if complete:
        sets = {name: list(read_items(path)) for name, path in development.items()}
        asked_by = load_yaml(place / "recipe.yaml")["asked_by"]
        backend = trained_models.load(start.base, place / "adapter", judging, start.threads, asked_by)
        loaded = [load_template(f"config/prompts/{name}.yaml") for name in prompts.values()]
        templates = {template.protocol: template for template in loaded}
        metrics = searching.targets(search)
        verdicts, _ = trials.judge(sets, templates, backend, judging["max_prompt_tokens"], metrics)
        found |= {"state": "complete", **trials.finish(place, sets, verdicts, metrics)}
        if evaluation:
            found["evaluation_loss"] = trials.lowest_loss(state)
        if searching.EVALUATION_LOSS in metrics.values():
            found["value"] = found["evaluation_loss"]
    elif pruner.reports:
        found["value"] = pruner.reports[-1][1]
    files.write_json(result, {**found, "reports": pruner.reports})


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            search=snakemake.params.search,
            trial=int(snakemake.wildcards.trial),
            proposed=snakemake.input.proposed,
            earlier=list(snakemake.input.earlier),
            default=snakemake.params.default,
            expert=snakemake.params.expert,
            data=experts.Data(
                items=dict(zip(snakemake.params.expert["train_on"], snakemake.input.item_sets, strict=True)),
                left_out=snakemake.input.left_out,
                templates=experts.load_templates(
                    snakemake.params.training_prompts, snakemake.input.prompts, snakemake.params.sources
                ),
            ),
            common=snakemake.params.common,
            start=runs.Start.at(
                snakemake.input.model,
                snakemake.input.manifest,
                snakemake.params.seed,
                snakemake.threads,
                snakemake.params.work,
            ),
            development=dict(zip(searching.targets(snakemake.params.search), snakemake.input.development, strict=True)),
            prompts=snakemake.params.prompts,
            judging=snakemake.params.judging,
            folder=snakemake.output.folder,
            result=snakemake.output.result,
        )
