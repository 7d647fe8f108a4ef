"""Judges texts with one engine in a process of its own: judging_worker.py ENGINE MODEL [--batch N]

Reads one JSON object a line, {"texts": […], "n_new": N} or {"questions": [[text, [option, …]], …]}, and answers with
one: CPU seconds of all threads, seconds, peak memory in MB, and the replies. Weights are loaded before the first line
is read. ENGINE: `judgemerge`, `loop` (prompt after prompt), `harness` (lm-evaluation-harness on the path), `llama_cpp`,
`vllm`. What the engines print goes to standard error.
"""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

import argparse
import contextlib
import json
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, os.environ.get("JUDGEMERGE_SCRIPTS") or str(Path(__file__).resolve().parents[1] / "scripts"))

LONGEST_PROMPT = 4096
BATCH_TOKENS = 16384
Answer = Callable[[dict], list[str]]


def in_order(batches: Iterable[list[tuple[int, object]]], n_texts: int) -> list[str]:
    """Return the texts of a backend's completions in the order of what was asked."""
    replies = dict(pair for batch in batches for pair in batch)
    return [replies[index].text for index in range(n_texts)]


def backend(name: str, model: Path) -> Answer:
    """Return what asks one of our backends, on one thread, for replies or for log-probabilities."""
    from judgemerge.judge import backends

    longest = {"max_prompt_tokens": LONGEST_PROMPT, "max_new_tokens": 256}
    settings = {"dtype": "float32", "batch_tokens": BATCH_TOKENS, "threads": 1, "seed": 1} | longest
    loaded = backends.load(name, model, settings)
    loaded.prepare()

    def answer(work: dict) -> list[str]:
        if name == "vllm":
            loaded.engine.core.reset_prefix_cache()  # it would know the prompts from the run before
        if questions := work.get("questions"):
            return in_order(loaded.score([(text, tuple(options)) for text, options in questions]), len(questions))
        loaded.reuse_prefix = work.get("reuse", True)
        return ours(loaded, work["texts"], work["n_new"])

    return answer


def ours(loaded: "Transformers", texts: list[str], n_new: int) -> list[str]:  # noqa: F821
    """Return replies in the order of the texts."""
    from judgemerge.judge.backends import GenerationParameters

    return in_order(loaded.complete(texts, GenerationParameters(n_new)), len(texts))


def one_at_a_time(loaded: "Transformers", texts: list[str], n_new: int) -> list[str]:  # noqa: F821
    """Return what the loop of the published systems writes: tokenize, generate and decode prompt after prompt."""
    import torch

    replies = []
    stop = {"eos_token_id": loaded.stop, "pad_token_id": loaded.stop[0]}
    for text in texts:
        encoded = loaded.tokenizer(text, add_special_tokens=False, return_tensors="pt").to(loaded.device)
        with torch.inference_mode():
            written = loaded.model.generate(**encoded, do_sample=False, max_new_tokens=n_new, **stop)
        reply = written[0, encoded["input_ids"].shape[1] :]
        replies.append(loaded.tokenizer.decode(reply, skip_special_tokens=True))
    return replies


def loop(model: Path) -> Answer:
    """Return what asks prompt after prompt, with the attention that Transformers comes with."""
    from judgemerge.judge.backends.transformers import Transformers

    loaded = Transformers(model, "float32", BATCH_TOKENS, 1)
    loaded.model.set_attn_implementation("sdpa")
    return lambda work: one_at_a_time(loaded, work["texts"], work["n_new"])


def harness(model: Path, batch: int) -> Answer:
    """Return what asks lm-evaluation-harness' own Hugging Face model, in batches of `batch` prompts."""
    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    from judgemerge.judge.backends.transformers import Transformers

    torch.set_num_threads(1)
    theirs = HFLM(
        pretrained=str(model),
        device="cpu",
        dtype="float32",
        batch_size=batch,
        max_length=LONGEST_PROMPT,
        add_bos_token=False,
    )
    until = [theirs.tokenizer.decode([token]) for token in Transformers(model, "float32", 1, 1).stop]

    def answer(work: dict) -> list[str]:
        if questions := work.get("questions"):
            pairs = [(text, option) for text, options in questions for option in options]
            asked = [Instance("loglikelihood", {}, pair, place) for place, pair in enumerate(pairs)]
            found = iter(theirs.loglikelihood(asked, disable_tqdm=True))
            return [json.dumps({"logprobs": [next(found)[0] for _ in options]}) for _, options in questions]
        settings = {"until": until, "max_gen_toks": work["n_new"], "do_sample": False, "temperature": 0.0}
        asked = [Instance("generate_until", {}, (text, dict(settings)), n) for n, text in enumerate(work["texts"])]
        return theirs.generate_until(asked, disable_tqdm=True)

    return answer


def engine(name: str, model: Path, batch: int) -> Answer:
    """Return an engine by its name."""
    if name == "loop":
        return loop(model)
    if name == "harness":
        return harness(model, batch)
    return backend("transformers" if name == "judgemerge" else name, model)


def main() -> None:
    """Load the engine, then answer line after line until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine")
    parser.add_argument("model", type=Path)
    parser.add_argument("--batch", type=int, default=16)
    options = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        answer = engine(options.engine, options.model, options.batch)
    for line in sys.stdin:
        work = json.loads(line)
        begun = time.process_time(), time.monotonic()
        with contextlib.redirect_stdout(sys.stderr):
            replies = answer(work)
        cpu, wall = time.process_time() - begun[0], time.monotonic() - begun[1]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"cpu": cpu, "wall": wall, "peak": peak, "replies": replies}), flush=True)


if __name__ == "__main__":
    main()
