"""One backend asked several things, as JSON on standard output: `python session.py ASKED.json`.

ASKED is {"backend", "model", "settings", "steps": [{"do": "complete" | "draw" | "score" | "time", …}]}. Loading vLLM
takes longer than all of them, so one process does them all.
"""

import json
import sys
import time
from pathlib import Path

from judgemerge.judge import backends
from judgemerge.judge.backends import GenerationParameters


def complete(backend, messages, max_new_tokens, seeds=(), **how) -> list[str]:
    """Return the replies to conversations."""
    texts = [backend.render(one) for one in messages]
    batches = backend.complete(texts, GenerationParameters(max_new_tokens, **how), seeds=seeds)
    replies = dict(pair for batch in batches for pair in batch)
    return [replies[index].text for index in range(len(texts))]


def score(backend, questions) -> list[dict]:
    """Return log-probabilities and token counts; a question is [messages, continuations or whole replies]."""
    asked = [
        (backend.render(messages) + lead, tuple(options) if options else _replies(backend, messages, replies))
        for messages, lead, options, replies in questions
    ]
    scored = dict(pair for batch in backend.score(asked) for pair in batch)
    return [json.loads(scored[index].text) for index in range(len(asked))]


def _replies(backend, messages, replies) -> tuple[str, ...]:
    return tuple(backend.continuation(messages, reply) for reply in replies)


def seconds(backend, **asked) -> list[float]:
    """Return wall and CPU seconds (of this process) that replies take."""
    begin, cpu = time.monotonic(), time.process_time()
    complete(backend, **asked)
    return [time.monotonic() - begin, time.process_time() - cpu]


DO = {"complete": complete, "score": score, "seconds": seconds}


def main(asked: dict) -> list:
    """Return what came of each step."""
    backend = backends.load(asked["backend"], asked["model"], asked["settings"])
    return [DO[step.pop("do")](backend, **step) for step in asked["steps"]]


if __name__ == "__main__":
    json.dump(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), sys.stdout)
