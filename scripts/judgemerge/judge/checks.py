"""What can be wrong with the judges of a study: whether judge, prompt, backend, items and sampling fit together.

Each of them can be right alone: a prompt that shows a rubric, items that have none, a backend that decodes greedily, a
study that draws replies. Put together they give jobs that fail after their download, or errors alone.
"""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError, did_you_mean, require_known
from judgemerge.core.items import PROTOCOLS
from judgemerge.data.checks import check_fields, check_raw_file
from judgemerge.judge import backends, endpoints, panel_checks, sampling
from judgemerge.judge.baselines import BASELINES
from judgemerge.judge.pairs_from_grades import SUFFIX
from judgemerge.prompting.checks import check_prompt
from judgemerge.prompting.prompts import Template, choices
from judgemerge.settings.models import Model

if TYPE_CHECKING:
    from judgemerge.study.study import Study


def check(study: "Study") -> None:
    """Refuse judges that are not there, and such as cannot be asked as the study says."""
    _check_backends(study)
    _check_names(study)
    _check_variants(study)
    panel_checks.check_answers(study)
    for judge in study.judges:
        if study.kind(judge) == "model":
            _check_prompts(study, judge)
    _check_endpoints(study)
    _check_draws(study)
    _check_pairs_from_grades(study)
    for judge in study.judges:
        if study.kind(judge) == "model":
            _check_sampling(study, judge)
            _check_division(study, judge)
            for protocol in PROTOCOLS:
                _check_fit(study, judge, protocol)
    for judge in study.judges_from_grades.values():
        _check_grading(study, judge)


def _check_backends(study: "Study") -> None:
    judging = study.settings.judging
    keys = {"judging.backend": judging.backend}
    keys |= {f"judging.judges.{name}.backend": entry.backend for name, entry in judging.judges.items()}
    for key, backend in keys.items():
        if backend is not None and not backends.is_selectable(backend):
            near = did_you_mean(backend, backends.selectable())
            raise JudgemergeError(f"{study.where}: '{key}' is {backend!r}{near}")


def _check_names(study: "Study") -> None:
    names = {*study.asked_names, *study.judges_from_grades, *BASELINES, *study.catalogues.recorded, *study.panels}
    for judge in study.judges:
        require_known(judge, names, f"{study.where}: judges names the unknown judge")
        if study.kind(judge) == "recorded":
            _check_recorded(study, judge)
    models = [name for name in study.settings.judges if study.kind(name) == "model"]
    for judge in study.settings.judging.judges:
        require_known(judge, models, f"{study.where}: judging.judges names the unknown judge")


def _check_recorded(study: "Study", judge: str) -> None:
    where, benchmarks = f"config/recorded.yaml: {judge}", study.catalogues.recorded[judge].benchmarks
    for benchmark in benchmarks:
        require_known(benchmark, study.catalogues.benchmarks, f"{where}: unknown benchmark")
        for role, value in study.catalogues.recorded[judge].sources(benchmark).items():
            if benchmark in study.item_sets:
                check_raw_file(study, f"{where}: {benchmark}", role, value)
    if not _answers_any(study, judge):
        raise JudgemergeError(
            f"{study.where}: judge '{judge}' has verdicts on no benchmark of the suites; it has some on "
            f"{', '.join(benchmarks)}"
        )


def _answers_any(study: "Study", judge: str) -> bool:
    return any(study.answers(judge, benchmark) for benchmark in study.all_benchmarks)


def _check_prompts(study: "Study", judge: str) -> None:
    for protocol in PROTOCOLS:
        if study.prompt(judge, protocol) is not None:
            check_prompt(study, study.prompt(judge, protocol), protocol, f"judging, judge '{judge}'")
    if not _answers_any(study, judge):
        raise JudgemergeError(f"{study.where}: judge '{judge}' has no prompt for any benchmark; set judging.prompts")


