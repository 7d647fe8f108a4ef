"""Models behind a chat endpoint: their identity, what a study may say about them, and what they cost.

Imports nothing heavy: every start of Snakemake checks the study with it. The requests are in backends/openai.py.
"""

import json
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from judgemerge.core import files, provenance
from judgemerge.core.errors import JudgemergeError
from judgemerge.prompting.parsing import Reply
from judgemerge.settings.models import Endpoint, Prices

# Many programs want the whole address, so people have it at hand; with and without these endings it is one endpoint.
CHAT = "/chat/completions"
_ASKED = re.compile(rf"(?:(?:{CHAT})+|(?<=/v\d)/+(?:chat|completions|responses|embeddings|models))?/*$", re.IGNORECASE)
# What judgemerge itself sends; `n` and `stream` would change the form of the answer.
OWN_KEYS = ("model", "messages", "max_tokens", "max_completion_tokens", "n", "stream", "stream_options")
TABLE = (
    "judge", "model", "host", "suite", "replies", "errors", "prompt_tokens", "reply_tokens", "cost", "note",
)  # fmt: skip


def base_url(url: str) -> str:
    """Return the address of an API: without a slash at its end, and without what is asked below it."""
    return _ASKED.sub("", url.strip()).rstrip("/")


def host(url: str) -> str:
    """Return host, port and path of an API's address; letters of the host are small and no slash ends the path."""
    parts = urlsplit(base_url(url))
    return f"{parts.netloc.lower()}{parts.path.rstrip('/')}"


def manifest(endpoint: Endpoint) -> dict:
    """Return the manifest of a model behind an endpoint.

    The digest covers host, model and settings: the weights are out of sight, and their owner may change them.
    """
    asked_for = {"model": endpoint.model, "settings": endpoint.settings}
    identity = {"host": host(endpoint.url), **asked_for}
    return {
        "digest": files.sha256_text("endpoint", json.dumps(identity, sort_keys=True, ensure_ascii=False)),
        "backend": "openai",
        "endpoint": {"url": base_url(endpoint.url), **asked_for},
        "bytes": 0,
        "parameters": 0,
        "files": {},
        "made_by": {"rule": "link_endpoint", **identity},
        "versions": provenance.versions(),
    }


def gives_logprobs(entry: Endpoint) -> bool:
    """Return whether an endpoint is asked for log-probabilities, so that it can choose between labels."""
    return entry.settings.get("logprobs") is True


def check_entry(entry: Endpoint, where: str) -> None:
    """Refuse an address that no request can go to, a key in it, and settings that judgemerge decides."""
    try:
        parts = urlsplit(entry.url)
        complete = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        complete = False
    if not complete or re.search(r"[\s?#;]", entry.url.strip()):
        raise JudgemergeError(f"{where}: url is no address of an API; give one like https://host/v1")
    if parts.username or parts.password:
        raise JudgemergeError(
            f"{where}: url holds a user or a key; put the key into an environment variable and name that in "
            "api_key_variable"
        )
    for key in sorted(set(entry.settings) & set(OWN_KEYS)):
        raise JudgemergeError(f"{where}: settings.{key} is decided by judgemerge; remove it")


def cost(prompt_tokens: int, reply_tokens: int, price: Prices | None) -> float | None:
    """Return the price of tokens in the currency of `price` per million; None without a price."""
    if price is None:
        return None
    return (prompt_tokens * price.prompt + reply_tokens * price.completion) / 1e6


def table_row(judge: str, endpoint: Endpoint, suite: str, replies: Sequence[Reply]) -> dict:
    """Return one row of tables/endpoints.csv from the replies of a suite; equal prompts were asked and paid once.

    Tokens that the endpoint did not count are missing from the sums, and the note says how many replies that concerns.
    """
    answered = {reply.prompt: reply for reply in replies if reply.reply is not None}.values()
    counted = [reply for reply in answered if reply.prompt_tokens is not None and reply.reply_tokens is not None]
    prompt_tokens = sum(reply.prompt_tokens for reply in counted)
    reply_tokens = sum(reply.reply_tokens for reply in counted)
    price = endpoint.price_per_million
    paid = cost(prompt_tokens, reply_tokens, price)
    notes = [] if price else ["no price_per_million in the study file"]
    if len(counted) < len(answered):
        notes.append(f"{len(answered) - len(counted)} replies without token counts")
    return {
        "judge": judge,
        "model": endpoint.model,
        "host": host(endpoint.url),
        "suite": suite,
        "replies": len(answered),
        "errors": sum(reply.reply is None for reply in replies),
        "prompt_tokens": prompt_tokens,
        "reply_tokens": reply_tokens,
        "cost": "" if paid is None else f"{paid:.6f}",
        "note": "; ".join(notes),
    }
