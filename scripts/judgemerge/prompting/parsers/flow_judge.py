"""Flow-Judge's form: tags around feedback and score."""

import re

from judgemerge.prompting.parsers import SCALE, Reading, ReplySettings, reply_format
from judgemerge.prompting.parsers._forms import all_alike, nothing, number_pattern, numbers_in


@reply_format(SCALE, whole=True)
def score_tag(text: str, settings: ReplySettings) -> Reading:
    """Read `<score>n</score>` after the feedback, as in Flow-Judge (`<feedback>…</feedback><score>n</score>`).

    Tags within the feedback are prose; without a feedback the whole reply counts. The number must be whole and the tag
    closed: a rubric describes nothing between its scores, and a reply that was cut may have been about to say 10.
    """
    rest = after_feedback(text)
    if re.search(r"<feedback>", rest, re.IGNORECASE):
        return nothing(settings)
    number = number_pattern(settings, whole=True)
    return all_alike(numbers_in(rf"<score[ \t]*>\s*+(?:{number}|[^<>]{{0,40}})\s*</score>", rest), rest, settings)


def after_feedback(reply: str) -> str:
    """Return what follows the last `</feedback>`; the whole reply where there is none."""
    ends = [match.end() for match in re.finditer(r"</feedback>", reply, re.IGNORECASE)]
    return reply[ends[-1] :] if ends else reply