def _check_endpoints(study: "Study") -> None:
    """Refuse what an endpoint cannot be asked: a wrong address, settings of ours, its weights."""
    names = study.models_by_origin("endpoint")
    for name in names:
        endpoints.check_entry(study.models[name].endpoint, f"{study.where}: models.{name}.endpoint")
    for expert in study.experts:
        if study.base_of(expert) in names:
            raise JudgemergeError(
                f"{study.where}: experts.{expert} starts from '{study.base_of(expert)}', an endpoint; "
                "name a model whose weights are here"
            )
    for merge in study.merges:
        for parent in sorted({*names} & {*study.parents(merge)}):
            raise JudgemergeError(
                f"{study.where}: merges.{merge} takes '{parent}', an endpoint without weights; remove it"
            )


def _check_draws(study: "Study") -> None:
    """Refuse runs and redraws of greedy replies, which would all be the same."""
    how = sampling.of(study.settings.judging)
    if not how.is_on and (how.runs > 1 or how.retries):
        key = "sampling.runs" if how.runs > 1 else "retries"
        raise JudgemergeError(
            f"{study.where}: judging.{key} asks for several draws of greedy replies, which are all the same; "
            "set judging.sampling.temperature above 0"
        )


def _check_variants(study: "Study") -> None:
    """Refuse variants of what is no model among the judges, and such as ask nothing else, or nothing at all."""
    models = [judge for judge in study.settings.judges if study.kind(judge) == "model"]
    for judge, (model, name, entry) in study.variants.items():
        key = f"{study.where}: judging.variants.{name}"
        require_known(model, models, f"{key}.judges names what is no model among the judges:")
        if model in study.models_by_origin("endpoint"):
            raise JudgemergeError(
                f"{key}.judges names '{model}', an endpoint; give it a second entry in models, with other prompts in "
                "judging.judges, and the replies are shared"
            )
        if judge in {*study.model_names, *study.judges_from_grades, *study.catalogues.recorded, *study.panels}:
            raise JudgemergeError(f"{key} makes a judge '{judge}', and there is another one of that name; rename it")
        for suite in entry.suites or ():
            require_known(suite, study.settings.suites, f"{key}.suites names the unknown suite")
        for protocol in PROTOCOLS:
            own = study.prompt(judge, protocol)
            if own is not None and own == study.prompt(model, protocol):
                raise JudgemergeError(
                    f"{key}.{protocol} is '{own}', which '{model}' is asked with anyway; name another"
                )
        if not _answers_any(study, judge):
            raise JudgemergeError(f"{key} judges nothing: no benchmark of its suites has the protocol of its prompts")


def _check_pairs_from_grades(study: "Study") -> None:
    """Refuse derived judges without a judge, a prompt for grades or pairs to compare."""
    section, prompt, key = study.settings.pairs_from_grades, study.grading_prompt, f"{study.where}: pairs_from_grades"
    if section.tie_resamples and study.settings.judging.sampling.temperature == 0:
        raise JudgemergeError(
            f"{key}.tie_resamples asks for several samples of greedy replies, which are all the same; "
            "set judging.sampling.temperature above 0"
        )
    models = [judge for judge in study.settings.judges if study.kind(judge) == "model"]
    for judge in section.judges:
        where = f"{key}.judges names '{judge}'"
        if judge not in models:
            raise JudgemergeError(f"{where}, no model among the judges{did_you_mean(judge, models)}")
        if f"{judge}{SUFFIX}" in study.model_names:
            raise JudgemergeError(f"{where}, but the study has a model '{judge}{SUFFIX}'; rename that one")
        if prompt is None:
            raise JudgemergeError(f"{where}, but there is no pointwise prompt; set pairs_from_grades.prompt")
        require_known(prompt, study.catalogues.prompts, f"{key}.prompt is the unknown prompt")
        if study.template(prompt).protocol != "pointwise":
            raise JudgemergeError(f"{key}.prompt '{prompt}' compares pairs; name one that grades")
    for suite in section.suites or ():
        require_known(suite, study.settings.suites, f"{key}.suites names the unknown suite")


