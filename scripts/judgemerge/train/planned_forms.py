"""Whether the trainings of a study are in the form that their bases are asked in, found out while a study is planned.

Only for bases that lie in a folder: of others the first seconds of the training find it out. The comparison needs
LLaMA-Factory, which takes seconds to import, so a process of its own makes it, and the verdict is kept.
"""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.train.training import expert_settings, shared_settings

SCRIPT = Path(__file__).resolve().parents[2] / "train" / "check_form.py"
KEPT = Path(".snakemake", "judgemerge_forms")
# What of LLaMA-Factory's keys changes how a conversation is written.
KEYS = ("template", "default_system", "enable_thinking", "preserve_thinking", "use_fast_tokenizer")
DECIDING = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "chat_template.jinja",
    "generation_config.json",
)


def trainings(study) -> Iterator[tuple[str, str, dict]]:
    """Yield (key, base, LLaMA-Factory's keys that matter) of every training of the study."""
    shared = shared_settings(study.settings)
    for name, expert in study.experts.items():
        own = expert_settings(shared, expert["settings"])
        yield f"experts.{name}", study.base_of(name), {key: own[key] for key in KEYS if key in own}
    screening = study.settings.get("screening")
    for base in screening["bases"] if screening else ():
        named = {"template": screening["templates"][base]} if base in screening["templates"] else {}
        own = {**study.settings["training"], **screening["settings"], **named}
        yield "screening", base, {key: own[key] for key in KEYS if key in own}


def template_names(package: Path) -> set[str]:
    """Return the templates that LLaMA-Factory's source registers; importing it would take seconds."""
    source = (package / "data" / "template.py").read_text(encoding="utf-8")
    return set(re.findall(r'register_template\(\s*name="([^"]+)"', source))


def check(study, kept: Path = KEPT) -> None:
    """Raise JudgemergeError for a training whose form is not the one that its base is asked in."""
    installed = importlib.util.find_spec("llamafactory")
    if installed is None:  # Snakemake deploys it; the training checks the same
        return
    known = template_names(Path(installed.origin).parent)
    for key, base, settings in trainings(study):
        name = settings.get("template")
        if name is not None and name not in known:
            raise JudgemergeError(
                f"{study.where}: {key} trains in template '{name}', which LLaMA-Factory does not have"
                f"{did_you_mean(name, known)}"
            )
        folder = study.models.get(base, {}).get("path")
        if folder and Path(folder, "tokenizer_config.json").is_file():
            fault = _fault({"folder": folder, "settings": settings, "chat": study.chat(base)}, kept)
            if fault:
                raise JudgemergeError(f"{study.where}: {key}: {fault}")


def _fault(training: Mapping, kept: Path) -> str:
    """Return what is wrong with one training, an empty text for nothing; what was found before is read again."""
    described = json.dumps(training, sort_keys=True)
    present = [path for name in DECIDING if (path := Path(training["folder"], name)).is_file()]
    named = Path(str(training["chat"].get("chat_template", "")))
    present += [named] if named.is_file() else []
    verdict = kept / f"{files.sha256_text(described, *map(files.sha256_file, present))[:16]}.txt"
    if not verdict.is_file():
        run = subprocess.run([sys.executable, str(SCRIPT)], input=described, capture_output=True, text=True)
        if run.returncode:
            raise JudgemergeError(
                f"{training['folder']}: its tokenizer cannot be tried ({run.stderr.strip().splitlines()[-1]}); "
                "give the folder of a Hugging Face model"
            )
        with files.atomic_writer(verdict) as file:
            file.write(run.stdout)
    return verdict.read_text(encoding="utf-8").strip()
