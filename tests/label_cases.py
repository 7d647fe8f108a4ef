"""Items of which every name would tell people what they must not know while they label."""

from judgemerge.core.items import Item, Vote

MODELS = ("secretive-7b", "hidden-70b")


def item(number, protocol="pairwise", **more):
    """Return an item whose every name would tell something that people must not know."""
    responses = ((f"left {number}",), (f"right {number}",))[: 2 if protocol == "pairwise" else 1]
    truth = "first" if protocol == "pairwise" else 3.0
    return Item(
        id=f"i{number}/{MODELS[0]}", benchmark="set", protocol=protocol, turns=(f"question {number}",),
        responses=responses, truth=truth, cluster=f"cluster-{number}", origin={"source": "leaky.csv", "row": number},
        votes=(Vote("earlier-annotator", truth),), models=MODELS[: len(responses)], category="telling-category",
        **({"extra": {"hidden": "telling-extra"}} | more),
    )  # fmt: skip
