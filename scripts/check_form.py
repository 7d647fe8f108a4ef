"""Say on standard output what is wrong with the form of a training (JSON on standard input: folder, settings, chat)."""

import contextlib
import json
import sys

from judgemerge.errors import JudgemergeError
from judgemerge.llamafactory import load_form


def main(training: dict) -> str:
    """Return what is wrong, an empty text for nothing."""
    try:
        load_form(training["folder"], training["settings"], training["chat"], "training")
    except JudgemergeError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # LLaMA-Factory tells what it sets
        fault = main(json.load(sys.stdin))
    print(fault)
