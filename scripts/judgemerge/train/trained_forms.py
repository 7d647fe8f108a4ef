"""The form that LLaMA-Factory trains a conversation in, held against the one that the model is asked in.

LLaMA-Factory has templates of its own, chosen by name (`template:`); a model is asked by its chat template. Both are
rendered here, by LLaMA-Factory's own code and by chat_templates.Chat. Where they differ only in the system text (a
default one, a date, a place in the user's turn), rows are laid out so that training writes what judging will; any other
difference is refused before anything is trained. Lengths are those of LLaMA-Factory's own encoding.
"""

import contextlib
import copy
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.prompting import chat_templates
from judgemerge.prompting.chat_templates import Chat, Messages

SYSTEM, ANSWER = "Judge fairly, and say why.", "Verdict: tie"
_USER = {"role": "user", "content": "Which of {two} is 'better'?"}
_HISTORY = [_USER, {"role": "assistant", "content": "The second."}, {"role": "user", "content": "Why so?"}]
_SYSTEM = {"role": "system", "content": SYSTEM}
_ANSWER = {"role": "assistant", "content": ANSWER}
SINGLE = ([_USER], [_SYSTEM, _USER])
SEVERAL = (_HISTORY, [_SYSTEM, *_HISTORY])


class _Texts:
    """Stands where LLaMA-Factory wants a tokenizer: what it would encode comes back as it is written."""

    def __init__(self, begin: str | None, end: str | None):
        self.bos_token_id, self.eos_token_id = begin, end

    def encode(self, text: str, add_special_tokens: bool = False) -> list[str]:
        return [text]

    def convert_tokens_to_ids(self, token: str) -> str:
        return token


