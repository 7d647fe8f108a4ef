"""How likely a model finds what may follow a text: which rows of tokens are read, and what their logits say."""

import json
import math

from judgemerge.judge.backends import Completion


class Question:
    """A text and what may follow it, as tokens, and the log-probabilities that are known so far."""

    def __init__(self, text: list[int], options: list[list[int]]):
        self.text, self.options = text, options
        self.sums: dict[int, float] = {}

    @property
    def _in_one_pass(self) -> bool:
        return all(len(option) == 1 for option in self.options)

    def passes(self) -> list[list[int]]:
        """Return the rows that score the options, equal ones once: the text alone when each is a single token."""
        if self._in_one_pass:
            return [self.text]
        unique = [option for number, option in enumerate(self.options) if option not in self.options[:number]]
        return [self.text + option for option in unique]

    def take(self, row: list[int], logits: "torch.Tensor") -> None:  # noqa: F821
        """Note what the last logits of a row, (from the text's last token on, vocabulary), say."""
        import torch

        logprobs = torch.log_softmax(logits.float(), dim=-1)
        for number, option in enumerate(self.options):
            if self._in_one_pass or row[len(self.text) :] == option:
                tokens = torch.tensor(option, device=logits.device)
                self.sums[number] = round(float(logprobs[: len(option)].gather(1, tokens[:, None]).sum()), 6)

    @property
    def is_done(self) -> bool:
        """Whether every option has its log-probability."""
        return len(self.sums) == len(self.options)

    @property
    def is_finite(self) -> bool:
        """Whether every log-probability is a number."""
        return all(map(math.isfinite, self.sums.values()))

    def completion(self) -> Completion:
        """Return the sums and token counts as JSON."""
        tokens = [len(option) for option in self.options]
        scores = {"logprobs": [self.sums[number] for number in range(len(tokens))], "tokens": tokens}
        return Completion(json.dumps(scores), len(self.text), sum(tokens))
