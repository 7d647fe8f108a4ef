"""Scripts of rules as modules, loaded by file: folders of scripts on the path would hide packages of the same names."""

import importlib.util
from pathlib import Path
from types import ModuleType

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


def rule_script(name: str) -> ModuleType:
    """Return the script of a rule as a module, by stage and rule: `rule_script("judge/judge_suite")`."""
    specification = importlib.util.spec_from_file_location(Path(name).name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