class Form:
    """One of LLaMA-Factory's templates on one tokenizer, and the chat template that it has to agree with.

    `tokenizer` becomes the one of the training: LLaMA-Factory sets its end token.
    """

    def __init__(self, tokenizer, folder: str | Path, name: str, settings: Mapping, chat: Mapping, where: str):
        """Refuse an unknown template, and one that would add tokens to the vocabulary; `where` names the key."""
        self.tokenizer, self.name, self.where = tokenizer, name, where
        self.template = _template(name, settings, where)
        self.spare_ends = leave_out_spare_ends(self.template, tokenizer)
        missing = _added_tokens(tokenizer, self.template)
        if missing:
            raise JudgemergeError(
                f"{where}: template '{name}' would add {', '.join(missing)} to the vocabulary of {folder}, whose rows "
                f"for them nobody has trained and no merge accepts; {_advice(tokenizer, folder, settings, chat)}"
            )
        size = len(tokenizer)
        self.template.fix_special_tokens(tokenizer)
        if len(tokenizer) != size:
            raise JudgemergeError(f"{where}: template '{name}' adds tokens to the vocabulary of {folder}; take another")
        self.chat = Chat(tokenizer, folder, **chat, **self._generated(folder, chat))
        self._laid_out_as: dict[bool, tuple[str, str] | Literal["as_is", "in_user"]] = {}

    def _generated(self, folder: str | Path, chat: Mapping) -> dict[str, str]:
        """Return {text} of LLaMA-Factory's own chat template, which its export gives a model that has none."""
        if "chat_template" in chat or self.tokenizer.chat_template is not None:
            return {}
        try:
            return {"text": self.template._get_jinja_template(self.tokenizer)}
        except ValueError:
            raise JudgemergeError(
                f"{self.where}: {folder} has no chat template, and LLaMA-Factory cannot write one for template "
                f"'{self.name}'; name one with chat_template of the model ({', '.join(chat_templates.names())}, a file)"
            ) from None

    @property
    def recipe(self) -> dict:
        """What a recipe says so that LLaMA-Factory trains in this form (`leave_out_spare_ends`: llamafactory.ADDED)."""
        return {"template": self.name, **({"leave_out_spare_ends": True} if self.spare_ends else {})}

    # ---- what LLaMA-Factory writes ----

    def text(self, messages: Messages, answer: Mapping[str, str] = _ANSWER) -> tuple[str, str]:
        """Return the prompt and the answer, with what ends it, as LLaMA-Factory writes them."""
        system, talk = _parts(messages)
        begin_end = _Texts(self.tokenizer.bos_token, self.tokenizer.eos_token)
        prompt, reply = self.template.encode_oneturn(begin_end, [*talk, dict(answer)], system)
        return "".join(prompt), "".join(reply) + (self.tokenizer.eos_token if self.template.efficient_eos else "")

    def count(self, row: Mapping) -> int:
        """Return the length of a training row in tokens; of a pair, that of the longer one."""
        messages = messages_of(row)
        if "rejected" in row:
            return max(self._count([*messages, row[kind]]) for kind in ("chosen", "rejected"))
        return self._count(messages)

    def _count(self, messages: Messages) -> int:
        system, talk = _parts(messages)
        turns = self.template.encode_multiturn(self.tokenizer, talk, system)
        return sum(len(ids) for turn in turns for ids in turn) + bool(self.template.efficient_eos)

    # ---- agreement ----

    def check(self, longer: Sequence[Messages] = ()) -> None:
        """Refuse a template that cannot write what the chat template does, with and without a system message.

        `longer` are conversations of several turns, where the training has some (`longer_talks`).
        """
        for messages in (*SINGLE, *longer):
            own_text, trained = self.chat.render(messages), self.text(self._placed(messages))[0]
            if not self._agree(own_text, trained, messages):
                raise JudgemergeError(
                    f"{self.where}: LLaMA-Factory's template '{self.name}' trains on {trained!r}, but the chat "
                    f"template of {self.chat.folder} asks {own_text!r}"
                )
        rest = self.text([_USER])[1].rpartition(ANSWER)[2]
        ids = self.tokenizer(rest, add_special_tokens=False)["input_ids"]
        end = chat_templates.first_special(self.tokenizer, ids)
        if end not in {*self.chat.turn_ends, self.tokenizer.eos_token_id}:
            raise JudgemergeError(
                f"{self.where}: LLaMA-Factory's template '{self.name}' ends an answer with {rest!r}, at which the "
                f"model in {self.chat.folder} does not stop; take another template"
            )

    def _agree(self, own_text: str, trained: str, messages: Messages) -> bool:
        """Whether two renderings are the same text, or the same tokens (blanks that a tokenizer adds by itself)."""
        if own_text == trained:
            return True
        system, talk = _parts(self._placed(messages))
        ids, _ = self.template.encode_oneturn(self.tokenizer, [*talk, dict(_ANSWER)], system)
        return ids == self.tokenizer(own_text, add_special_tokens=False)["input_ids"]

    # ---- rows ----

    def _placed(self, messages: Messages) -> list[Mapping[str, str]]:
        """Return the conversation as it has to be given to LLaMA-Factory so that it writes what the model is asked."""
        system, talk = _parts(messages)
        around = self._around(system is not None)
        if system is not None and _n_questions(talk) > 1 and self._last_turn_has_system:
            return _in_last_turn(messages)
        if around == "as_is":
            return self.chat.placed(messages)
        if around == "in_user":
            return chat_templates.in_user_turn(messages)
        return [{"role": "system", "content": f"{around[0]}{system or ''}{around[1]}"}, *talk]

    @cached_property
    def _last_turn_has_system(self) -> bool:
        """Whether the system text of a longer conversation stands in its last user turn, as Mistral Small has it."""
        messages = SEVERAL[True]
        with contextlib.suppress(JudgemergeError):
            return self.text(_in_last_turn(messages))[0] == self.chat.render(messages)
        return False

    def _around(self, has_system: bool) -> tuple[str, str] | Literal["as_is", "in_user"]:
        """Return what the chat template writes around a system text, or that it needs nothing, or the user's turn."""
        if has_system not in self._laid_out_as:
            self._laid_out_as[has_system] = self._difference(has_system)
        return self._laid_out_as[has_system]

    def _difference(self, has_system: bool) -> tuple[str, str] | Literal["as_is", "in_user"]:
        messages = SINGLE[has_system]
        own_text = self.chat.render(messages)
        if self.text(self.chat.placed(messages))[0] == own_text:
            return "as_is"
        if has_system and self.text(chat_templates.in_user_turn(messages))[0] == own_text:
            return "in_user"
        before, _, after = self.text(SINGLE[True])[0].partition(SYSTEM)
        if len(own_text) <= len(before + after) or not (own_text.startswith(before) and own_text.endswith(after)):
            return "as_is"
        middle = own_text[len(before) : len(own_text) - len(after)]
        if not has_system:
            return middle, ""
        parts = middle.split(SYSTEM)
        return (parts[0], parts[1]) if len(parts) == 2 else "as_is"

    def laid_out(self, row: Mapping) -> dict:
        """Return a training row as LLaMA-Factory is given it; one that needs no change as it is."""
        *prompt, answer = messages_of(row) if "rejected" not in row else [*messages_of(row), None]
        if self.chat.trims:
            prompt = [{**message, "content": message["content"].strip()} for message in prompt]
        placed = [dict(message) for message in self._placed(prompt)]
        if "messages" in row:
            return {**row, "messages": placed if answer is None else [*placed, answer]}
        system, talk = _parts(placed)
        rest = {key: value for key, value in row.items() if key != "system"}
        return {**rest, "instruction": talk[-1]["content"], **({} if system is None else {"system": system})}


