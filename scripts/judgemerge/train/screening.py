"""Screening of foundation models: the same fine-tuning for each, then the loss on held-out answers.

The loss per token depends on the tokenizer: a model with a larger vocabulary writes the same text in fewer, harder
tokens. So bits per byte of the answers stand beside it; they can be compared between tokenizers.
"""

import json
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from judgemerge.core import files
from judgemerge.core.items import Item, read_items, sample
from judgemerge.prompting import prompts
from judgemerge.settings.report import Statistics
from judgemerge.settings.searches import Screening
from judgemerge.train import preferences

if TYPE_CHECKING:
    from judgemerge.judge.backends import ScoringBackend
    from judgemerge.train import runs

COLUMNS = (
    "base", "parameters", "steps", "loss", "loss_low", "loss_high", "bits_per_byte", "bpb_low", "bpb_high", "n",
    "clusters", "too_long", "tokens", "bytes", "note",
)  # fmt: skip


class Question(NamedTuple):
    """One held-out answer: its item, the text before it, the answer with the end of its turn, its bytes without."""

    item: Item
    text: str
    answer: str
    n_bytes: int


class Loss(NamedTuple):
    """The loss of one answer, as it stands in the file of losses; `nll` is None where the text is too long.

    Tokens and nll include the end of the turn, bytes are those of the answer alone.
    """

    item: str
    cluster: str
    nll: float | None
    tokens: int
    bytes: int


def screen_base(
    settings: Screening | Mapping,
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

    settings = Screening.of(settings)
    plan, n_too_long = _plan(settings, items, template, common, start, judging.get("chat", {}), losses_file)
    trained = runs.run(plan, start)
    backend = trained_models.load(start.base, trained.output, judging, start.threads, plan.form.chat.text)
    tested = [item for path in held_out for item in read_items(path)]
    if settings.limit is not None:
        tested = sample(tested, settings.limit, start.seed)
    result = {
        "parameters": n_parameters,
        "examples": trained.n_examples,
        "examples_too_long": n_too_long,
        "steps": settings.steps,
        "answers": [
            loss._asdict()
            for loss in losses(questions(tested, template, backend), backend, judging["max_prompt_tokens"])
        ],
    }
    curves.write(curve_file, curves.state_of(trained.output))
    files.write_json(losses_file, result)
    shutil.rmtree(trained.folder)


def _plan(
    settings: Screening,
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
    changes = {"template": settings.templates[name]} if name in settings.templates else {}
    changes |= {"stage": "sft", "max_steps": settings.steps}
    shared = {key: value for key, value in common.items() if key not in preferences.DPO_ONLY}
    merged = training.expert_settings(shared, settings.settings | changes)
    keys, adapted = lora_targets.prepare(start.base, merged, where)
    rows = preferences.rows([item for path in items for item in read_items(path)], template, ranking=False)
    form = load_form(start.base, keys, chat, where, trained_forms.longer_talks(rows))
    limit = keys.get("cutoff_len", training.COMMON["cutoff_len"])
    short = training.short_enough(form, list(map(form.laid_out, rows)), limit, where)
    examples = training.limited(short, keys, start.seed)
    return runs.Plan(keys, form, examples, adapted, where), len(rows) - len(short)


def questions(items: Iterable[Item], template: prompts.Template, backend: "ScoringBackend") -> list[Question]:
    """Return what is asked for every item that has a better response or answers of its own."""
    asking = []
    for item in items:
        if item.truth != "tie":
            *messages, answer = preferences.rows([item], template, ranking=False)[0]["messages"]
            text = answer["content"]
            ended = backend.continuation(messages, text)
            asking.append(Question(item, backend.render(messages), ended, len(text.encode())))
    return asking


def losses(asking: Sequence[Question], backend: "ScoringBackend", max_tokens: int) -> list[Loss]:
    """Return the loss of every answer."""
    lengths = backend.counts([question.text + question.answer for question in asking])
    fitting = [number for number, length in enumerate(lengths) if length <= max_tokens]
    rows = [Loss(question.item.id, question.item.cluster, None, 0, question.n_bytes) for question in asking]
    for batch in backend.score([(asking[number].text, (asking[number].answer,)) for number in fitting]):
        for index, completion in batch:
            scored = json.loads(completion.text)
            (logprob, *_), (n_tokens, *_) = scored["logprobs"], scored["tokens"]
            rows[fitting[index]] = rows[fitting[index]]._replace(nll=-logprob, tokens=n_tokens)
    return rows


def write_table(path: str, records: Mapping[str, str], settings: Statistics) -> None:
    """Write the screened models side by side from their files of losses; the same prompts are resampled for all."""
    import pandas as pd

    from judgemerge.core import frames

    rows = []
    for base, record_file in records.items():
        record = files.read_json(record_file)
        about = {"base": base, "parameters": record["parameters"], "steps": record["steps"]}
        rows.append(about | summary(record["answers"], settings))
    frames.write_table(path, pd.DataFrame(rows, columns=list(COLUMNS)))


def summary(answers: Sequence[Mapping], settings: Statistics) -> dict:
    """Return loss per token and bits per byte over all answers, with percentile intervals over resampled prompts.

    `answers` are losses as their file has them.
    """
    import numpy as np

    rows = [row for answer in answers if (row := Loss(**answer)).nll is not None]
    clusters = sorted({row.cluster for row in rows})
    place = {cluster: number for number, cluster in enumerate(clusters)}
    sums = np.zeros((3, len(clusters)))
    for row in rows:
        sums[:, place[row.cluster]] += (row.nll, row.tokens, row.bytes)
    counts = {"n": len(rows), "clusters": len(clusters), "too_long": len(answers) - len(rows), "note": ""}
    counts |= {"tokens": int(sums[1].sum()), "bytes": int(sums[2].sum())}
    if not rows:
        return counts | {"note": "every held-out text is longer than max_prompt_tokens"}
    nll, tokens, n_bytes = sums.sum(axis=1)
    counts |= {"loss": nll / tokens, "bits_per_byte": nll / n_bytes / math.log(2)}
    if len(clusters) < 2:
        return counts | {"note": "one prompt: no interval"}
    generator = np.random.default_rng(settings.seed)
    resampled = generator.multinomial(len(clusters), np.full(len(clusters), 1 / len(clusters)), size=settings.resamples)
    nll, tokens, n_bytes = sums @ resampled.T
    tail = 100 * (1 - settings.confidence) / 2
    low, high = np.percentile([nll / tokens, nll / n_bytes / math.log(2)], [tail, 100 - tail], axis=1)
    return counts | dict(zip(("loss_low", "bpb_low", "loss_high", "bpb_high"), (*low, *high), strict=True))
