"""Make gguf/{model}.gguf: a model in llama.cpp's format, weights in 16 bits; its quantizations are made from it."""

import shutil
import sys
import tarfile
from pathlib import Path

from judgemerge.core import models
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.logs import logged
from judgemerge.core.processes import run_tool

PARTS = ("convert_hf_to_gguf.py", "conversion/", "gguf-py/gguf/")


def main(model: str, package: str, threads: int, gguf: str) -> None:
    """Unpack the converter from the source package beside the result, run it, and remove it again."""
    models.check_folder(model)
    work = Path(f"{gguf}.part")
    shutil.rmtree(work, ignore_errors=True)
    source = unpack(package, work)
    # The converter writes the folder's name into the file: under a fixed name equal weights give equal bytes.
    (work / "model").symlink_to(Path(model).resolve())
    command = [sys.executable, "-m", "judgemerge.quantize.llama_converter", str(work / "model")]
    scripts = str(Path(models.__file__).resolve().parents[2])
    variables = {"LLAMA_CPP_SRC": str(source.resolve()), "PYTHONPATH": scripts}
    run_tool([*command, "--outfile", str(work / "model.gguf"), "--outtype", "f16"], threads, **variables)
    (work / "model.gguf").replace(gguf)
    shutil.rmtree(work)


def unpack(package: str, folder: Path) -> Path:
    """Unpack llama.cpp's converter from the source package of llama-cpp-python; return the folder that it lies in."""
    with tarfile.open(package) as archive:
        members = [member for member in archive if member.name.partition("/vendor/llama.cpp/")[2].startswith(PARTS)]
        if not members:
            raise JudgemergeError(f"{package}: llama.cpp's converter is not in there; fetch the source package again")
        archive.extractall(folder, members, filter="data")
    return next(folder.glob("*/vendor/llama.cpp"))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            model=snakemake.input.model,
            package=snakemake.input.package,
            threads=snakemake.threads,
            gguf=snakemake.output[0],
        )
