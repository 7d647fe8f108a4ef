"""A part that is labelled, of which every name would tell people what they must not know."""

import threading
from contextlib import contextmanager
from types import SimpleNamespace

from judgemerge.core.items import Item, Vote
from judgemerge.evaluate.labels import draw, strata_of
from judgemerge.label.choices import grade_choices, pair_choices
from judgemerge.label.desk import Desk, Question, kept_values
from judgemerge.label.server import opened
from judgemerge.label.votes import VoteFile
from judgemerge.settings.report import Statistics

MODELS = ("secretive-7b", "hidden-70b")


def item(number, protocol="pairwise", **more):
    """Return an item whose every name would tell something that people must not know."""
    responses = ((f"left {number}",), (f"right {number}",))[: 2 if protocol == "pairwise" else 1]
    truth = "first" if protocol == "pairwise" else 3.0
    usual = dict(
        id=f"i{number}/{MODELS[0]}", benchmark="set", protocol=protocol, turns=(f"question {number}",),
        responses=responses, truth=truth, cluster=f"cluster-{number}", origin={"source": "leaky.csv", "row": number},
        votes=(Vote("earlier-annotator", truth),), models=MODELS[: len(responses)], category="telling-category",
        extra={"hidden": "telling-extra"},
    )  # fmt: skip
    return Item(**(usual | more))


def open_part(folder, n=10, protocol="pairwise", seed=1, items=None, choices=None, question="Which?"):
    """Return desk, draw, items and file of votes of a part; called again the same ones, as after a restart."""
    items = items or [item(number, protocol) for number in range(40)]
    by_unit = {one.id: one for one in items}
    about = {"of": "set", "metric": "pairs", "protocol": protocol, "by": ""}
    drawn = draw(strata_of(items), n, seed, **about)
    choices = choices or (pair_choices() if protocol == "pairwise" else grade_choices([1.0, 2.0, 3.0, 4.0, 5.0]))
    shown = {one.unit: by_unit[one.unit] for one in drawn.drawn}
    votes = VoteFile(folder / "set.votes.jsonl", shown, kept_values(choices))
    desk = Desk(drawn, Question(question), choices, votes, Statistics(resamples=200))
    return SimpleNamespace(desk=desk, drawn=drawn, items=by_unit, path=votes.path)


@contextmanager
def serving(desk, earlier=None):
    """Yield a server of a desk, which answers in a thread of its own."""
    server = opened(desk, None, earlier)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
