"""Find names that the Snakefile and its rules use and nothing binds; other linters do not read Snakemake files.

    python tools/check_rules.py [Snakefile]

Snakemake prints each file as the Python that it runs (--print-compilation). Put together in the order of `include:`,
that is one module, in which ruff finds undefined names.
"""

import argparse
import contextlib
import io
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

from snakemake.api import ResourceSettings, SnakemakeApi
from snakemake.ioutils import register_in_globals
from snakemake.workflow import __dict__ as workflow_module

INCLUDE = re.compile(r'(?m)^([ \t]*)workflow\.include\(\s*"([^"]+)"\s*\)\n')
FILE = "#file "
# What Snakemake gives to every file.
BUILTINS = dict.fromkeys(("workflow", "shell", "config", "rules", "checkpoints", "storage", *workflow_module))
register_in_globals(BUILTINS)


def compiled(file: Path) -> str:
    """Return one Snakemake file as Python; what it includes is not read."""
    text = io.StringIO()
    with SnakemakeApi() as api, contextlib.redirect_stdout(text):
        api.workflow(ResourceSettings(), snakefile=file).print_compilation()
    return text.getvalue()


def program(file: Path) -> str:
    """Return a file as Python with all that it includes, each in its place and named by a comment."""
    text = compiled(file)
    parts, last = [f"{FILE}{file}\n"], 0
    for include in INCLUDE.finditer(text):
        indent, name = include.groups()
        included = textwrap.indent(program(file.parent / name), indent)
        parts += [text[last : include.start()], included, f"{indent}{FILE}{file}\n"]
        last = include.end()
    return "".join([*parts, text[last:]])


def undefined_names(text: str) -> list[str]:
    """Return a sentence for every use of a name that nothing binds."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821,E9", "--output-format", "json"]
    command += ["--config", f"builtins = {json.dumps(sorted(BUILTINS))}", "--stdin-filename", "rules.py", "-"]
    process = subprocess.run(command, input=text, capture_output=True, text=True)
    if process.returncode > 1:
        raise SystemExit(process.stderr)
    lines = text.splitlines()
    sentences = []
    for finding in json.loads(process.stdout):
        before = reversed(lines[: finding["location"]["row"]])
        file = next(line.split(FILE)[1] for line in before if line.lstrip().startswith(FILE))
        sentences.append(f"{file}: {finding['message']}")
    return list(dict.fromkeys(sentences))


def main() -> int:
    """Read the command line and return the exit status."""
    parser = argparse.ArgumentParser(description="Find names that Snakemake files use and nothing binds.")
    parser.add_argument("snakefile", nargs="?", default="Snakefile", type=Path)
    sentences = undefined_names(program(parser.parse_args().snakefile))
    print(*sentences or ["No undefined name in the Snakefile and what it includes."], sep="\n")
    return bool(sentences)


if __name__ == "__main__":
    sys.exit(main())
