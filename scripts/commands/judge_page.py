"""A web page on this machine: paste a question and one or two answers, see the verdict in both orders and the feedback.

Example: python scripts/commands/judge_page.py --model results/demo/models/dare_ties --prompt brief_pairwise

Listens on 127.0.0.1 alone and reports nothing to anybody. What a model wrote is shown as plain text: no HTML and no
Markdown in it is ever interpreted. Needs streamlit (make venv-page).
"""

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import threading
from pathlib import Path

import _package  # noqa: F401
import judge as command
from judgemerge.core.errors import JudgemergeError
from judgemerge.judge import streaming
from judgemerge.prompting import prompts

FLAGS = {
    "server.address": "127.0.0.1",
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
}
MOST_NEW_TOKENS = 2048  # room for the longest reply that a prompt of config/prompts asks for
ANSWERS = {
    "pairwise": {"response_a": "Answer A", "response_b": "Answer B"},
    "pointwise": {"response": "Answer"},
}
OUTCOMES = {"first": "answer A is better", "second": "answer B is better", "tie": "both are equally good"}


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompt", nargs="+", help="names in config/prompts, or files, to choose from (all that fit)")
    parser.add_argument("--port", type=int, default=8501, help="(%(default)s)")
    command.add_model_options(parser)
    return parser.parse_args(arguments)


def launch(arguments: list[str]) -> None:
    """Replace this process by the server, after what can be refused at once was refused."""
    choices = options(arguments)
    if importlib.util.find_spec("streamlit") is None:
        raise JudgemergeError("judge_page.py: the page needs streamlit; install it with: make venv-page")
    templates(choices)
    flags = [f"--{name}={value}" for name, value in {**FLAGS, "server.port": choices.port}.items()]
    print(f"The page is http://127.0.0.1:{choices.port}", file=sys.stderr, flush=True)
    server = [sys.executable, "-m", "streamlit", "run", str(Path(__file__).resolve()), *flags]
    os.execv(sys.executable, [*server, "--", *arguments])


def templates(choices: argparse.Namespace) -> dict[str, prompts.Template]:
    """Return the prompts to choose from: those asked for, else all that make a model write and whose texts are here."""
    if choices.prompt:
        return {name: streaming.find_template(name, command.PROMPTS, choices.sources) for name in choices.prompt}
    prompts_by_name = {}
    for path in sorted(
        command.PROMPTS.glob("*.yaml"), key=lambda path: (not path.stem.startswith("plain_"), path.stem)
    ):
        if choices.sources or not prompts.prompt_sources(path):
            template = streaming.find_template(path.stem, command.PROMPTS, choices.sources)
            prompts_by_name |= {path.stem: template} if template.mode == "generate" else {}
    return prompts_by_name


def page() -> None:
    """Draw the page; Streamlit calls this again at every click."""
    import streamlit as st

    @st.cache_resource(show_spinner="Loading the model …")
    def loaded(arguments: tuple[str, ...]):
        scratch = tempfile.TemporaryDirectory()
        return command.open_model(options(list(arguments)), scratch.name, MOST_NEW_TOKENS), threading.Lock(), scratch

    arguments = tuple(sys.argv[1:])
    choices = options(list(arguments))
    st.set_page_config(page_title="judgemerge", layout="wide")
    st.title("Which answer is better?")
    templates_by_name = templates(choices)
    template = templates_by_name[st.selectbox("Prompt", list(templates_by_name), key="template")]
    with st.form("record", border=False):
        record = fields(st, template)
        pressed = st.form_submit_button("Judge")
    if not pressed:
        return
    missing = [name for name, value in record.items() if name not in ("reference", "category") and not value.strip()]
    if missing:
        plain(st, f"Fill in: {', '.join(label(name, template.protocol) for name in missing)}")
        return
    filled = {name: value for name, value in record.items() if value.strip()}
    try:
        backend, lock, _ = loaded(arguments)
        judge = streaming.Judge(backend, template, choices.max_prompt_tokens)
        with st.spinner("Judging …"), lock:
            (result,) = judge.answer([streaming.Record(1, json.dumps(filled))])
    except JudgemergeError as error:
        plain(st, f"Not judged: {error}")
        return
    show(st, result)


def fields(st, template: prompts.Template) -> dict[str, str]:
    """Draw what the prompt asks for; return it by key of a record."""
    record = {"prompt": st.text_area(label("prompt", template.protocol), key="prompt", height=100)}
    names = ANSWERS[template.protocol]
    for column, name in zip(st.columns(len(names)), names, strict=True):
        record[name] = column.text_area(names[name], key=name, height=200)
    if "category" in template.fields or "criteria" in template.fields:
        categories = sorted(template.criteria)
        choose = (lambda: st.selectbox("Category", categories)) if categories else (lambda: st.text_input("Category"))
        record["category"] = choose()
    for name in ("reference", *template.extra_fields):
        if name in template.fields:
            record[name] = st.text_area(label(name, template.protocol), key=f"field_{name}")
    return record


def label(name: str, protocol: str) -> str:
    """Return what a key of a record is called on the page."""
    return {"prompt": "Question", **ANSWERS[protocol]}.get(name, name.replace("_", " ").capitalize())


def show(st, result: streaming.Result | streaming.Fault) -> None:
    """Draw a result: the verdict, then each order with its scores and feedback."""
    if isinstance(result, streaming.Fault):
        plain(st, f"Not judged: {result.error}")
        return
    st.subheader("Verdict")
    plain(st, headline(result))
    is_pair = result.protocol == "pairwise"
    for column, order in zip(st.columns(len(result.orders)), result.orders, strict=True):
        with column:
            if is_pair:
                first = "A" if order.order == "original" else "B"
                st.subheader(f"With answer {first} shown first")
                plain(st, OUTCOMES.get(order.outcome, f"no verdict ({order.reason})"))
            for name, scores in zip("AB", order.scores, strict=False):
                st.caption(f"Scores of answer {name}" if is_pair else "Scores")
                lines = [f"{dimension}: {value:g}" for dimension, value in scores.dimensions.items()]
                overall = [] if scores.overall is None else [f"Overall: {scores.overall:g}"]
                plain(st, "\n".join([*lines, *overall]))
            st.caption("Feedback")
            plain(st, order.feedback or f"none ({order.reason})")


def headline(result: streaming.Result) -> str:
    """Return the verdict in one sentence."""
    reasons = ", ".join(sorted(set(result.reasons)))
    if result.protocol == "pointwise":
        return f"Score: {result.score:g}" if result.score is not None else f"No score ({reasons})"
    if result.consistent is False:
        return "No verdict: it changes with the order of the answers"
    if result.verdict is None:
        return f"No verdict ({reasons})"
    return f"In both orders {OUTCOMES[result.verdict]}"


def plain(st, text: str) -> None:
    """Draw text as it is. Every word that may come from a model goes through here: nothing in it is interpreted."""
    st.code(text, language=None, wrap_lines=True)


def in_streamlit() -> bool:
    """Whether this file is run by the server, and not by a person."""
    runtime = sys.modules.get("streamlit.runtime")
    return runtime is not None and runtime.exists()


if __name__ == "__main__":
    if in_streamlit():
        page()
    else:
        try:
            launch(sys.argv[1:])
        except JudgemergeError as error:
            sys.exit(str(error))
