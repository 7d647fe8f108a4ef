"""Put what a study has made into a repository of the Hugging Face hub: one model, adapter, card, or the export.

Examples:
  python scripts/commands/push.py --study config/studies/meld.yaml --what dare_ties --to me/meld-dare
  python scripts/commands/push.py --study config/studies/meld.yaml --what adapters/pairwise --to me/meld-pairwise-lora
  python scripts/commands/push.py --folder models/mixed --licence apache-2.0 --to me/mixed

--what is a merge, an expert, a quantization (its GGUF file), the best of a search, adapters/<expert>, cards/<merge>, or
export (the data set that `make export` wrote). A repository that is made here is private unless --public. Nothing goes
out that was not named, nothing that the study did not make, and nothing whose licence is not stated
(about.model_licence; of the export about.licence). --dry-run lists the files. The token is that of HF_TOKEN, or of
`hf auth login`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import _package  # noqa: F401
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.places import require
from judgemerge.data import hub
from judgemerge.report import pushing
from study_options import read_study


def main(
    to: str,
    study_file: str | None = None,
    what: str | None = None,
    folder: str | None = None,
    licence: str | None = None,
    public: bool = False,
    dry_run: bool = False,
    config: Sequence[str] = (),
) -> str:
    """Push, and return a line per file and where they are."""
    if bool(folder) == bool(what) or bool(what) != bool(study_file):
        raise JudgemergeError("give --study and --what, or --folder of a model that was merged outside a study")
    if folder:
        push = pushing.of_folder(folder, licence)
    else:
        study = read_study(study_file, config)
        push = pushing.of_study(study, Path("results", study.name), what, study_file)
    lines = [f"  {file.name}  {file.size:,} bytes" for file in push.files]
    size, sight = f"{len(lines)} files, {push.size / 1e6:.1f} MB", "public" if public else "private"
    if dry_run:
        return "\n".join([*lines, f"{to} ({sight}) would get {size}"])
    require("push", "push", ["huggingface_hub"])
    print("\n".join(lines), flush=True)
    address = hub.push(to, push.kind, push.files, f"judgemerge: {push.what}", public)
    return f"{address}: {size}"


def parsed() -> argparse.Namespace:
    """Return what was typed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", dest="study_file", help="study file")
    parser.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="laid over it, as for Snakemake")
    parser.add_argument("--what", help="merge, expert, quantization, adapters/<expert>, cards/<merge>, or export")
    parser.add_argument("--folder", help="in place of these, a folder that `merge` or `mix` has written")
    parser.add_argument("--licence", help="of --folder: an SPDX name, or one that the hub knows")
    parser.add_argument("--to", required=True, help="repository: user/name")
    parser.add_argument("--public", action="store_true", help="for everybody to read")
    parser.add_argument("--dry-run", action="store_true", help="list what would be pushed")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        print(main(**vars(parsed())))
    except JudgemergeError as error:
        sys.exit(str(error))