def _check_sampling(study: "Study", judge: str) -> None:
    how, backend = sampling.of(study.settings.judging), study.backend_of(judge)
    if how.is_on and backends.SAMPLING not in backends.abilities(backend):
        raise JudgemergeError(
            f"{study.where}: judge '{judge}' answers with backend '{backend}', which draws no replies here, but "
            f"judging.sampling.temperature is {how.parameters.temperature:g}; set it to 0, or leave the judge out"
        )


def _check_division(study: "Study", judge: str) -> None:
    """Refuse GPUs among which vLLM cannot divide a judge's attention heads, as far as their number is known."""
    judging = study.settings.judging
    n_gpus = judging.for_judge(study.model_of(judge)).gpus or judging.gpus or 1
    if study.backend_of(judge) != "vllm" or not study.settings.gpus:
        return
    for root in study.roots(judge):
        heads = _attention_heads(study.models[root])
        if heads and heads % n_gpus:
            raise JudgemergeError(
                f"{study.where}: judge '{judge}' has {heads} attention heads, which backend 'vllm' cannot divide among "
                f"{n_gpus} GPUs; set judging.judges.{judge}.gpus to a number that divides {heads}"
            )


def _attention_heads(model: Model) -> int | None:
    """Return how many attention heads a model has, None where neither the study nor a folder here says."""
    if model.make:
        return model.make.heads
    config = Path(model.path or "", "config.json")
    described = files.read_json(config) if model.path and config.is_file() else {}
    return described.get("text_config", described).get("num_attention_heads")


def _check_fit(study: "Study", judge: str, protocol: str) -> None:
    """Refuse a prompt whose mode the judge's backend cannot serve, or that no item of a suite can fill."""
    prompt = study.prompt(judge, protocol)
    if prompt is None:
        return
    template, key = study.template(prompt), f"judging.judges.{judge}.{protocol}"
    check_mode(study, judge, template, key)
    for suite in study.settings.suites:
        sets = [name for name in study.benchmarks_of(judge, suite) if study.protocol(name) == protocol]
        check_fields(study, template, template.fields, sets, f"judge '{judge}'", f"suite '{suite}'", key)


def check_mode(study: "Study", judge: str, template: Template, key: str) -> None:
    """Refuse a prompt whose mode the judge's backend cannot serve."""
    backend = study.backend_of(judge)
    endpoint = study.models[judge].endpoint if judge in study.models_by_origin("endpoint") else None
    if template.mode == "generate" or not endpoint and backends.LOGPROBS in backends.abilities(backend):
        return
    if endpoint and endpoints.gives_logprobs(endpoint) and template.mode == "choices":
        _check_choosable(template, f"{study.where}: judge '{judge}'", key)
        return
    may = endpoint and template.mode == "choices"
    hint = f", or set models.{judge}.endpoint.settings.logprobs if the server gives them" if may else ""
    raise JudgemergeError(
        f"{study.where}: backend '{backend}' of judge '{judge}' gives no log-probabilities, but prompt "
        f"'{template.name}' (mode {template.mode}) needs them; name another prompt in {key}{hint}"
    )


def _check_choosable(template: Template, where: str, key: str) -> None:
    """Refuse labels that no first token of an endpoint tells apart."""
    for one, other in itertools.combinations([label.strip() for label in choices(template)[1]], 2):
        if one[:1] == other[:1] and not (one.isdigit() and other.isdigit()):
            raise JudgemergeError(
                f"{where} is asked with prompt '{template.name}', whose labels '{one}' and '{other}' begin alike; an "
                f"endpoint tells labels apart by their first letter, name another prompt in {key}"
            )


def _check_grading(study: "Study", judge: str) -> None:
    """Refuse a prompt for single grades that cannot be filled from the pairs of a suite."""
    template, suites = study.template(study.grading_prompt), study.settings.suites
    check_mode(study, judge, template, "pairs_from_grades.prompt")
    for suite in suites if study.settings.pairs_from_grades.suites is None else study.settings.pairs_from_grades.suites:
        sets = [name for name in suites[suite].item_sets if study.protocol(name) == "pairwise"]
        user = f"pairs_from_grades, judge '{judge}'"
        check_fields(study, template, template.fields, sets, user, f"suite '{suite}'", "pairs_from_grades.prompt")
