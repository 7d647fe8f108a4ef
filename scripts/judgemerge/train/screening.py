"""Screening of foundation models: the same fine-tuning for each, then the loss on held-out answers.

The loss per token depends on the tokenizer: a model with a larger vocabulary writes the same text in fewer, harder
tokens. So bits per byte of the answers stand beside it; they can be compared between tokenizers.
"""

import json
import math
from collections.abc import Iterable, Sequence

from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.items import Item
from judgemerge.prompting import prompts
from judgemerge.train import preferences

COLUMNS = (
    "base", "parameters", "steps", "loss", "loss_low", "loss_high", "bits_per_byte", "bpb_low", "bpb_high", "n",
    "clusters", "too_long", "tokens", "bytes", "note",
)  # fmt: skip

Asked = tuple[Item, str, str, int]  # item, text, answer with the end of its turn, bytes of the answer


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
