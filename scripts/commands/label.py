"""Label blind on a web page of this machine: a seeded part of what a study judges, in random order, without any names.

Example: python scripts/commands/label.py --study config/config.yaml --of demo_pairwise --labels 60

Started again it goes on where people stopped; they may close the page, and the server, at any time. It listens on
127.0.0.1 alone and asks nothing of any other machine.
"""

import signal
import socket
from collections.abc import Sequence

import _package  # noqa: F401
from judgemerge.compare.answer_judging import PAIRS
from judgemerge.label.drawing import LabelFiles
from judgemerge.label.opening import Part, Wish, open_desk
from judgemerge.label.server import Server, keep_address, opened, serve, sole_desk
from study_options import read_study, run_command

OF = {"required": True, "help": "benchmark of the suites, or comparison of models"}
METRIC = {"default": PAIRS, "help": "of a comparison: grade single answers by this metric instead of pairs"}
SCALE = {"help": "grades to choose from: 1-5, or 0-1:0.25 with a step (that of the metric, or of the judges)"}
NO_TIES = {"flag": "--no-ties", "action": "store_true", "help": "of two answers one has to be better"}
DIRECTORY = {"flag": "--dir", "default": "labels", "help": "folder for the draw and the votes (labels)"}


def main(
    study_file: str,
    of: str,
    labels: int | None = None,
    seed: int | None = None,
    by: str | None = None,
    equal: bool = False,
    metric: str = PAIRS,
    scale: str | None = None,
    no_ties: bool = False,
    directory: str = "labels",
    port: int | None = None,
    config: Sequence[str] = (),
) -> str:
    """Serve the page until it is stopped; return how far everybody is."""
    study = read_study(study_file, config)
    paths = LabelFiles.of(directory, of, metric)
    with sole_desk(paths.desk) as earlier:
        desk = open_desk(study, Part(of, metric, scale, not no_ties), paths, Wish(labels, seed, by, equal))
        desk.votes.clear()
        server = opened(desk, port, earlier)
        keep_address(paths.desk, server.address)
        announce(server, paths)
        serve(server)
    people = [f"{one['name']}: {one['done']} of {len(desk.items)}" for one in desk.progress()]
    return "\n".join(["", *people, f"Started again it goes on. How far people agree: make labels OF={of}"])


def announce(server: Server, paths: LabelFiles) -> None:
    """Say where the page is, and where votes go."""
    port = server.address.port
    print(
        f"{len(server.desk.items)} to label. The page is {server.address.url}\n"
        f"From another machine: ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}, then open that address there.\n"
        f"Votes are kept in {paths.votes}. Ctrl-C stops.",
        flush=True,
    )


def stop(number: int, frame: object) -> None:
    """End as Ctrl-C does."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    run_command(
        __doc__,
        main,
        of=OF,
        labels={"type": int, "help": "how many to draw; not needed to go on"},
        seed={"type": int, "help": "seed of the draw (the study's)"},
        by={"help": "strata: category, or a judge whose verdicts divide the items"},
        equal={"action": "store_true", "help": "as many from every stratum, not in proportion to its size"},
        metric=METRIC,
        scale=SCALE,
        no_ties=NO_TIES,
        directory=DIRECTORY,
        port={"type": int, "help": "port of the page (the last one, else the first free from 8502)"},
    )
