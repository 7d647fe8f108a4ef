"""A web page on this machine: judge an item or a list of them, see verdicts, scores and feedback; chat with the model.

Example: python scripts/commands/judge_page.py --model results/demo/models/dare_ties --prompt brief_pairwise

Listens on 127.0.0.1 alone and reports nothing to anybody. What a model wrote is shown as plain text: no HTML and no
Markdown in it is ever interpreted. Needs streamlit (make venv-page).
"""

import argparse
import importlib.util
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

    from judgemerge.page import drawing, parts

    @st.cache_resource(show_spinner="Loading the model …")
    def loaded(arguments: tuple[str, ...]):
        scratch = tempfile.TemporaryDirectory()
        return command.open_model(options(list(arguments)), scratch.name, MOST_NEW_TOKENS), threading.Lock(), scratch

    arguments = tuple(sys.argv[1:])
    choices = options(list(arguments))
    model = f"{choices.name} at {choices.model}" if choices.name else choices.model
    opened = lambda: loaded(arguments)[:2]  # noqa: E731
    drawing.draw(parts.Page(model, templates(choices), choices.max_prompt_tokens, opened))


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
