"""An Ollama Modelfile for a quantized judge, with the model's own chat template.

Ollama wants the template in Go's language. A known family is described once, as the text around each role's message;
from that both the Go template and a rendering in Python are made, and the latter must equal what the model's own
template gives on several conversations. A template that merely looks like a known one is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from judgemerge.core.errors import JudgemergeError

Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Family:
    """Text before and after a message of each role, and what opens the reply.

    `system` says where a system message goes: in a turn of its own, before the first or the last user message (with an
    empty line between), or nowhere. The text that begins a document is not here: Ollama adds it as the tokenizer says.
    """

    name: str
    user: tuple[str, str]
    assistant: tuple[str, str]
    reply: str
    system: Literal["turn", "first", "last", "none"] = "none"
    system_turn: tuple[str, str] = ("", "")

    def render(self, messages: Messages, document: str = "") -> str:
        """Return the conversation as the model reads it, reply opened; `document` begins it."""
        around = {"user": self.user, "assistant": self.assistant, "system": self.system_turn}
        turns = [(message["role"], message["content"]) for message in messages]
        extra = next((content for role, content in turns if role == "system"), None)
        users = [index for index, (role, _) in enumerate(turns) if role == "user"]
        place = {"first": users[0], "last": users[-1]}.get(self.system)
        text = document
        for index, (role, content) in enumerate(turns):
            if role != "system" or self.system == "turn":
                before, after = around[role]
                lead = f"{extra}\n\n" if index == place and extra is not None else ""
                text += before + lead + content + after
        return text + self.reply

    def go(self) -> str:
        """Return the same as a template for Ollama."""
        lead = ""
        if self.system == "first":
            lead = '{{ if $system }}{{ $system }}\n\n{{ $system = "" }}{{ end }}'
        if self.system == "last":
            lead = "{{ if and $.System (eq (len (slice $.Messages $index)) 1) }}{{ $.System }}\n\n{{ end }}"
        turns = {"user": (self.user[0] + lead, self.user[1]), "assistant": self.assistant}
        if self.system == "turn":
            turns = {"system": self.system_turn, **turns}
        cases = ""
        for role, (before, after) in turns.items():
            cases += f'{{{{ {"else " if cases else ""}if eq .Role "{role}" }}}}{before}{{{{ .Content }}}}{after}'
        opening = "{{- $system := .System }}" if self.system == "first" else ""
        return f"{opening}{{{{- range $index, $_ := .Messages }}}}{cases}{{{{ end }}}}{{{{ end }}}}{self.reply}"


def _headers(name: str, start: str, middle: str, end: str, assistant: str = "assistant", **rest) -> Family:
    """Return a family whose turns are headed by the role."""

    def turn(role: str) -> tuple[str, str]:
        return f"{start}{role}{middle}", end

    return Family(name, turn("user"), turn(assistant), f"{start}{assistant}{middle}", **rest)


_LLAMA3 = ("<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>")
_CHATML = ("<|im_start|>", "\n", "<|im_end|>\n")
_GEMMA = ("<start_of_turn>", "\n", "<end_of_turn>\n")
FAMILIES = (
    _headers("llama3", *_LLAMA3, system="turn", system_turn=(f"{_LLAMA3[0]}system{_LLAMA3[1]}", _LLAMA3[2])),
    _headers("chatml", *_CHATML, system="turn", system_turn=(f"{_CHATML[0]}system{_CHATML[1]}", _CHATML[2])),
    *(_headers("gemma", *_GEMMA, assistant="model", system=system) for system in ("first", "none")),
    # Mistral's releases differ in the blanks inside the brackets, and in where a system message goes.
    *(
        Family("mistral", ("[INST] ", close), (answer, "</s>"), "", system)
        for close in (" [/INST]", "[/INST]")
        for answer in (" ", "")
        for system in ("first", "last", "none")
    ),
)

_TALK = [
    {"role": "user", "content": "First question."},
    {"role": "assistant", "content": "An answer."},
    {"role": "user", "content": "Second, with a < and {braces}."},
]
_SYSTEM = {"role": "system", "content": "Judge fairly."}
PLAIN = (_TALK[:1], _TALK)
WITH_SYSTEM = ([_SYSTEM, *_TALK[:1]], [_SYSTEM, *_TALK])


def family_of(render: Callable[[Messages], str], document: str, where: str) -> tuple[Family, str | None]:
    """Return the family that renders as the model's own template does, and the system message that it adds.

    `render` renders with that template; `document` is what begins a text ("" when the template leaves that out). Raises
    JudgemergeError otherwise.
    """
    with_system = [_try(render, talk) for talk in WITH_SYSTEM]
    plain = [render(talk) for talk in PLAIN]
    for family in FAMILIES:
        for begin in dict.fromkeys((document, "")):
            refused = family.system == "none" and with_system == [None, None]
            if not refused and [family.render(talk, begin) for talk in WITH_SYSTEM] != with_system:
                continue
            for added in (None, _default_system(family, plain[0], begin)):
                talks = [talk if added is None else [{"role": "system", "content": added}, *talk] for talk in PLAIN]
                if [family.render(talk, begin) for talk in talks] == plain:
                    return family, added
    names = ", ".join(dict.fromkeys(family.name for family in FAMILIES))
    raise JudgemergeError(
        f"{where}: its chat template is none that is known ({names}); it renders a question as {plain[0]!r}: write the "
        "TEMPLATE of the Modelfile by hand"
    )


def _try(render: Callable[[Messages], str], talk: Messages) -> str | None:
    """Return the conversation as rendered, None when the template refuses a system message."""
    try:
        return render(talk)
    except Exception as error:  # jinja2's TemplateError, without importing it here
        if type(error).__name__ != "TemplateError":
            raise
        return None


def _default_system(family: Family, plain: str, begin: str) -> str | None:
    """Return the system message that a template adds to a conversation without one."""
    before, after = family.system_turn
    rest = plain.removeprefix(begin)
    if family.system != "turn" or not rest.startswith(before):
        return None
    return rest.removeprefix(before).partition(after)[0]


def modelfile(family: Family, default_system: str | None, weights: str, context: int, stops: Sequence[str]) -> str:
    """Return the Modelfile; `weights` is the GGUF file's path as seen from it, `context` the window in tokens."""
    quoted = [f'PARAMETER stop "{stop}"' for stop in stops]
    system = [f'SYSTEM """{default_system}"""'] if default_system else []
    return "\n".join(
        [
            f"# ollama create NAME -f THIS_FILE; chat template: {family.name}",
            f"FROM {weights}",
            f'TEMPLATE """{family.go()}"""',
            *system,
            "PARAMETER temperature 0",
            f"PARAMETER num_ctx {context}",
            *quoted,
            "",
        ]
    )
