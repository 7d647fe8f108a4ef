"""Everything that can be wrong with a study beyond its schema, found before the first job: one sentence each.

Every capability checks its own part (`check` of its module); what concerns models, benchmarks and judges stands here.
"""

from pathlib import Path

from judgemerge import merge as merging
from judgemerge.compare import comparison_checks
from judgemerge.core import models
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.data import rubrics
from judgemerge.embed import embedding_checks
from judgemerge.evaluate import ablation, published
from judgemerge.judge import backends, endpoints, pointwise_to_pairwise, sampling
from judgemerge.judge.baselines import BASELINES
from judgemerge.judge.recorded import source_of
from judgemerge.merge import preflight
from judgemerge.prompting import chat_templates
from judgemerge.prompting.prompts import load_template
from judgemerge.quantize import quantizing
from judgemerge.search import search_checks
from judgemerge.study import fitting
from judgemerge.study.study import Study
from judgemerge.train import lora_targets, preferences, screening
from judgemerge.train.training import AS_PUBLISHED, stage_sets


def check_study(study: Study) -> None:
    """Raise JudgemergeError for the first thing that is wrong with a study that fits the schema."""
    _check_backends(study)
    _check_models(study)
    quantizing.check(study)
    _check_benchmarks(study)
    _check_judges(study)
    endpoints.check(study)
    rubrics.check(study)
    sampling.check(study)
    pointwise_to_pairwise.check(study)
    ablation.check(study)
    preferences.check(study)
    lora_targets.check_study(study)
    search_checks.check(study)
    screening.check(study)
    comparison_checks.check(study)
    chat_templates.check(study)
    fitting.check(study)
    embedding_checks.check(study)


def _check_backends(study: Study) -> None:
    judging = study.settings.judging
    chosen = {"judging.backend": judging.backend}
    chosen |= {f"judging.judges.{name}.backend": entry.backend for name, entry in judging.judges.items()}
    for key, backend in chosen.items():
        if backend is not None and backend not in (names := backends.selectable()):
            raise JudgemergeError(f"{study.where}: '{key}' is {backend!r}{did_you_mean(backend, names)}")


def _known(study: Study, value: str, known, text: str) -> None:
    if value not in known:
        raise JudgemergeError(f"{study.where}: {text} '{value}'{did_you_mean(value, known)}")


def _known_items(study: Study, name: str, text: str) -> None:
    """Refuse an item set that does not exist, or that holds prompts alone and so cannot be judged or learnt."""
    _known(study, name, study.catalogues.benchmarks, text)
    if study.protocol(name) == "prompts":
        where = text.partition(" names")[0]
        raise JudgemergeError(f"{study.where}: {where} names '{name}', prompts without truth; put it in overlap.also")


def _check_raw_file(study: Study, where: str, role: str, value: str) -> None:
    if value not in study.catalogues.sources and not Path(value).is_file():
        near = did_you_mean(value, study.catalogues.sources)
        raise JudgemergeError(
            f"{where}: {role} is '{value}', neither a key of config/sources.yaml nor a file"
            f"{near if near.startswith('; did') else '; correct it'}"
        )


def _check_models(study: Study) -> None:
    seen: dict[str, str] = {}
    for kind in ("models", "experts", "merges", "quantizations"):
        names = study.settings[kind]
        for name in names:
            other = seen.setdefault(name, kind)
            if other != kind:
                raise JudgemergeError(f"{study.where}: '{name}' stands in {other} and in {kind}; rename one")
            if name in BASELINES or name in study.catalogues.recorded:
                raise JudgemergeError(
                    f"{study.where}: {kind}.{name} has the name of a baseline or recorded judge; rename it"
                )
    if "base" in study.settings:
        _known(study, study.settings["base"], study.models, "'base' names the unknown model")
    for name, expert in study.experts.items():
        if not study.base_of(name):
            raise JudgemergeError(f"{study.where}: key 'base' is missing; experts are trained from it")
        _known(study, study.base_of(name), study.models, f"experts.{name}.base names the unknown model")
        for item_set in expert["train_on"]:
            _known_items(study, item_set, f"experts.{name}.train_on names the unknown item set")
        for item_set in expert["subset"].get("by_set", {}):
            _known(study, item_set, expert["train_on"], f"experts.{name}.subset.by_set names the item set")
        for item_set in expert["drop_overlap"] if isinstance(expert["drop_overlap"], list) else ():
            _known(study, item_set, study.all_benchmarks, f"experts.{name}.drop_overlap names the unknown benchmark")
        bits = {**study.settings["training"], **expert["settings"]}.get("quantization_bit")
        if bits and not study.settings["gpus"]:
            raise JudgemergeError(
                f"{study.where}: experts.{name}.settings.quantization_bit is {bits}, and training on a quantized base "
                "needs a GPU; set gpus: 1, or leave the key out"
            )
        _check_evaluation(study, name)
        if expert["format"] == AS_PUBLISHED and expert["orders"] != "original":
            raise JudgemergeError(
                f"{study.where}: experts.{name} has format as_published, whose rows have one order; "
                "set orders: original"
            )
        for protocol, prompt in study.training_prompts(name).items():
            _check_prompt(study, prompt, protocol, f"experts.{name}")
    for item_set in (name for entry in study.models.values() for name in stage_sets(entry)):
        _known_items(study, item_set, "a pretraining stage names the unknown item set")
    for name in study.models_by_origin("make"):
        for prompts in study.stage_prompts(name):
            for protocol, prompt in prompts.items():
                _check_prompt(study, prompt, protocol, f"pretraining of '{name}'")
    for name, merge in study.merges.items():
        weighty = study.model_names - set(study.quantizations)
        merging.check_merge(name, merge, weighty, study.where, study.adapters)
        _check_examples(study, name)
    _check_no_cycle(study)
    _check_local_parents(study)


