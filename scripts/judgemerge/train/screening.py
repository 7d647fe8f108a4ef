"""Screening of foundation models: the same fine-tuning for each, then the loss on held-out answers.

The loss per token depends on the tokenizer: a model with a larger vocabulary writes the same text in fewer, harder
tokens. So bits per byte of the answers stand beside it; they can be compared between tokenizers.
"""

import json
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.items import Item, read_items, sample
from judgemerge.prompting import prompts
from judgemerge.train import preferences

if TYPE_CHECKING:
    from judgemerge.train import runs

COLUMNS = (
    "base", "parameters", "steps", "loss", "loss_low", "loss_high", "bits_per_byte", "bpb_low", "bpb_high", "n",
    "clusters", "too_long", "tokens", "bytes", "note",
)  # fmt: skip

Asked = tuple[Item, str, str, int]  # item, text, answer with the end of its turn, bytes of the answer


def screen_base(
    settings: Mapping,
    items: Sequence[str],
    held_out: Sequence[str],
    template: prompts.Template,
    common: Mapping,
    start: "runs.Start",
    judging: Mapping,
    n_parameters: int,
    losses_file: str,
    curve_file: str,
) -> None:
    """Train the base at `start` for the screening's steps, score the held-out answers, and write losses and curve.

    `items` and `held_out` are files, `n_parameters` those of the base. The work folder is removed when all is done.
    """
    from judgemerge.train import curves, runs, trained_models

    plan, n_too_long = _plan(settings, items, template, common, start, judging.get("chat", {}), losses_file)
    trained = runs.run(plan, start)
    backend = trained_models.load(start.base, trained.output, judging, start.threads, plan.form.chat.text)
    tested = [item for path in held_out for item in read_items(path)]
    if "limit" in settings:
        tested = sample(tested, settings["limit"], start.seed)
    result = {
        "parameters": n_parameters,
        "examples": trained.n_examples,
        "examples_too_long": n_too_long,
        "steps": settings["steps"],
        "answers": losses(questions(tested, template, backend), backend, judging["max_prompt_tokens"]),
    }
    curves.write(curve_file, curves.state_of(trained.output))
    files.write_json(losses_file, result)
    shutil.rmtree(trained.folder)


def _plan(
    settings: Mapping,
    items: Sequence[str],
    template: prompts.Template,
    common: Mapping,
    start: "runs.Start",
    chat: Mapping,
    where: str,
) -> tuple["runs.Plan", int]:
    """Return what is trained, and how many of the items are too long for it."""
    from judgemerge.train import lora_targets, runs, trained_forms, training
    from judgemerge.train.llamafactory import load_form

    name = Path(start.base).name
    changes = {"template": settings["templates"][name]} if name in settings["templates"] else {}
    changes |= {"stage": "sft", "max_steps": settings["steps"]}
    shared = {key: value for key, value in common.items() if key not in preferences.STAGES["dpo"]}
    merged = training.expert_settings(shared, settings["settings"] | changes)
    keys, adapted = lora_targets.prepare(start.base, merged, where)
    rows = preferences.rows([item for path in items for item in read_items(path)], template, ranking=False)
    form = load_form(start.base, keys, chat, where, trained_forms.longer_talks(rows))
    limit = keys.get("cutoff_len", training.COMMON["cutoff_len"])
    short = training.short_enough(form, list(map(form.laid_out, rows)), limit, where)
    examples = training.limited(short, keys, start.seed)
    return runs.Plan(keys, form, examples, adapted, where), len(rows) - len(short)


def questions(items: Iterable[Item], template: prompts.Template, backend) -> list[Asked]:
    """Return what is asked for every item that has a better response or answers of its own."""
    found = []
    for item in items:
        if item.truth == "tie":
            continue
        *messages, answer = preferences.rows([item], template, ranking=False)[0]["messages"]
        end = backend.continuation(messages, answer["content"])
        found.append((item, backend.render(messages), end, len(answer["content"].encode())))
    return found


def losses(asked: Sequence[Asked], backend, max_tokens: int) -> list[dict]:
    """Return {item, cluster, nll, tokens, bytes} of every answer; nll is None where the text is too long (counted).

    Tokens and nll include the end of the turn, bytes are those of the answer alone.
    """
    lengths = backend.counts([text + answer for _, text, answer, _ in asked])
    fitting = [number for number, length in enumerate(lengths) if length <= max_tokens]
    rows = [
        {"item": item.id, "cluster": item.cluster, "nll": None, "tokens": 0, "bytes": n_bytes}
        for item, _, _, n_bytes in asked
    ]
    for batch in backend.score([(asked[number][1], (asked[number][2],)) for number in fitting]):
        for index, completion in batch:
            scored = json.loads(completion.text)
            rows[fitting[index]] |= {"nll": -scored["logprobs"][0], "tokens": scored["tokens"][0]}
    return rows


def summary(rows: Sequence[dict], n_resamples: int, confidence: float, seed: int) -> dict:
    """Return loss per token and bits per byte over all answers, with percentile intervals over resampled prompts."""
    import numpy as np

    read = [row for row in rows if row["nll"] is not None]
    clusters = sorted({row["cluster"] for row in read})
    place = {cluster: number for number, cluster in enumerate(clusters)}
    sums = np.zeros((3, len(clusters)))
    for row in read:
        sums[:, place[row["cluster"]]] += (row["nll"], row["tokens"], row["bytes"])
    found = {"n": len(read), "clusters": len(clusters), "too_long": len(rows) - len(read), "note": ""}
    found |= {"tokens": int(sums[1].sum()), "bytes": int(sums[2].sum())}
    if not read:
        return found | {"note": "every held-out text is longer than max_prompt_tokens"}
    nll, tokens, n_bytes = sums.sum(axis=1)
    found |= {"loss": nll / tokens, "bits_per_byte": nll / n_bytes / math.log(2)}
    if len(clusters) < 2:
        return found | {"note": "one prompt: no interval"}
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(len(clusters), np.full(len(clusters), 1 / len(clusters)), size=n_resamples)
    nll, tokens, n_bytes = sums @ drawn.T
    tail = 100 * (1 - confidence) / 2
    found["loss_low"], found["loss_high"] = np.percentile(nll / tokens, [tail, 100 - tail])
    found["bpb_low"], found["bpb_high"] = np.percentile(nll / n_bytes / math.log(2), [tail, 100 - tail])
    return found


def check(study) -> None:
    """Refuse a screening with an unknown base, item set or prompt, or one that is tested on what it learnt."""
    screening = study.settings.get("screening")
    if screening is None:
        return
    where = f"{study.where}: screening"
    for key, names, known in (
        ("bases", screening["bases"], study.models),
        ("train_on", screening["train_on"], study.catalogues.benchmarks),
        ("templates", screening["templates"], screening["bases"]),
        ("evaluate_on", screening["evaluate_on"], study.catalogues.benchmarks),
        ("prompt", [screening["prompt"]], study.catalogues.prompts),
    ):
        for name in names:
            if name not in known:
                raise JudgemergeError(f"{where}.{key} names the unknown '{name}'{did_you_mean(name, known)}")
    for name in screening["evaluate_on"]:
        if name in screening["train_on"]:
            raise JudgemergeError(f"{where} is trained and tested on '{name}'; take two parts of it")
    mode = prompts.load_template(study.catalogues.prompts[screening["prompt"]]).mode
    if mode != "likelihood":
        raise JudgemergeError(f"{where}.prompt '{screening['prompt']}' has mode {mode}; give one of mode likelihood")
