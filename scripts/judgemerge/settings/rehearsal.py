"""How much of a study a rehearsal does (`scale=twins`): all of its graph, on few items and in few steps."""

from judgemerge.settings.section import Section, key, section


@section
class Rehearsal(Section):
    """A run of the whole graph on few items and few steps, on CPUs, before the first GPU hour is spent
    (docs/rehearsing.md). `--config scale=twins` sets it, with `twins`; a study changes its sizes in `scales.twins`.
    """

    items: int = key("Items of every item set that is judged, searched on or asked.", 2, minimum=1)
    training_items: int = key("Items of every item set that is learnt.", 12, minimum=1)
    steps: int = key("Updates of every training.", 2, minimum=1)
    reply_tokens: int = key("Tokens of a reply.", 16, minimum=1)
    trials: int = key("Rounds of every search, and trials of each round.", 2, minimum=1)
    resamples: int = key("Bootstrap resamples.", 200, minimum=10)
    processes: int = key("Processes of a training that takes several GPUs at full size.", 2, minimum=1)
    documents: int = key("Documents of every collection of an embedding study.", 8, minimum=2)
    not_rehearsed: tuple[str, ...] = key("What of the study is done otherwise; filled in, one sentence each.", [])
