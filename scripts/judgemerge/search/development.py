"""What is judged on development sets, and how: trials of a search, and checkpoints of a training."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from judgemerge.core.items import Item, read_items
from judgemerge.prompting.prompts import Template, by_protocol, with_category


@dataclass(frozen=True, kw_only=True)
class Development:
    """Development sets as a job is told of them.

    `development` are the item files by set, `prompts` those they are judged with by protocol, `judging` what the job
    says of judging, `sources` the folder of raw files that prompts take texts from.
    """

    development: Mapping[str, str]
    prompts: Mapping[str, str]
    judging: Mapping[str, Any]
    sources: str

    @cached_property
    def sets(self) -> dict[str, list[Item]]:
        """The items of every development set."""
        categories = self.judging.get("categories", {})
        return {
            name: [with_category(item, categories) for item in read_items(path)]
            for name, path in self.development.items()
        }

    def templates(self) -> dict[str, Template]:
        """Return the prompts of the development sets by protocol."""
        paths = [f"config/prompts/{name}.yaml" for name in self.prompts.values()]
        return by_protocol(paths, self.sources, self.judging.get("reply_tokens"))
