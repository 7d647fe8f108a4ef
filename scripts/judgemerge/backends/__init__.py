"""Backends complete prompts; they know nothing of items, verdicts or parsing.

Each backend module offers `load(folder, settings) -> Backend`-like object with
    digest_settings: what, besides the prompt, decides a reply (goes into the prompt's digest)
    render(messages) -> str: the exact text the model reads
    counts(texts) -> list of int: their lengths in tokens
    complete(texts, max_new_tokens, skip) -> iterator of lists of (index, Completion): batches, in the backend's own
    order
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Completion:
    """What a model wrote, with the token counts that cost is computed from."""

    text: str
    prompt_tokens: int
    reply_tokens: int
