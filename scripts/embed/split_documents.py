"""Make embedding/chunks/{collection}.jsonl and .counts.json: a folder of documents, read, split, without duplicates."""

import sys
from dataclasses import asdict
from pathlib import Path

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.logs import logged
from judgemerge.embed import documents


def main(folder: str, settings: dict, chunks: str, counts: str) -> None:
    """Read every file that can be read; name the others in the log, in the counts and so in the report."""
    if not Path(folder).is_dir():
        raise JudgemergeError(
            f"embedding.documents.folder: '{folder}' is no folder; put your documents there, or name another one"
        )
    read, problems = [], []
    for name, text, said in documents.read_folder(folder, settings["max_megabytes"]):
        problems += said
        read += [(name, text)] if text is not None else []
    for problem in problems:
        print(f"{problem.file}: {problem.problem}", file=sys.stderr)
    found, n_duplicates = documents.chunks_of(read, settings["chunk"], settings["overlap"], settings["language"])
    if not found:
        raise JudgemergeError(f"{folder}: none of its {len(problems)} files gives any text; the log names the reasons")
    files.write_jsonl(chunks, map(asdict, found))
    n_left_out = sum(problem.left_out for problem in problems)
    files.write_json(
        counts,
        {
            "documents": len(read),
            "left_out": n_left_out,
            "chunks": len(found),
            "duplicates": n_duplicates,
            "languages": {
                name: sum(chunk.language == name for chunk in found)
                for name in sorted({chunk.language for chunk in found})
            },
            "problems": [asdict(problem) for problem in problems],
        },
    )


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            folder=snakemake.params.folder,
            settings=snakemake.params.documents,
            chunks=snakemake.output.chunks,
            counts=snakemake.output.counts,
        )
