"""Judge single items outside a study: JSON records in, verdicts of both orders, scores and feedback out, as JSON lines.

Examples:
  python scripts/commands/judge.py --model results/demo/models/dare_ties --prompt brief_pairwise --input pairs.jsonl
  echo '{"prompt": "2+2?", "response": "4"}' | python scripts/commands/judge.py --model m.gguf --prompt plain_pointwise
  python scripts/commands/judge.py --model https://api.example.org/v1 --name some-model --api-key-variable KEY < a.jsonl

  python scripts/commands/judge.py --model m.gguf --prompt rubric_pointwise --metric correctness_5_point < answers.jsonl
  python scripts/commands/judge.py --model models/a --model b=models/b --table agreement.csv items.json > judged.jsonl

With several models each judges all records, and a result is the record with what every judge said of it; a table says
how far they agree with each other, and with the people whose votes or labels the records have.
What records and results look like: docs/judging.md. The exit status is 1 when a record could not be read, 2 when
nothing could be judged at all (a wrong option, a model that does not load, an endpoint that is down,
no reply that can be read).
"""

import argparse
import os
import queue
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import _package  # noqa: F401
from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.places import catalogue_folder, require
from judgemerge.judge import backends, interpreters, streaming
from judgemerge.prompting import chat_templates

PROMPTS, METRICS = catalogue_folder() / "prompts", catalogue_folder() / "metrics"

PROMPT = "plain_pairwise"
ADDRESS = ("http://", "https://")


def main(judge: streaming.Judge, source: IO[bytes], output: IO[str], batch: int) -> Counter:
    """Write one result per record as soon as it is there; return how many results of which kind there were."""
    counts: Counter[str] = Counter()
    for records in batches(streaming.split(streaming.read_lines(source)), batch):
        for result in judge.answer(records):
            output.write(files.json_line(result.row()))
            counts.update(streaming.kinds(result))
        output.flush()
    return counts


def batches(records: Iterator[streaming.Record], most: int) -> Iterator[list[streaming.Record]]:
    """Yield what has come in: one record of a slow stream, up to `most` of a fast one."""
    waiting: queue.Queue = queue.Queue(2 * most)

    def read() -> None:
        try:
            for record in records:
                waiting.put(record)
            waiting.put(None)
        except BaseException as error:
            waiting.put(error)

    threading.Thread(target=read, daemon=True).start()
    ended = False
    while not ended:
        entries = [waiting.get()]
        while len(entries) < most and not waiting.empty():
            entries.append(waiting.get())
        faults = [entry for entry in entries if isinstance(entry, BaseException)]
        ended = None in entries or bool(faults)
        records = [entry for entry in entries if isinstance(entry, streaming.Record)]
        if records:
            yield records
        if faults:
            raise faults[0]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompt", action="append", help="name in config/prompts, or a file (plain_pairwise)")
    parser.add_argument("--metric", help="what rubric_* prompts grade by: name in config/metrics, or a file")
    parser.add_argument("file", nargs="?", help="the same as --input")
    parser.add_argument("--input", help="file with one JSON object per line, or a JSON list (standard input)")
    parser.add_argument("--output", help="file for the results (standard output)")
    parser.add_argument("--order", choices=["both", "original", "swapped"], default="both", help="orders of a pair")
    parser.add_argument("--batch", type=_positive, default=16, help="most records judged at a time (%(default)s)")
    parser.add_argument("--table", help="file (.csv) for the agreement of judges with each other and with people")
    add_model_options(parser, several=True)
    options = parser.parse_args()
    options.input = options.input or options.file
    for name in ("prompt", "name"):
        values = getattr(options, name) or []
        if len(values) not in (0, 1, len(options.model)):
            parser.error(f"--{name} is given {len(values)} times; give it once, or once per --model")
    return options


