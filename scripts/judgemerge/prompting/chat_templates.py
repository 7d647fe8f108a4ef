"""How a conversation becomes the text that a model reads: the one place where chat templates are rendered.

A template is tried at load. One that refuses a system message (Gemma 2, Mistral, Prometheus 2) or leaves its text out
gets that text before the first user message, an empty line between, as Prometheus' own library and MELD's do. One that
shows today's date (Llama 3.2) gets the study's; anything else that would change from run to run is refused. What ends a
turn is said here too, for every backend. Imports nothing heavy: a plan asks for what stands in a folder.
"""

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from datetime import date as calendar_date
from operator import itemgetter
from pathlib import Path
from typing import Any

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.places import catalogue_folder

Messages = Sequence[Mapping[str, str]]
FOLDER = catalogue_folder() / "chat_templates"
# What templates show as today's date unless the study says another: Llama 3.2's own where there is no clock.
DATE = "2024-07-26"
FILE = "chat_template.jinja"
# Tokens that end a turn by their names, whatever a model's settings say.
TURN_ENDS = ("<|eot_id|>", "<|end_of_text|>", "<|im_end|>", "<end_of_turn>", "<|end|>")
# Marks of turns that no reply has in it: behind them the model, or its server, goes on with another turn.
TURN_MARKS = (
    *(*TURN_ENDS, "<|endoftext|>", "<|eom_id|>", "<|start_header_id|>", "<|im_start|>", "<start_of_turn>", "<|start|>"),
    *("[INST]", "[/INST]", "<|user|>", "<|assistant|>", "<|system|>", "<|return|>", "<|START_OF_TURN_TOKEN|>"),
    *("<|END_OF_TURN_TOKEN|>", "<|start_of_role|>", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"),
)
# The same in templates that spell them in words, at the beginning of a line.
_SPELLED_MARKS = re.compile(
    r"\n(?:### ?(?:Instruction|Human|User|Assistant|Response):|(?:USER|User|HUMAN|Human|ASSISTANT): )"
)
# What judgemerge hands to every template itself.
TAKEN = ("messages", "tools", "documents", "add_generation_prompt", "strftime_now", "raise_exception", "lipsum")
_SYSTEM, _USER, _ANSWER = "Judge fairly, and say why.", "Which planet is the largest?", "Jupiter is."


def read(folder: str | Path) -> str | None:
    """Return the chat template in a model folder (its own file, else in the tokenizer's settings), None without one."""
    return read_all(folder).get("default")


def read_all(folder: str | Path) -> dict[str, str]:
    """Return the chat templates in a model folder by name; most models have none, or one, `default`."""
    folder = Path(folder)
    if (folder / FILE).is_file():
        named = {path.stem: path for path in sorted(folder.glob("additional_chat_templates/*.jinja"))}
        texts = {name: path.read_text(encoding="utf-8") for name, path in {"default": folder / FILE, **named}.items()}
        return {name: text for name, text in texts.items() if text.strip()}
    for name in ("chat_template.json", "tokenizer_config.json"):
        value = files.read_json(folder / name).get("chat_template") if (folder / name).is_file() else None
        if isinstance(value, list):  # several by name
            return dict(map(itemgetter("name", "template"), value))
        if value:
            return {"default": value}
    return {}


def write(folder: str | Path, text: str) -> None:
    """Write the chat template of a model folder, in the file that wins over the tokenizer's settings."""
    with files.atomic_writer(Path(folder, FILE)) as file:
        file.write(text)


def agreed(folders: Sequence[str | Path]) -> str | None:
    """Return the chat template that all model folders with one have; None when they have none, or several."""
    texts = {read(folder) for folder in folders} - {None}
    return texts.pop() if len(texts) == 1 else None


def names() -> list[str]:
    """Return the chat templates that a study can name; `none` is plain text."""
    return sorted(path.stem for path in FOLDER.glob("*.jinja"))


def file_of(name: str) -> Path:
    """Return the file that a study's `chat_template` means."""
    return Path(name) if "/" in name or Path(name).suffix else FOLDER / f"{name}.jinja"


def load(name: str, where: str) -> str:
    """Return the chat template that `name` means: one of config/chat_templates/, or a file; `where` names the key."""
    path = file_of(name)
    if not path.is_file():
        near = did_you_mean(name, names())
        raise JudgemergeError(f"{where} is '{name}', neither a file nor a name of config/chat_templates{near}")
    return without_comments(path.read_text(encoding="utf-8"))


def without_comments(text: str) -> str:
    """Return a template that writes the same, its comments empty: a comment is no part of what a model is asked."""
    if re.search(r"\{%[-+]?\s*raw\b", text):  # there a comment is text
        return text
    expression = r"\{\{.*?\}\}|\{%.*?%\}"
    comment = r"\{#(?P<before>[-+]?).*?(?P<after>[-+]?)#\}"

    def emptied(match: re.Match) -> str:
        before, after = match.group("before", "after")
        return match[0] if before is None else f"{{#{before} {after}#}}"

    return re.sub(f"{expression}|{comment}", emptied, text, flags=re.DOTALL)


def check_date(text: str, where: str) -> str:
    """Return a date written YYYY-MM-DD; refuse anything else."""
    try:
        return calendar_date.fromisoformat(text).isoformat()
    except (TypeError, ValueError):
        raise JudgemergeError(f"{where} is {text!r}, no date; write it as {DATE}") from None


def no_template(folder: str | Path) -> str:
    """Return the sentence on a model folder without a chat template."""
    return (
        f"{folder} has no chat template; say with chat_template how the model is asked: {', '.join(names())} "
        "(none: plain text), or a file"
    )


def check_arguments(arguments: Mapping[str, Any], where: str) -> None:
    """Refuse arguments of a chat template that judgemerge itself gives."""
    for name in arguments:
        if name in TAKEN:
            raise JudgemergeError(f"{where}: judgemerge itself gives '{name}' to chat templates; leave it out")


def in_user_turn(messages: Messages) -> list[Mapping[str, str]]:
    """Return a conversation whose system text stands before the first user message, an empty line between."""
    if messages[0]["role"] != "system":
        return list(messages)
    system, first, *rest = messages
    return [{**first, "content": f"{system['content']}\n\n{first['content']}"}, *rest]


class _Refusal(JudgemergeError):
    """A conversation that a chat template does not render; the text says why."""


class Chat:
    """The chat template of one model, tried: where it shows a system message, and what it makes of the clock.

    `digest` is what has to stand in a backend's digest_settings beside the prompt: nothing for a template that takes a
    system message, has no date and gets no arguments.
    """

    def __init__(
        self,
        tokenizer,
        folder: str | Path,
        chat_template: str | None = None,
        template_arguments: Mapping[str, Any] | None = None,
        date: str = DATE,
        text: str | None = None,
    ):
        """Read and try the template of the model in `folder`: `text`, else the one named, else its own.

        Raises JudgemergeError for a model without a template, and for one that does not show a user's message.
        """
        self.tokenizer, self.folder = tokenizer, folder
        named = load(chat_template, f"{folder}: chat_template") if chat_template is not None else None
        self.text = text or named or self._own()
        self.arguments = dict(template_arguments or {})
        self._check(self.arguments)
        self._date, self._clock_read = check_date(date, f"{folder}: date"), False
        self._in_parts = self._system_first = False
        self._try()

    def _own(self) -> str:
        templates = self.tokenizer.chat_template
        if templates is None:
            raise JudgemergeError(no_template(self.folder))
        try:
            return self.tokenizer.get_chat_template()
        except ValueError:
            raise JudgemergeError(
                f"{self.folder}: has several chat templates ({', '.join(templates)}) and none of them is the default; "
                "give one as a file with chat_template"
            ) from None

    def _check(self, arguments: Mapping[str, Any]) -> None:
        where = f"{self.folder}: template_arguments"
        check_arguments(arguments, where)
        words = set(re.findall(r"[A-Za-z_]\w*", self.text))
        for name in arguments:
            if name not in words:
                raise JudgemergeError(f"{where}: the chat template does not use '{name}'{did_you_mean(name, words)}")
        if re.search(r"\|\s*random\b", self.text):
            raise JudgemergeError(
                f"{self.folder}: the chat template draws at random, so that no prompt is ever the same; give another "
                "one with chat_template"
            )

    def _try(self) -> None:
        """Render short conversations once; find out where a system message goes, and how a reply is opened."""
        system, user = {"role": "system", "content": _SYSTEM}, {"role": "user", "content": _USER}
        self._opening, self._before = "", [system] if self._wants_system(system, user) else []
        plain = self._text([*self._before, user])
        if _USER not in plain:
            self._in_parts = True  # a template for pictures and text
            plain = self._text([*self._before, user])
            if _USER not in plain:
                raise JudgemergeError(
                    f"{self.folder}: the chat template shows nothing of a user's message; give another one with "
                    "chat_template"
                )
        dated, self._clock_read = self._clock_read, False
        try:
            self._system_first = _SYSTEM not in self._text([system, user])
        except _Refusal:
            self._system_first = True
        self._dated = dated and (self._clock_read or self._system_first)
        self._always_opened, self._opening = self._reply_opening(user, plain)
        self._forgets = self._leaves_out(user)
        self._trims = f" {_USER} " not in self._text([*self._before, {"role": "user", "content": f" {_USER} "}])

    def _wants_system(self, system: Mapping[str, str], user: Mapping[str, str]) -> bool:
        """Return whether the template refuses a question without a system message, and takes one with it."""
        try:
            self._text([user])
        except _Refusal:
            with contextlib.suppress(_Refusal):
                return bool(self._text([system, user]))
        return False

    def _leaves_out(self, user: Mapping[str, str]) -> bool:
        """Return whether the first question of a conversation is not shown."""
        answer, more = {"role": "assistant", "content": _ANSWER}, {"role": "user", "content": "And the smallest?"}
        talk = [*self._before, user, answer, more]
        with contextlib.suppress(_Refusal):
            return _USER not in self._text(talk)
        return False

    def _reply_opening(self, user: Mapping[str, str], opened: str) -> tuple[bool, str]:
        """Return whether a question alone opens the reply already, and what opens it where the template never does.

        Templates that ignore `add_generation_prompt` differ: Mistral's and LLaMA-Factory's open the reply with the
        user's turn, some ChatML ones not at all.
        """
        closed = self._text([*self._before, user], opened=False)
        with contextlib.suppress(_Refusal):
            answered = self._text([*self._before, user, {"role": "assistant", "content": _ANSWER}], opened=False)
            if answered.startswith(closed) and _ANSWER in answered:
                lead = answered[len(closed) :].partition(_ANSWER)[0]
                if opened == closed and lead.strip():
                    return False, lead
                if opened != closed and not lead.strip() and opened[len(closed) :].strip():
                    return True, ""
        return False, ""

    def _strftime(self, form: str) -> str:
        """Return the study's date, at noon, in the form that a template wants."""
        self._clock_read = True
        moment = datetime.combine(calendar_date.fromisoformat(self._date), time(12))
        return moment.strftime(form.replace("%s", str(int(moment.replace(tzinfo=UTC).timestamp()))))

    def _text(self, messages: Messages, opened: bool = True) -> str:
        """Return what the template makes of a conversation."""
        if self._in_parts:
            messages = [{**one, "content": [{"type": "text", "text": one["content"]}]} for one in messages]
        arguments = {**self.arguments, "strftime_now": self._strftime, "lipsum": None}
        try:
            return self.tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                chat_template=self.text,
                tokenize=False,
                add_generation_prompt=opened,
                **arguments,
            )
        except Exception as error:  # whatever a template does: raise_exception, a name or a type it did not expect
            roles = ", ".join(message["role"] for message in messages)
            why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise _Refusal(
                f"{self.folder}: the chat template refuses a conversation of {roles} ({why}); give another one with "
                "chat_template"
            ) from None

    # ---- rendering ----

    @property
    def has_system_turn(self) -> bool:
        """Whether the template shows a system message; else its text goes before the first user message."""
        return not self._system_first

    @property
    def trims(self) -> bool:
        """Whether the template takes blanks off the ends of a message."""
        return self._trims

    @property
    def digest(self) -> str:
        """What decides a reply besides the prompt's own text, to be added to a backend's digest_settings."""
        parts = ["system=first_user"] if self._system_first else []
        parts += [f"date={self._date}"] if self._dated else []
        parts += [f"arguments={json.dumps(self.arguments, sort_keys=True)}"] if self.arguments else []
        return "".join(f",{part}" for part in parts)

    def placed(self, messages: Messages) -> list[Mapping[str, str]]:
        """Return the conversation as the template can show it: without a system message where it takes none."""
        return in_user_turn(messages) if self._system_first else list(messages)

    def render(self, messages: Messages) -> str:
        """Return the text the model reads, its reply opened exactly once, the token that begins a text at most once."""
        if self._forgets and sum(one["role"] == "user" for one in messages) > 1:
            raise _Refusal(
                f"{self.folder}: the chat template leaves out all but the last turn of a conversation; give "
                "another one with chat_template"
            )
        return self._once(self._text(self.placed(messages), opened=not self._always_opened) + self._opening)

    def answered(self, messages: Messages) -> str:
        """Return a conversation that ends with an answer, as the template closes it."""
        return self._once(self._text(self.placed(messages), opened=False))

    def _once(self, text: str) -> str:
        begin = self.tokenizer.bos_token
        while begin and text.startswith(2 * begin):
            text = text[len(begin) :]
        return text

    def continuation(self, messages: Messages, reply: str) -> str:
        """Return what follows `render(messages)` when the assistant answers `reply`: the reply and the end of its turn.

        Where the template writes an answered turn in another way than it opens one, the end is the stop token.
        """
        opened = self.render(messages)
        closed = self.answered([*messages, {"role": "assistant", "content": reply}])
        if closed.startswith(opened) and reply.strip() in closed[len(opened) :]:
            return closed[len(opened) :]
        return reply + (self.tokenizer.eos_token or "")

    # ---- what ends a turn ----

    @property
    def turn_ends(self) -> list[int]:
        """Every token that ends a turn, sorted.

        They are those of the generation settings, else of config.json, the tokenizer's, the one that the template
        writes after an answer, and those known by name.
        """
        if not hasattr(self, "_turn_ends"):
            vocabulary = self.tokenizer.get_vocab()
            # In OpenAI's Harmony form a turn has several messages, and <|end|> ends each of them.
            names = set(TURN_ENDS) - ({"<|end|>"} if "<|channel|>" in vocabulary else set())
            named = {vocabulary[name] for name in names if name in vocabulary}
            ends = configured_ends(self.folder) | named | {self.tokenizer.eos_token_id, self._written_end()}
            self._turn_ends = sorted(ends - {None})
        return self._turn_ends

    def _written_end(self) -> int | None:
        """Return the special token that the template writes after an answer, None where it writes none."""
        talk = [*self._before, {"role": "user", "content": _USER}, {"role": "assistant", "content": _ANSWER}]
        try:
            rest = self.answered(talk).rpartition(_ANSWER)[2]
        except _Refusal:
            return None
        return first_special(self.tokenizer, self.tokenizer(rest, add_special_tokens=False)["input_ids"])

    def reply(self, ids: Sequence[int]) -> tuple[str, int, str]:
        """Return the text of a reply up to the token that ends its turn, its number of tokens, and why it ended.

        The token that ends the turn is counted. Without one the reply ran into the limit of tokens: `length`, else
        `stop`.

        Special tokens are left out, unless there are some before the end: then all are shown, so that a reply that
        went on with another turn never reads like a verdict (parsing.py).
        """
        stop = set(self.turn_ends)
        end = next((position for position, token in enumerate(ids) if token in stop), len(ids))
        strays = special_ids(self.tokenizer) & set(ids[:end])
        text = self.tokenizer.decode(ids[:end], skip_special_tokens=not strays)
        return text, min(end + 1, len(ids)), "stop" if end < len(ids) else "length"

    def so_far(self, ids: Sequence[int]) -> str:
        """Return what there is of a reply that is being written, without the half of a character at its end."""
        return self.reply(ids)[0].rstrip("\ufffd")


