"""Say on standard output what is wrong with the form of a training (JSON on standard input: folder, settings, chat)."""

import contextlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgemerge.core.errors import JudgemergeError
from judgemerge.train.llamafactory import load_form


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
