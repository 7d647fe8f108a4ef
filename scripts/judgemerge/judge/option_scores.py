"""How likely a model finds what may follow a text: which rows of tokens are read, and what their logits say."""

import json
import math

from judgemerge.judge.backends import Completion


class Question:
    """A text and what may follow it, as tokens, and the log-probabilities that are known so far."""

    def __init__(self, text: list[int], options: list[list[int]]):
        self.text, self.options = text, options
        self.sums: dict[tuple[int, ...], float] = {}

    @property
    def in_one_pass(self) -> bool:
        """Whether the text alone is read, because each option is a single token."""
        return all(len(option) == 1 for option in self.options)

    @property
    def unique(self) -> list[tuple[int, ...]]:
        """The options, equal ones once."""
        return list(dict.fromkeys(map(tuple, self.options)))

    def passes(self) -> list[list[int]]:
        """Return the rows that score the options, equal ones once: the text alone when each is a single token."""
        return [self.text] if self.in_one_pass else [[*self.text, *option] for option in self.unique]

    def take(self, row: list[int], logits: "torch.Tensor") -> None:  # noqa: F821
        """Note what the last logits of a row, (from the text's last token on, vocabulary), say."""
        import torch

        logprobs = torch.log_softmax(logits.float(), dim=-1)
        for option in self.unique if self.in_one_pass else [tuple(row[len(self.text) :])]:
            tokens = torch.tensor(option, device=logits.device)
            self.sums[option] = float(logprobs[: len(option)].gather(1, tokens[:, None]).sum())

    @property
    def is_done(self) -> bool:
        """Whether every option has its log-probability."""
        return all(option in self.sums for option in self.unique)

    @property
    def is_finite(self) -> bool:
        """Whether every log-probability is a number."""
        return all(map(math.isfinite, self.sums.values()))

    def completion(self) -> Completion:
        """Return the sums and token counts as JSON."""
        tokens = [len(option) for option in self.options]
        sums = [round(self.sums[tuple(option)], 6) for option in self.options]
        return Completion(json.dumps({"logprobs": sums, "tokens": tokens}), len(self.text), sum(tokens))
