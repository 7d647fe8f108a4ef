"""Read a log of inspect_ai (.eval or .json) as verdicts.

Two kinds of judges stand in such logs: the model of a task that shows it items and asks for a verdict, and a scorer
that grades what another model wrote. Roles and options are those of `jsonl`; the fields are those of a sample (id,
input, target, metadata.key …), and those of one scorer:

    options:
      fields:
        item: id            # of the sample, or metadata.key …; logs keep samples in no order, so one has to be named
        verdict: answer     # what the scorer took from the reply (`score: answer` of grades), or
                            # `value`: what the scorer itself says, where it is the judge; C and I of inspect's own
                            # scorers say whether the model was right, and are no verdicts
        reply: reply        # what the model wrote (output.completion), or `explanation` of the scorer
      labels: {A: first, B: second, C: tie}
      scorer: pattern       # which scorer, where the log has several
      epoch: 1              # which epoch
      positions: shown

A sample that ended with an error, or from which the scorer took nothing, is an error `unparsed`. Logs (.eval) are
archives; those of newer versions are compressed with zstd, which takes Python 3.14 or pyarrow.
"""

import functools
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.data.benchmarks._rows import Row
from judgemerge.judge.recorded_formats import _samples, jsonl

ROLES = jsonl.ROLES
OPTIONS = {"scorer": str, "epoch": int}
ZSTD = 93  # the method of compression of newer logs, which `zipfile` reads from Python 3.14 on
LOCAL_HEADER = 30  # bytes of the header before each entry of an archive, names and extra fields aside
ATTACHED = "attachment://"  # begins what stands in a sample's `attachments` in place of a long text
DERIVED = ("answer", "value", "explanation")
settings_of, has_probabilities = jsonl.settings_of, jsonl.has_probabilities


def check(entry: dict, where: str) -> None:
    """Refuse an entry that cannot be right."""
    _samples.check(entry, where, OPTIONS)
    for roles in entry["benchmarks"].values():
        for role in roles.values():
            if "item" not in settings_of(entry.get("options", {}), role)["fields"]:
                raise JudgemergeError(
                    f"{where}: options.fields has no item; logs of inspect_ai keep samples in no order, so name the "
                    "field with the item's id (id, or metadata.…)"
                )


def samples_of(path: Path, options: Mapping) -> Iterator[Row]:
    """Yield the samples of one epoch with the fields answer, value and explanation of the scorer, and reply."""
    epochs: dict[int, int] = {}  # epoch → how many samples it has
    for sample in _logged(path):
        epoch = sample.get("epoch", 1)
        epochs[epoch] = epochs.get(epoch, 0) + 1
        if epoch == options.get("epoch", 1):
            kept = {name: value for name, value in sample.items() if name not in ("events", "messages")}
            row = Row(path, epochs[epoch] - 1, kept)
            yield Row(path, row.number, {**row.data, **_of_scorer(row, options), "reply": _reply(row)})
    if epochs and options.get("epoch", 1) not in epochs:
        known = ", ".join(map(str, epochs))
        raise JudgemergeError(
            f"{path}: has no samples of epoch {options.get('epoch', 1)}, only of {known}; correct options.epoch"
        )


def _of_scorer(row: Row, options: Mapping) -> dict[str, Any]:
    scores = row.value("scores") or {}
    wanted = options.get("scorer")
    if wanted is None and len(scores) > 1:
        raise row.error(f"has the scores of {', '.join(scores)}; name one in options.scorer")
    if wanted is not None and scores and wanted not in scores:
        raise row.error(f"has no score of '{wanted}', only of {', '.join(scores)}; correct options.scorer")
    score = scores.get(wanted, {}) if wanted else next(iter(scores.values()), {})
    return {name: _resolved(row, score.get(name)) for name in DERIVED}


def _reply(row: Row) -> str | None:
    text = _resolved(row, row.value("output.completion"))
    return text if isinstance(text, str) else None


def _resolved(row: Row, value: Any) -> Any:
    if isinstance(value, str) and value.startswith(ATTACHED):
        return row.data.get("attachments", {}).get(value.removeprefix(ATTACHED), value)
    return value


def _logged(path: Path) -> Iterator[dict]:
    """Yield the samples of a log, in the order of its data set."""
    if not zipfile.is_zipfile(path):
        log = files.parse_json(path.read_bytes(), path)
        if not isinstance(log, dict) or not isinstance(log.get("samples"), list):
            raise JudgemergeError(
                f"{path}: is no log of inspect_ai with samples; log them (--log-samples), or export the log again with "
                "`inspect log dump`"
            )
        yield from log["samples"]
        return
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        entries = [one for one in archive.infolist() if one.filename.startswith("samples/")]
        if not entries:
            raise JudgemergeError(f"{path}: is an archive without samples, no log of inspect_ai; name a log (.eval)")
        for entry in entries:
            yield files.parse_json(_content(archive, file, entry), f"{path}: {entry.filename}")


def _content(archive: zipfile.ZipFile, file: Any, entry: zipfile.ZipInfo) -> bytes:
    if entry.compress_type != ZSTD:
        return archive.read(entry)
    file.seek(entry.header_offset)
    header = file.read(LOCAL_HEADER)
    lengths = (int.from_bytes(header[place : place + 2], "little") for place in (26, 28))
    file.seek(entry.header_offset + LOCAL_HEADER + sum(lengths))
    return _decompressed(file.read(entry.compress_size), entry.file_size, archive.filename)


def _decompressed(content: bytes, size: int, path: str | None) -> bytes:
    try:
        from compression import zstd
    except ModuleNotFoundError:
        return _decompressed_by_pyarrow(content, size, path)
    return zstd.decompress(content)


def _decompressed_by_pyarrow(content: bytes, size: int, path: str | None) -> bytes:
    try:
        import pyarrow
    except ModuleNotFoundError:
        raise JudgemergeError(
            f"{path}: is compressed with zstd, which takes Python 3.14 or the package pyarrow; install it, or convert "
            "the log with `inspect log convert --to json`"
        ) from None
    return pyarrow.decompress(content, decompressed_size=size, codec="zstd", asbytes=True)


samples = functools.partial(_samples.rows, samples_of)
read = functools.partial(_samples.read, samples_of)
unknown_ids = functools.partial(_samples.unknown_ids, samples_of)