def add_model_options(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Add the options that say which model judges, or which several do, and how they are asked."""
    more = {"action": "append"} if several else {}
    what = "model folder, .gguf file, or address of an endpoint"
    hint = "; once per judge, NAME=… to call it so" if several else ""
    parser.add_argument("--model", required=True, help=f"{what}{hint}", **more)
    parser.add_argument(
        "--max-prompt-tokens", type=_positive, default=4096, help="longer ones are errors (%(default)s)"
    )
    parser.add_argument("--batch-tokens", type=_positive, default=16384, help="the memory knob (%(default)s)")
    parser.add_argument("--threads", type=_positive, default=os.cpu_count() or 1, help="of the CPU (all)")
    parser.add_argument(
        "--dtype", choices=["auto", "float32", "float16", "bfloat16"], default="auto", help="of weights"
    )
    parser.add_argument("--backend", choices=backends.selectable(), help=f"of a model folder ({backends.DEFAULT})")
    parser.add_argument("--chat-template", help="instead of the model's: a name of config/chat_templates, or a file")
    parser.add_argument("--template-arguments", type=_object, help='JSON for the template ({"enable_thinking": false})')
    parser.add_argument("--date", default=chat_templates.DATE, help="what templates show as today (%(default)s)")
    parser.add_argument("--tokenizer", help="folder with the tokenizer of a .gguf file, when it lies elsewhere")
    parser.add_argument("--sources", help="folder of raw files that prompts take texts from: results/<study>/sources")
    parser.add_argument("--name", help="name of the model at the endpoint", **more)
    parser.add_argument("--api-key-variable", help="environment variable with the key of the endpoint")
    parser.add_argument("--endpoint-settings", type=_object, help='JSON sent with every request ({"temperature": 0})')


def open_model(options: argparse.Namespace, scratch: str, max_new_tokens: int):
    """Return the backend that the options describe; `scratch` is an empty folder that must outlive it."""
    settings = {key: value for key, value in vars(options).items() if value is not None}
    settings["max_new_tokens"] = max_new_tokens
    chat = ("chat_template", "template_arguments", "date")
    settings["chat"] = {key: settings[key] for key in chat if key in settings}
    if options.api_key_variable:
        settings["api_key"] = os.environ.get(options.api_key_variable)
    return streaming.open_model(options.model, settings, scratch)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return int(text)


def _object(text: str) -> dict:
    value, fault = streaming.parsed(text)
    if fault or not isinstance(value, dict):
        raise argparse.ArgumentTypeError(fault or "not a JSON object")
    return value


def one_judge(options: argparse.Namespace) -> int:
    """Judge records as they come; return the exit status."""
    options.model, options.name = _named(options.model[0])[1], (options.name or [None])[0]
    with tempfile.TemporaryDirectory() as scratch:
        template = streaming.find_template((options.prompt or [PROMPT])[0], PROMPTS, options.sources)
        metric = streaming.find_metric(options.metric, template, METRICS)
        backend = open_model(options, scratch, template.max_new_tokens)
        orders = None if options.order == "both" else (options.order,)
        judge = streaming.Judge(backend, template, options.max_prompt_tokens, orders, metric)
        source, output = _streams(options)
        counted = main(judge, source, output, options.batch)
        output.flush()
    print(streaming.summary(counted), file=sys.stderr)
    return streaming.status(counted)


def several_judges(options: argparse.Namespace) -> int:
    """Let each judge judge all records, write these with what was said, say how far they agree; return the status."""
    require("--table, or a second --model,", "transformers", ["pandas", "scipy", "statsmodels"])
    from judgemerge.api import several

    judges = _judges(options)
    source, output = _streams(options)
    records = list(streaming.split(streaming.read_lines(source)))
    judged = several.judge_all(judges, records, options.order, say)
    for row in several.rows(judged) if records else ():
        output.write(files.json_line(row))
    output.flush()
    if sentence := several.unread_labels(judged[0]):
        say(sentence)
    table = several.table_of(judged)
    say("\n".join(several.lines_of(table)))
    if options.table:
        table.to_csv(options.table, index=False)
    return several.status(judged, len(judges) - len(judged))


def _streams(options: argparse.Namespace) -> tuple[IO[bytes], IO[str]]:
    """Return where records come from and results go to; nothing is opened before all else was found to be right."""
    source = open(options.input, "rb") if options.input else sys.stdin.buffer  # noqa: SIM115 – until the end
    if options.output:
        return source, open(options.output, "w", encoding="utf-8")  # noqa: SIM115
    sys.stdout.reconfigure(encoding="utf-8")
    return source, sys.stdout


def say(text: str) -> None:
    """Print to standard error."""
    print(text, file=sys.stderr, flush=True)


def _judges(options: argparse.Namespace) -> list:
    """Return the judges that are named; two of one name, and prompts of two protocols, are refused."""
    from judgemerge.api.judging import Judge

    prompts, endpoints = options.prompt or [PROMPT], options.name or [None]
    key = os.environ.get(options.api_key_variable) if options.api_key_variable else None
    same = ("backend", "metric", "endpoint_settings", "tokenizer", "max_prompt_tokens", "batch_tokens", "threads")
    same += ("dtype", "chat_template", "template_arguments", "date", "sources")
    shared = {name: getattr(options, name) for name in same}
    judges = []
    for number, text in enumerate(options.model):
        name, model = _named(text)
        prompt, endpoint = prompts[number % len(prompts)], endpoints[number % len(endpoints)]
        if not model.startswith(ADDRESS):
            endpoint = None
        judges.append(Judge(model, prompt, name=name, endpoint=endpoint, api_key=key, **shared))
    if twice := [name for name, n in Counter(judge.name for judge in judges).items() if n > 1]:
        raise JudgemergeError(f"--model: two judges are called '{twice[0]}'; call one otherwise, --model NAME=…")
    protocols = {judge.template().protocol for judge in judges}
    if len(protocols) > 1:
        raise JudgemergeError("--prompt: one is for pairs, another for single answers; all judges judge the same")
    return judges


def _named(text: str) -> tuple[str | None, str]:
    """Return (name, model) of `name=model`, (None, model) of a model without a name."""
    name, separator, model = text.partition("=")
    if text.startswith(ADDRESS) or not separator or "/" in name or Path(text).exists():
        return None, text
    return name, model


if __name__ == "__main__":
    options = _options()
    try:
        interpreters.enter(options.backend or backends.DEFAULT)
        if options.input and options.output and os.path.realpath(options.input) == os.path.realpath(options.output):
            raise JudgemergeError(f"{options.output}: is the input; give another file as --output")
        sys.exit(several_judges(options) if len(options.model) > 1 or options.table else one_judge(options))
    except (JudgemergeError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nobody reads any more; Python would complain at its end
            sys.exit(0)
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
