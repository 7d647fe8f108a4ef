"""A chat with the model of the page: what was said is the prompt, and the answer is drawn while it is written."""

import json
import secrets
import time
from dataclasses import dataclass, field

import streamlit as st

from judgemerge.core.errors import JudgemergeError
from judgemerge.judge.backends import Completion, Failure, GenerationParameters
from judgemerge.page.parts import SECONDS_BETWEEN, Page, plain, words

TEMPERATURE, TOP_P, MOST_TOKENS = 0.7, 0.95, 512


@dataclass
class Talk:
    """What was said, by turns; `note` says of the last answer how long it took, or why it ends where it does."""

    messages: list[dict[str, str]] = field(default_factory=list)
    note: str = ""

    def ask(self, text: str) -> None:
        """Add a question, in place of one that nobody has answered: two in a row are no conversation."""
        if self.messages and self.messages[-1]["role"] == "user":
            self.messages.pop()
        self.messages.append({"role": "user", "content": text})
        self.note = ""

    def answer(self, text: str) -> None:
        """Set the answer to the last question."""
        if self.messages[-1]["role"] == "user":
            self.messages.append({"role": "assistant", "content": ""})
        self.messages[-1]["content"] = text


def draw(page: Page) -> None:
    """Draw the conversation, and answer what is asked."""
    talk: Talk = st.session_state.setdefault("talk", Talk())
    with st.expander("How it answers"):
        system = st.text_area("System message", key="chat_system", height=80)
        temperature = st.slider("Temperature", 0.0, 2.0, TEMPERATURE, 0.05, key="chat_temperature")
        top_p = st.slider("Top p", 0.05, 1.0, TOP_P, 0.05, key="chat_top_p")
        most = st.slider("Most tokens of an answer", 16, 2048, MOST_TOKENS, 16, key="chat_most")
    here = st.container()  # what was said stands above the field that it is typed into
    question = st.chat_input("Say something to the model", key="chat_input")
    if question:
        talk.ask(question)
    with here:
        for message in talk.messages:
            _message(message["role"], message["content"])
        if question:
            _answer(page, talk, system, GenerationParameters(most, temperature, top_p, seed=secrets.randbits(31)))
        if talk.note:
            words(talk.note)
    if talk.messages:
        with st.container(horizontal=True):
            st.button("Begin anew", key="chat_anew", on_click=_forget)
            text = json.dumps(talk.messages, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace")
            st.download_button("Download", text, "conversation.json", "application/json", on_click="ignore")


def _forget() -> None:
    st.session_state["talk"] = Talk()


def _message(role: str, text: str) -> None:
    with st.chat_message(role):
        words(text)


def _answer(page: Page, talk: Talk, system: str, parameters: GenerationParameters) -> None:
    """Ask the model for its turn; what it has written stays when somebody ends it by a click."""
    messages = [*([{"role": "system", "content": system}] if system.strip() else []), *talk.messages]
    with st.chat_message("assistant"):
        place, drawn_at = st.empty(), 0.0

        def tell(text: str) -> None:
            nonlocal drawn_at
            talk.answer(text)
            if time.monotonic() - drawn_at > SECONDS_BETWEEN:
                drawn_at = time.monotonic()
                with place:
                    words(text)

        try:
            backend, lock = page.opened()
            prompt = backend.render(messages)
            if (n_tokens := backend.counts([prompt])[0]) > page.max_prompt_tokens:
                plain(
                    f"Not answered: the conversation has {n_tokens} tokens, more than {page.max_prompt_tokens}; begin "
                    "anew, or start the page with --max-prompt-tokens"
                )
                return
            begin = time.monotonic()
            with lock:
                reply = backend.write(prompt, parameters, tell)
        except JudgemergeError as error:
            plain(f"Not answered: {error}")
            return
        if isinstance(reply, Failure):
            plain(f"Not answered: {reply.reason} {reply.detail}")
            return
        talk.answer(reply.text)
        talk.note = _note(reply, time.monotonic() - begin)
        with place:
            words(reply.text)


def _note(reply: Completion, seconds: float) -> str:
    counted = f"{reply.reply_tokens} tokens in " if reply.reply_tokens is not None else ""
    cut = "; cut at the most tokens of an answer" if reply.finish_reason == "length" else ""
    return f"{counted}{seconds:.1f} s{cut}"
