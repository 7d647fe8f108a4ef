"""Make searches/{tuning}/trial_{trial}: an expert trained with other settings, and judged on the development set."""

from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.items import read_items
from judgemerge.core.logs import logged
from judgemerge.core.processes import Stopped
from judgemerge.prompting.prompts import load_template
from judgemerge.search import searching, trials
from train_expert import main as train_expert


def main(
    search: dict,
    trial: int,
    proposed: str,
    earlier: list[str],
    default: dict,
    expert: dict,
    training: dict,
    development: dict[str, str],
    prompts: dict[str, str],
    judging: dict,
    folder: str,
    result: str,
) -> None:
    """Train with the proposed settings, give up when the pruner says so, judge, and write the result.

    `development` are the files of the sets by name; `training` holds the other arguments of train_expert.main. A trial
    that was given up keeps its last value, which no choice looks at.
    """
    number = searching.round_of(search, trial)
    params = next(entry["params"] for entry in files.read_json(proposed)["trials"] if entry["trial"] == trial)
    changed = searching.applied(expert, params, "expert")
    pruner = searching.Pruner(search, number, map(files.read_json, earlier), default)
    minimised = searching.is_minimised(search)
    watched = {}
    if search["pruning"] != "none":
        # A checkpoint at every evaluation holds what was measured so far.
        changed["settings"] |= {"eval_steps": search["pruning_every"], "save_steps": search["pruning_every"]}
        watched = {"evaluation": list(development.values()), "watch": trials.watcher(pruner, minimised)}
    if "patience" in search:
        every = {"eval_steps": search["pruning_every"], "save_steps": search["pruning_every"]}
        changed["settings"] |= {"early_stopping_steps": search["patience"], **every}
        watched = {"evaluation": list(development.values())}
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    written = {"recipe_file": str(place / "recipe.yaml"), "curve": str(place / "curve.csv")}
    found = {"trial": trial, "round": number, "params": params, "state": "pruned", "value": None, "n": 0, "errors": 0}
    try:
        train_expert(expert=changed, adapter=str(place / "adapter"), **written, **training, **watched)
        state = files.read_json(place / "adapter" / "trainer_state.json")
        complete = not trials.reports(pruner, state, minimised)
    except Stopped:
        complete = False
    if complete:
        sets = {name: list(read_items(path)) for name, path in development.items()}
        asked_by = load_yaml(place / "recipe.yaml")["asked_by"]
        backend = load_trained(training["base"], place / "adapter", judging, training["threads"], asked_by)
        templates = {template.protocol: template for template in map(_template, prompts.values())}
        metrics = searching.targets(search)
        verdicts, _ = trials.judge(sets, templates, backend, judging["max_prompt_tokens"], metrics)
        found |= {"state": "complete", **trials.finish(place, sets, verdicts, metrics)}
        if watched:
            found["evaluation_loss"] = trials.lowest_loss(state)
        if searching.EVALUATION_LOSS in metrics.values():
            found["value"] = found["evaluation_loss"]
    elif pruner.reports:
        found["value"] = pruner.reports[-1][1]
    files.write_json(result, {**found, "reports": pruner.reports})


def _template(name: str):
    return load_template(f"config/prompts/{name}.yaml")


def load_trained(base: str, trained: Path, judging: dict, threads: int, chat_template: str):
    """Return the trained model: the adapter folded into its base in memory, or the whole model that was written.

    `chat_template` is the text of the one that it was trained in, whatever its folder has.
    """
    from judgemerge.judge.backends.transformers import Transformers

    chat = {**judging.get("chat", {}), "text": chat_template}
    if not (trained / "adapter_config.json").exists():
        models.check_folder(trained)
        return Transformers(trained, judging["dtype"], judging["batch_tokens"], threads, chat)
    from peft import PeftModel

    from judgemerge.train import fused_experts

    backend = Transformers(base, judging["dtype"], judging["batch_tokens"], threads, chat)
    fused_experts.split_for(backend.model, trained)
    backend.model = PeftModel.from_pretrained(backend.model, trained).merge_and_unload().eval()
    return backend


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            search=snakemake.params.search,
            trial=int(snakemake.wildcards.trial),
            proposed=snakemake.input.proposed,
            earlier=list(snakemake.input.earlier),
            default=snakemake.params.default,
            expert=snakemake.params.expert,
            training={
                "items": dict(zip(snakemake.params.expert["train_on"], snakemake.input.item_sets, strict=True)),
                "left_out": snakemake.input.left_out,
                "prompts": snakemake.params.training_prompts,
                "sources": snakemake.params.sources,
                "common": snakemake.params.common,
                "base": snakemake.input.model,
                "base_digest": models.described(snakemake.input.model, snakemake.input.manifest)["digest"],
                "seed": snakemake.params.seed,
                "threads": snakemake.threads,
                "work": snakemake.params.work,
            },
            development=dict(zip(searching.targets(snakemake.params.search), snakemake.input.development, strict=True)),
            prompts=snakemake.params.prompts,
            judging=snakemake.params.judging,
            folder=snakemake.output.folder,
            result=snakemake.output.result,
        )