def special_ids(tokenizer) -> set[int]:
    """Return the tokens that a decoded text leaves out."""
    added = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    return added | set(tokenizer.all_special_ids)


def first_special(tokenizer, ids: Sequence[int]) -> int | None:
    """Return the first of `ids` that is a special token, with nothing but blanks before it."""
    special = special_ids(tokenizer)
    for place, token in enumerate(ids):
        if token in special:
            return token
        if tokenizer.decode(ids[: place + 1]).strip():
            return None
    return None


def configured_ends(folder: str | Path) -> set[int]:
    """Return the end tokens of generation_config.json in a model folder, else those of config.json."""
    for name in ("generation_config.json", "config.json"):
        path = Path(folder, name)
        if path.is_file():
            settings = files.read_json(path)
            ends = settings.get("eos_token_id", settings.get("text_config", {}).get("eos_token_id"))
            return {*(ends if isinstance(ends, list) else [ends])} - {None}
    return set()


def write_turn_ends(folder: str | Path, ends: Sequence[int]) -> None:
    """Put what ends a turn into the generation settings of a model folder, unless they say all of it already."""
    if set(ends) <= configured_ends(folder):
        return
    path = Path(folder, "generation_config.json")
    settings = files.read_json(path) if path.is_file() else {}
    files.write_json(path, {**settings, "eos_token_id": sorted({*ends, *configured_ends(folder)})})


def has_turn_mark(text: str) -> bool:
    """Return whether a reply has the mark of another turn in it."""
    return any(mark in text for mark in TURN_MARKS) or _SPELLED_MARKS.search(text) is not None