def of(
    tokenizer, folder: str | Path, settings: Mapping, chat: Mapping, where: str, longer: Sequence[Messages] = ()
) -> Form:
    """Return the checked form of a training on the model in `folder`.

    `settings` are LLaMA-Factory's keys, `chat` the arguments of chat_templates.Chat that the study gives the model.
    Without `settings.template` it is the first of LLaMA-Factory's templates that writes what the model's chat template
    writes. Raises JudgemergeError where there is none, or where the two differ.
    """
    name = settings.get("template")
    if name is None:
        if tokenizer.chat_template is None and "chat_template" not in chat:
            raise JudgemergeError(
                f"{where}: training.template is not set, and {folder} has no chat template that it follows from; set it"
            )
        name = next(fitting(tokenizer, folder, settings, chat, longer), None)
        if name is None:
            own_text = Chat(tokenizer, folder, **chat).render([_USER])
            raise JudgemergeError(
                f"{where}: none of LLaMA-Factory's templates writes what the chat template of {folder} asks "
                f"({own_text!r}); name another chat template with chat_template of the model "
                f"({', '.join(chat_templates.names())})"
            )
    form = Form(tokenizer, folder, name, settings, chat, where)
    try:
        form.check(longer)
    except JudgemergeError as error:
        raise JudgemergeError(f"{error}; {_advice(tokenizer, folder, settings, chat, longer)}") from None
    return form


def longer_talks(rows: Iterable[Mapping]) -> list[Messages]:
    """Return what to compare for the conversations of several turns among training rows, with and without system."""
    talks = [_parts(row["messages"]) for row in rows if row.get("messages")]
    kinds = {system is not None for system, talk in talks if _n_questions(talk) > 1}
    return [SEVERAL[has_system] for has_system in sorted(kinds)]


def _n_questions(talk: Messages) -> int:
    return sum(message["role"] == "user" for message in talk)


def _in_last_turn(messages: Messages) -> list[Mapping[str, str]]:
    """Return a conversation whose system text stands before the last user message, an empty line between."""
    system, *talk, last = messages
    return [*talk, *chat_templates.in_user_turn([system, last])]


def fitting(
    tokenizer, folder: str | Path, settings: Mapping, chat: Mapping, longer: Sequence[Messages] = ()
) -> Iterator[str]:
    """Yield LLaMA-Factory's templates that write what the chat template of the model in `folder` writes."""
    from llamafactory.data.template import TEMPLATES, ReasoningTemplate

    def is_special(name: str) -> tuple[bool, bool]:
        """Order templates: those for pictures last, before them those that add an empty thought to every answer."""
        template = TEMPLATES[name]
        return type(template.mm_plugin).__name__ != "BasePlugin", isinstance(template, ReasoningTemplate)

    for name in sorted(TEMPLATES, key=is_special):
        template = copy.deepcopy(TEMPLATES[name])
        leave_out_spare_ends(template, tokenizer)
        if not _added_tokens(tokenizer, template) and _fits(tokenizer, folder, name, (settings, chat), longer):
            yield name


