"""The request of Prometheus (Kim et al. 2024, arXiv:2405.01535) taken apart into what it is made of, and put together.

A request has a heading `###…` per section, in this order; the reference answer may be missing. The rubric is a
criterion in brackets and one line per score, `Score 1: …` to `Score 5: …`.
"""

import re
from dataclasses import dataclass

HEADINGS = {
    "instruction": "###The instruction to evaluate:\n",
    "response": "###Response to evaluate:\n",
    "reference": "###Reference Answer (Score 5):\n",
    "rubric": "###Score Rubrics:\n",
    "end": "###Feedback:",
}
SCORES = (1, 2, 3, 4, 5)
_GAP = "\n\n"  # between a section and the next heading
_RUBRIC = re.compile(
    r"\[(?P<criterion>.*)\]\n" + r"\n".join(rf"Score {score}: (?P<score{score}>.*)" for score in SCORES), re.DOTALL
)


@dataclass(frozen=True)
class RubricPrompt:
    """A request in parts; `task` is all before the instruction, `ending` all after the heading of the feedback."""

    task: str
    instruction: str
    response: str
    reference: str | None
    criterion: str
    scores: tuple[str, ...]
    ending: str

    @property
    def rubric(self) -> str:
        """The rubric as the request shows it: the criterion in brackets, then a line per score."""
        return rubric_text(self.criterion, self.scores)


def rubric_text(criterion: str, scores: tuple[str, ...]) -> str:
    """Return a rubric in the form of Prometheus: the criterion in brackets, then a line per score."""
    lines = [f"Score {score}: {text}" for score, text in zip(SCORES, scores, strict=True)]
    return "\n".join([f"[{criterion}]", *lines])


def split(text: str) -> RubricPrompt:
    """Return the parts of a request; `join` gives the same text back.

    Raises ValueError, saying which heading is missing, occurs twice or stands in the wrong place, or that the rubric is
    no criterion with five scores.
    """
    places = {}
    for name, heading in HEADINGS.items():
        if text.count(heading) > 1 or (heading not in text and name != "reference"):
            times = "twice" if heading in text else "nowhere"
            raise ValueError(f"has the heading '{heading.strip()}' {times}")
        if heading in text:
            places[name] = text.index(heading)
    if list(places.values()) != sorted(places.values()):
        raise ValueError("has its headings in another order")
    parts = {}
    for name, following in zip(places, [*list(places)[1:], None], strict=True):
        part = text[places[name] + len(HEADINGS[name]) : places[following] if following else None]
        if following and not part.endswith(_GAP):
            raise ValueError(f"has no empty line before the heading '{HEADINGS[following].strip()}'")
        parts[name] = part.removesuffix(_GAP) if following else part
    rubric = _RUBRIC.fullmatch(parts["rubric"])
    if rubric is None:
        raise ValueError("has a rubric that is no criterion in brackets with the lines 'Score 1:' to 'Score 5:'")
    return RubricPrompt(
        task=text[: places["instruction"]],
        instruction=parts["instruction"],
        response=parts["response"],
        reference=parts.get("reference"),
        criterion=rubric["criterion"],
        scores=tuple(rubric[f"score{score}"] for score in SCORES),
        ending=parts["end"],
    )


def join(prompt: RubricPrompt) -> str:
    """Return the request that `split` took apart, character by character."""
    reference = "" if prompt.reference is None else HEADINGS["reference"] + prompt.reference + _GAP
    return (
        prompt.task
        + f"{HEADINGS['instruction']}{prompt.instruction}{_GAP}"
        + f"{HEADINGS['response']}{prompt.response}{_GAP}"
        + reference
        + f"{HEADINGS['rubric']}{prompt.rubric}{_GAP}"
        + HEADINGS["end"]
        + prompt.ending
    )
