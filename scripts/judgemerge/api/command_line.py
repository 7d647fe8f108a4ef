"""The command `judgemerge` of an installed package: its subcommands are the programs of scripts/commands/."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import NamedTuple

from judgemerge import __version__
from judgemerge.core.errors import did_you_mean
from judgemerge.core.places import IS_INSTALLED, command_folder, how_to_install


class Command(NamedTuple):
    """A program of scripts/commands/, the extra that has what it needs, and whether it takes a checkout."""

    program: str
    about: str
    extra: str | None = None
    needs_checkout: bool = False


COMMANDS = {
    "judge": Command("judge", "judge single items with one model or several, outside a study"),
    "page": Command("judge_page", "judge an item or a list, or chat, on a web page of this machine", "page"),
    "merge": Command("merge", "merge models with any method", "merge"),
    "mix": Command("mix", "mix models by weights, or by a few examples, as LM-Cocktail does", "merge"),
    "push": Command("push", "put a model, an adapter, a card or an export into a repository of the hub", "push"),
    "compare": Command("compare_runs", "compare the results of two runs of a study"),
    "label": Command("label", "label a part of a study blind, on a web page of this machine", "study"),
    "labels": Command("show_labels", "say how far people agree who have labelled", "study"),
    "sample-labels": Command("sample_labels", "draw what people are to label, as a sheet", "study"),
    "plan": Command("plan_study", "say before it runs what a study can show", "study"),
    "mirror": Command("build_mirror", "copy the raw files of a study to a folder", "study"),
    "status": Command("show_status", "say how far a study is", "study", needs_checkout=True),
    "costs": Command("show_costs", "say what a study has cost", "study", needs_checkout=True),
    "crate": Command("pack_crate", "pack the results of a study as an RO-Crate", "study", needs_checkout=True),
    "export": Command("export_study", "write the results of a study for others", "study", needs_checkout=True),
}


def main(arguments: list[str] | None = None) -> None:
    """Run the subcommand that is named first, as `python scripts/commands/<program>.py` would be."""
    arguments = sys.argv[1:] if arguments is None else arguments
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help"):
        print(usage())
        return
    if name == "--version":
        print(f"judgemerge {__version__}")
        return
    if name not in COMMANDS:
        sys.exit(f"judgemerge: there is no command '{name}'{did_you_mean(name, COMMANDS)}")
    if COMMANDS[name].needs_checkout and IS_INSTALLED:
        sys.exit(f"judgemerge {name}: this needs the workflow; call it in a checkout, as `make {name} STUDY=…`")
    run(name, arguments[1:])


def usage() -> str:
    """Return what `judgemerge --help` says."""
    offered = {name: one for name, one in COMMANDS.items() if not (one.needs_checkout and IS_INSTALLED)}
    lines = [f"  {name:<14}{one.about}" for name, one in offered.items()]
    return "\n".join(["usage: judgemerge COMMAND …; `judgemerge COMMAND --help` says more", "", *lines])


def run(name: str, arguments: list[str]) -> None:
    """Run a program; a package that it lacks is named with the extra that has it."""
    command = COMMANDS[name]
    path = command_folder() / f"{command.program}.py"
    sys.argv = [f"judgemerge {name}", *arguments]
    sys.path.insert(0, str(path.parent))  # programs share modules that lie beside them
    try:
        spec = spec_from_file_location("__main__", path)  # runpy would put the file's name into usages
        spec.loader.exec_module(module_from_spec(spec))
    except ModuleNotFoundError as error:
        if not command.extra or (error.name or "").startswith("judgemerge"):
            raise
        sys.exit(f"judgemerge {name} needs the package '{error.name}'; get it with {how_to_install(command.extra)}")