def _fits(tokenizer, folder: str | Path, name: str, how: tuple[Mapping, Mapping], longer: Sequence[Messages]) -> bool:
    before = logging.root.manager.disable
    logging.disable(logging.INFO)  # LLaMA-Factory tells every token that it sets, here of templates that nobody uses
    try:
        Form(copy.deepcopy(tokenizer), folder, name, *how, name).check(longer)
    except JudgemergeError:
        return False
    finally:
        logging.disable(before)
    return True


def _advice(tokenizer, folder, settings: Mapping, chat: Mapping, longer: Sequence[Messages] = ()) -> str:
    """Return what to do about a template that does not fit."""
    has_one = tokenizer.chat_template is not None or "chat_template" in chat
    templates = list(fitting(tokenizer, folder, settings, chat, longer)) if has_one else []
    if templates:
        return f"set training.template to {' or '.join(templates[:3])}"
    return (
        "none of LLaMA-Factory's templates fits, so name with chat_template of the model how it is to be asked "
        f"({', '.join(chat_templates.names())}, or a file)"
    )


def _template(name: str, settings: Mapping, where: str):
    """Return a copy of one of LLaMA-Factory's templates, with those settings that change it."""
    from llamafactory.data.template import TEMPLATES, ReasoningTemplate

    if name not in TEMPLATES:
        raise JudgemergeError(f"{where}: LLaMA-Factory has no template '{name}'{did_you_mean(name, TEMPLATES)}")
    template = copy.deepcopy(TEMPLATES[name])
    if settings.get("default_system") is not None:
        template.default_system = settings["default_system"]
    if isinstance(template, ReasoningTemplate):
        template.enable_thinking = settings.get("enable_thinking", True)
        template.preserve_thinking = settings.get("preserve_thinking", False)
    return template


def leave_out_spare_ends(template, tokenizer) -> list[str]:
    """Take ends of a turn out of a template that the vocabulary lacks and the template never writes; return them.

    LLaMA-Factory would add them: to Llama 3 the <|eom_id|> of Llama 3.1, which calls of tools end with.
    """
    slots = [slot for part in vars(template).values() for slot in getattr(part, "slots", ())]
    written, vocabulary = "".join(map(str, slots)), tokenizer.get_vocab()
    first = template.stop_words[:1] if template.replace_eos else []  # becomes the end token
    spare = [end for end in template.stop_words if end not in (*first, *vocabulary) and end not in written]
    template.stop_words = [end for end in template.stop_words if end not in spare]
    return spare


def _added_tokens(tokenizer, template) -> list[str]:
    """Return the tokens that a template needs and the vocabulary lacks."""
    vocabulary = tokenizer.get_vocab()
    ends = [] if tokenizer.eos_token_id is not None or template.replace_eos else ["<|endoftext|>"]
    return [token for token in (*template.stop_words, *ends) if token not in vocabulary]


def messages_of(row: Mapping) -> list[Mapping[str, str]]:
    """Return a training row as OpenAI messages: those that it has, or system (if any), user and assistant."""
    if "messages" in row:
        return row["messages"]
    system = [{"role": "system", "content": row["system"]}] if "system" in row else []
    return [
        *system,
        {"role": "user", "content": row["instruction"]},
        {"role": "assistant", "content": row["output"]},
    ]


def _parts(messages: Sequence[Mapping[str, str]]) -> tuple[str | None, list[dict[str, str]]]:
    """Return the system text, None without one, and the turns."""
    first, *others = (dict(message) for message in messages)
    return (first["content"], others) if first["role"] == "system" else (None, [first, *others])
