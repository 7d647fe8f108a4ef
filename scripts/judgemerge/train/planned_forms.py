"""Whether the trainings of a study are in the form that their bases are asked in, found out while a study is planned.

Only for bases that lie in a folder: of others the first seconds of the training find it out. The comparison needs
LLaMA-Factory, which takes seconds to import, so a process of its own makes it, and the verdict is kept.
"""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.train.training import trainings

if TYPE_CHECKING:
    from judgemerge.study.study import Study

SCRIPT = Path(__file__).resolve().parents[2] / "train" / "check_form.py"
VERDICTS = Path(".snakemake", "judgemerge_forms")
# What of LLaMA-Factory's keys changes how a conversation is written.
KEYS = ("template", "default_system", "enable_thinking", "preserve_thinking", "use_fast_tokenizer")
DECIDING = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "chat_template.jinja",
    "generation_config.json",
)


def template_names(package: Path) -> set[str]:
    """Return the templates that LLaMA-Factory's source registers; importing it would take seconds."""
    source = (package / "data" / "template.py").read_text(encoding="utf-8")
    return set(re.findall(r'register_template\(\s*name="([^"]+)"', source))


def check(study: "Study", verdicts: Path = VERDICTS) -> None:
    """Raise JudgemergeError for a training whose form is not the one that its base is asked in."""
    installed = importlib.util.find_spec("llamafactory")
    if installed is None:  # Snakemake deploys it; the training checks the same
        return
    templates = template_names(Path(installed.origin).parent)
    for key, base, keys in trainings(study):
        settings = {name: keys[name] for name in KEYS if name in keys}
        name = settings.get("template")
        if name is not None and name not in templates:
            raise JudgemergeError(
                f"{study.where}: {key} trains in template '{name}', which LLaMA-Factory does not have"
                f"{did_you_mean(name, templates)}"
            )
        folder = getattr(study.models.get(base), "path", None)
        has_tokenizer = folder and Path(folder, "tokenizer_config.json").is_file()
        if has_tokenizer and (fault := _fault(folder, settings, study.chat_in_training(base), verdicts)):
            raise JudgemergeError(f"{study.where}: {key}: {fault}")


def _fault(folder: str, settings: Mapping, chat: Mapping, verdicts: Path) -> str:
    """Return what is wrong with one training, an empty text for nothing; what was found before is read again."""
    described = json.dumps({"folder": folder, "settings": settings, "chat": chat}, sort_keys=True)
    present = [path for name in DECIDING if (path := Path(folder, name)).is_file()]
    named = Path(str(chat.get("chat_template", "")))
    present += [named] if named.is_file() else []
    verdict = verdicts / f"{files.sha256_text(described, *map(files.sha256_file, present))[:16]}.txt"
    if not verdict.is_file():
        run = subprocess.run([sys.executable, str(SCRIPT)], input=described, capture_output=True, text=True)
        if run.returncode:
            raise JudgemergeError(
                f"{folder}: its tokenizer cannot be tried ({run.stderr.strip().splitlines()[-1]}); "
                "give the folder of a Hugging Face model"
            )
        with files.atomic_writer(verdict) as file:
            file.write(run.stdout)
    return verdict.read_text(encoding="utf-8").strip()
