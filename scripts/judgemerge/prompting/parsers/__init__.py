"""Reply formats: how a verdict is read in what a judge wrote. One decorated function in a module here is a format.

    @reply_format(LABELS)
    def verdict_line(text: str, settings: ReplySettings) -> Reading:

A format takes the answer in a reply and the template's `reply` settings, and is named by its function. Those of pairs
return `first`, `second` or `tie` *as shown to the judge*, those of grades a number. `_forms` has what they share.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from judgemerge.core.items import CLASSES
from judgemerge.core.probabilities import Probabilities
from judgemerge.core.registry import Modules, Parts

LIKELIEST, EXPECTED = "likeliest", "expected"  # which grade counts where all of them have probabilities


@dataclass(frozen=True)
class ReplySettings:
    """What a template says of replies (`reply`): their format, the label of each outcome or the ends of the scale, and
    which grade counts where each has a probability."""

    format: str
    first: str | int | None = None
    second: str | int | None = None
    tie: str | int | None = None
    minimum: float | None = None
    maximum: float | None = None
    grade: str = LIKELIEST

    @cached_property
    def labels(self) -> dict[str, str]:
        """Outcome → label, of those that have one."""
        labels = {outcome: getattr(self, outcome) for outcome in CLASSES}
        return {outcome: str(label) for outcome, label in labels.items() if label is not None}


@dataclass(frozen=True)
class Reading:
    """What a format makes of an answer: exactly one of value and reason, the words that it was read from, whether these
    would stand whatever was written after them, and how likely each answer is, where the reply says so."""

    value: str | float | None = None
    reason: str | None = None
    raw: str | None = None
    closed: bool = False
    probabilities: Probabilities | None = None


@dataclass(frozen=True)
class Keys:
    """The protocol that a format serves, and the keys beside `format` that a template's `reply` must and may have."""

    protocol: str
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()


LABELS = Keys("pairwise", frozenset({"first", "second"}), frozenset({"tie"}))
SCALE = Keys("pointwise", frozenset({"minimum", "maximum"}))
WEIGHED_SCALE = Keys("pointwise", frozenset({"minimum", "maximum"}), frozenset({"grade"}))
UNNAMED = Keys("pairwise")  # nothing is written that could have a label


@dataclass(frozen=True)
class Format:
    """A reply format: its parser, its keys and the judging mode; `whole` ones read whole numbers alone."""

    parse: Callable[[str, ReplySettings], Reading]
    keys: Keys
    mode: str = "generate"
    whole: bool = False


FORMATS: Parts[Format] = Parts("reply format", Modules(__name__, "family of reply formats"))
Parser = Callable[[str, ReplySettings], Reading]


def reply_format(keys: Keys, mode: str = "generate", whole: bool = False) -> Callable[[Parser], Parser]:
    """Return a decorator that adds a function as the format of its name."""

    def decorate(parse: Parser) -> Parser:
        FORMATS.add(parse.__name__, Format(parse, keys, mode, whole))
        return parse

    return decorate
