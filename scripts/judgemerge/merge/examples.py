"""Examples for the weights of a cocktail, made from items: the prompt as chat messages, the right answer as output."""

from collections.abc import Iterable

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item
from judgemerge.prompting import prompts


def of_items(items: Iterable[Item], template: prompts.Template) -> list[dict]:
    """Return one {messages, output} per item, in its own order; an item that the template cannot show is an error."""
    examples = []
    for item in items:
        try:
            messages = prompts.render(template, item, "original")
            examples.append({"messages": messages, "output": prompts.target(template, item, "original")})
        except prompts.Unrenderable as reason:
            raise JudgemergeError(
                f"example {item.id} of '{item.benchmark}': prompt '{template.name}' cannot show it ({reason}); use "
                "another prompt or item set"
            ) from None
    return examples