def _check_local_parents(study: Study) -> None:
    """Refuse models in folders of this machine that cannot be loaded, and merges of those that do not fit."""
    for name in study.models_by_origin("path"):
        folder = Path(study.models[name]["path"])
        if list(folder.glob("*.safetensors*")):
            try:
                models.check_folder(folder)
            except JudgemergeError as error:
                raise JudgemergeError(f"{study.where}: models.{name}.path: {error}") from None
    compared = set()
    for name, merge in study.merges.items():
        paths = {root: study.models[root].get("path", "") for root in study.roots(name)}
        folders = {root: path for root, path in paths.items() if Path(path, "config.json").is_file()}
        allow = study.allowed_differences(name)
        key = (*folders, None, *allow, None, "" if merging.own_engine(merge) else merge["method"])
        if key in compared:
            continue
        compared.add(key)
        try:
            preflight.check_local(folders, allow, key[-1])
        except JudgemergeError as error:
            raise JudgemergeError(f"{study.where}: merge '{name}': {error}") from None


def _check_evaluation(study: Study, name: str) -> None:
    """Refuse an expert whose evaluation loss is asked for and never taken, or taken on two sets at a time."""
    expert, where = study.experts[name], f"{study.where}: experts.{name}"
    given = {**study.settings["training"], **expert["settings"]}
    if expert["evaluate_on"] and given.get("val_size"):
        raise JudgemergeError(f"{where} has evaluate_on and val_size, of which LLaMA-Factory takes one; leave one out")
    if "early_stopping_steps" in given:
        if not expert["evaluate_on"] and not given.get("val_size"):
            raise JudgemergeError(f"{where}: early_stopping_steps needs an evaluation; add evaluate_on or val_size")
        if "eval_steps" not in given:
            raise JudgemergeError(f"{where}: early_stopping_steps counts evaluations; set eval_steps, their distance")


def _check_examples(study: Study, merge: str) -> None:
    """Refuse examples that are neither an item set with a prompt nor a file."""
    examples = study.examples_of(merge)
    if examples is None:
        return
    key = f"merges.{merge}.examples"
    kind = study.merges[merge]["parameters"].get("kind", "decoder")
    if examples not in study.catalogues.benchmarks:
        if not Path(examples).is_file():
            raise JudgemergeError(
                f"{study.where}: {key} is '{examples}', neither an item set nor a file"
                f"{did_you_mean(examples, study.catalogues.benchmarks)}"
            )
        return
    if kind != "decoder":
        raise JudgemergeError(f"{study.where}: {key} names an item set, but kind {kind} needs a JSON-lines file")
    _known_items(study, examples, f"{key} names the unknown item set")
    protocol = study.protocol(examples)
    _check_prompt(study, study.settings["judging"]["prompts"].get(protocol), protocol, key)


def _check_no_cycle(study: Study) -> None:
    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise JudgemergeError(
                f"{study.where}: merges need each other in a circle ({' → '.join((*path, name))}); break it"
            )
        for parent in study.parents(name) if name in study.merges else ():
            visit(parent, (*path, name))

    for name in study.merges:
        visit(name, ())


