"""One unit of judging: the items of one suite as requests to one judge, and the reply rows that come of them.

Replies are stored by a key of the prompt, in the folder of the model's digest (store.py), and a unit's declared output
is put together from the store at the end. So a killed, extended or renamed run never judges the same prompt twice with
the same weights.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Order, Verdict
from judgemerge.judge.backends import LOGPROBS, Backend, GenerationParameters
from judgemerge.judge.requests import SCORED, Request, ask, without_long
from judgemerge.judge.store import Store
from judgemerge.prompting import parsing, prompts
from judgemerge.prompting.parsing import Reply

ORDERS: dict[str, tuple[Order, ...]] = {"pairwise": ("original", "swapped"), "pointwise": ("original",)}


class Presentation(NamedTuple):
    """What a request of judging is about: an item, shown in one order."""

    benchmark: str
    item: str
    order: Order


def orders(template: prompts.Template) -> tuple[Order, ...]:
    """Return the orders that items are shown in; mode likelihood shows one response at a time, so it has only one."""
    return ("original",) if template.mode == "likelihood" else ORDERS[template.protocol]


def _question(template: prompts.Template, item: Item, order: Order, backend: Backend) -> tuple[str, tuple[str, ...]]:
    """Return the text that the model reads, and what may follow it when that is scored."""
    if template.mode != "generate" and LOGPROBS not in backend.abilities:
        raise JudgemergeError(
            f"prompt '{template.name}' has mode {template.mode}, but this backend gives no log-probabilities; "
            "use backend transformers or vllm, or a prompt of mode generate"
        )
    if template.mode == "likelihood":
        messages, responses = prompts.conversation(template, item)
        return backend.render(messages), tuple(backend.continuation(messages, response) for response in responses)
    text = backend.render(prompts.render(template, item, order))
    if template.mode == "generate":
        return text, ()
    if opening := parsing.opened_thought(text):
        raise JudgemergeError(
            f"prompt '{template.name}' has mode {template.mode}, but the model's chat template opens a thought "
            f"({opening}) where the label is to stand; close it with template_arguments or another chat_template, or "
            "use a prompt of mode generate"
        )
    lead, options = prompts.choices(template)
    return text + lead, options


def _request(template: prompts.Template, item: Item, order: Order, backend: Backend) -> Request:
    about = Presentation(item.benchmark, item.id, order)
    try:
        text, options = _question(template, item, order, backend)
    except prompts.Unrenderable as reason:
        return Request(about, None, reason=str(reason))
    parameters = SCORED if options else GenerationParameters(template.max_new_tokens)
    key = files.sha256_text(text, *options, backend.digest_settings, str(parameters.max_new_tokens))
    return Request(about, key, text, parameters, options)


def plan(
    items: Iterable[Item], templates: Mapping[str, prompts.Template], backend: Backend, max_prompt_tokens: int
) -> list[Request]:
    """Return what to ask about the items; `templates` are by protocol.

    An item the template cannot show, or a prompt longer than `max_prompt_tokens`, gets a reason code and is not asked.
    """
    requests = [
        _request(templates[item.protocol], item, order, backend)
        for item in items
        for order in orders(templates[item.protocol])
    ]
    return without_long(requests, backend, max_prompt_tokens)


def replies(requests: Iterable[Request], store: Store) -> Iterator[Reply]:
    """Yield one reply per request, in the order asked.

    Where the prompt opens a thought for the model, the reply begins with what opens it. Of replies that were stored
    before it was kept, `finish_reason` is None.
    """
    for request in requests:
        failure = store.failures.get(request.key)
        if request.key is None or failure:
            yield Reply(*request.about, request.key, reason=failure or request.reason)
        else:
            stored = store.replies[request.key]
            text, counts = whole_reply(request, stored.text), (stored.prompt_tokens, stored.reply_tokens)
            yield Reply(*request.about, request.key, text, None, *counts, stored.finish_reason)


def whole_reply(request: Request, text: str) -> str:
    """Return what a model wrote, behind the mark of a thought that its prompt ends with, if it does."""
    opening = "" if request.options else parsing.opened_thought(request.text)
    return f"{opening}\n{text}" if opening else text


def verdicts(
    items: list[Item], templates: Mapping[str, prompts.Template], backend: Backend, max_prompt_tokens: int, store: Store
) -> list[Verdict]:
    """Return the verdicts on items of one protocol, asking what the store does not hold yet."""
    requests = plan(items, templates, backend, max_prompt_tokens)
    ask(requests, backend, store)
    return [parsing.parse_row(row, templates[items[0].protocol].reply) for row in replies(requests, store)]