def _check_benchmarks(study: Study) -> None:
    seen: dict[str, str] = {}
    for suite, entry in study.settings["suites"].items():
        for benchmark in entry["benchmarks"]:
            _known_items(study, benchmark, f"suites.{suite}.benchmarks names the unknown benchmark")
            other = seen.setdefault(benchmark, suite)
            if other != suite or entry["benchmarks"].count(benchmark) > 1:
                raise JudgemergeError(
                    f"{study.where}: benchmark '{benchmark}' stands twice (suites.{other}, suites.{suite}); keep one"
                )
            if "limit" in entry and benchmark in study.training_sets:
                raise JudgemergeError(
                    f"{study.where}: suites.{suite}.limit draws from '{benchmark}', which a model is also trained on; "
                    "remove the limit"
                )
    for name, entry in study.settings["averages"].items():
        members = entry.get("benchmarks") or [entry["categories_of"]]
        for benchmark in members:
            _known(study, benchmark, study.all_benchmarks, f"averages.{name} names the unknown benchmark")
        if len(set(map(study.protocol, members))) > 1:
            raise JudgemergeError(
                f"{study.where}: averages.{name} mixes benchmarks of pairs and of grades; make two averages of them"
            )
        if name in study.catalogues.benchmarks:
            raise JudgemergeError(f"{study.where}: averages.{name} has the name of a benchmark; rename it")
    for key in ("judges", "labels"):
        for judge in study.settings["display"][key]:
            _known(study, judge, study.judges, f"display.{key} names the unknown judge")
    for item_set in study.settings["overlap"]["also"]:
        _known(study, item_set, study.catalogues.benchmarks, "overlap.also names the unknown item set")
    for item_set in study.item_sets:
        for role, value in study.benchmark_sources(item_set).items():
            _check_raw_file(study, f"config/benchmarks.yaml: {item_set}", role, value)
        protocol = study.published_protocol(item_set)
        if protocol is not None and protocol not in published.PROTOCOLS.names:
            raise JudgemergeError(
                f"config/benchmarks.yaml: {item_set}: unknown published protocol "
                f"'{protocol}'{did_you_mean(protocol, published.PROTOCOLS.names)}"
            )


def _check_judges(study: Study) -> None:
    known = {*study.model_names, *study.singly, *BASELINES, *study.catalogues.recorded}
    for judge in study.judges:
        _known(study, judge, known, "judges names the unknown judge")
        if study.kind(judge) == "recorded":
            _check_recorded(study, judge)
            if not any(study.answers(judge, benchmark) for benchmark in study.all_benchmarks):
                known = ", ".join(study.catalogues.recorded[judge]["benchmarks"])
                raise JudgemergeError(
                    f"{study.where}: judge '{judge}' has verdicts on no benchmark of the suites; it has some on {known}"
                )
    for judge in study.settings["judging"]["judges"]:
        _known(
            study,
            judge,
            [name for name in study.judges if study.kind(name) == "model"],
            "judging.judges names the unknown judge",
        )
    for judge in (name for name in study.judges if study.kind(name) == "model"):
        for protocol in ("pairwise", "pointwise"):
            if study.prompt(judge, protocol) is not None:
                _check_prompt(study, study.prompt(judge, protocol), protocol, f"judging, judge '{judge}'")
        if not any(study.answers(judge, benchmark) for benchmark in study.all_benchmarks):
            raise JudgemergeError(
                f"{study.where}: judge '{judge}' has no prompt for any benchmark; set judging.prompts"
            )


def _check_recorded(study: Study, judge: str) -> None:
    where = f"config/recorded.yaml: {judge}"
    for benchmark, roles in study.catalogues.recorded[judge]["benchmarks"].items():
        if benchmark not in study.catalogues.benchmarks:
            raise JudgemergeError(
                f"{where}: unknown benchmark '{benchmark}'{did_you_mean(benchmark, study.catalogues.benchmarks)}"
            )
        for role, value in roles.items():
            if benchmark in study.all_benchmarks:
                _check_raw_file(study, f"{where}: {benchmark}", role, source_of(value))


def _check_prompt(study: Study, prompt: str | None, protocol: str, key: str) -> None:
    if prompt is None:
        raise JudgemergeError(f"{study.where}: {key} has no {protocol} prompt; set judging.prompts.{protocol}")
    _known(study, prompt, study.catalogues.prompts, f"{key} uses the unknown {protocol} prompt")
    found = load_template(study.catalogues.prompts[prompt]).protocol
    if found != protocol:
        raise JudgemergeError(f"{study.where}: {key} uses prompt '{prompt}' for {protocol} items; it is {found}")
