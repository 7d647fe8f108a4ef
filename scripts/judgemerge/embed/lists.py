"""What a language model lists in a reply, without the talk around it: lead-ins, headings, answers, closing words.

Numbered lines are the list where there are some, else lines with bullets, else every line that is no talk. Nothing is
cut: a caller that wants fewer takes the first ones.
"""

import json
import re

_CHINESE, _CIRCLED, _LETTERS = "一二三四五六七八九十", "①②③④⑤⑥⑦⑧⑨⑩⑴⑵⑶⑷⑸⑹⑺⑻⑼⑽", "abcdefghij"
_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGITS = rf"(?:\d{{1,2}}|[{_CHINESE}]{{1,3}}|[{_CIRCLED}])"
_WORD = r"(?:q|question|query|frage|pregunta|domanda|vraag|问题|提问|問題|质问|質問|问|題|题|질문)"
_END = r"(?:[)）\]】:：、．]|\.(?!\d)|[-–—](?=\s))"
# "1." "2)" "(3)" "b)" "四、" "第5题：" "Q6:" "Question #7" "问题八："; a number before a digit ("3.5 mm") is no label.
_NUMBER = re.compile(
    rf"\s*(?:#+\s*)?(?:"
    rf"[（(\[【]?\s*{_WORD}\s*#?\s*(?P<after>{_DIGITS}|{'|'.join(_WORDS)})(?:\s*{_END}|\s+|$)"
    rf"|(?:第\s*)?[（(\[【]?\s*(?P<number>{_DIGITS})\s*个?{_WORD}?\s*(?:{_END}|(?<=[{_CIRCLED}]))"
    rf"|[（(]?(?P<letter>[a-j])[)）]"
    rf"|{_WORD}\s*[:：])(?!\d)\s*",
    re.IGNORECASE,
)
_LABEL = re.compile(rf"\s*{_WORD}\s*\d{{0,2}}\s*[:：]\s*", re.IGNORECASE)
_BARE_LABEL = re.compile(rf"\W*(?:第\s*)?{_WORD}?\s*#?\s*(?:{_DIGITS})?\s*个?{_WORD}?\W*", re.IGNORECASE)
_BULLET = re.compile(r"^\s*[-*+•·–▪●◦○■]\s+")
_INLINE = re.compile(
    rf"\s+(?=\(?[2-9]\s*[.)]\s)|(?<=[?？])\s*(?=[2-9]\s*[.)、．])|\s*(?<![问問])(?={_WORD}\s*[2-9]\s*[.:：)])",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"\**(?:a|answer|antwort|respuesta|答案?|回答|答え)\s*\d{0,2}\s*\**\s*[:：]", re.IGNORECASE)
_TALK = re.compile(
    r"(?:sure|certainly|of course|absolutely|great|okay|ok|here(?:'s| is| are)|below (?:is|are)|these are|"
    r"these questions|the following|i hope|i have|i've|let me know|feel free|please|note\b|based on|"
    r"好的|当然|以下|下面|这里|這裡|这是|希望|请|請|根据|根據|如果您?|如需|注[：:意])",
    re.IGNORECASE,
)
_QUESTION_END = re.compile(r"[?？؟]\W*$")
_SENTENCE_END = re.compile(r"[.!。！]\W*$")
# "Вопрос 1:", "السؤال 2:", "II. ", "b. "
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
_PLACES = tuple(map(str, range(1, 100)))
_OTHER_LABEL = re.compile(
    r"^[ \t>+|]*(?:(?P<word>[^\W\d_]{2,12})[ ]*(?:n[.°º][ ]*|#[ ]*)?(?P<place>[1-9]\d?)[ ]*[:：]\s*"
    r"|(?P<sign>[ivx]{1,4}|[IVX]{1,4}|[a-j])\.[ ]+|(?P<bare>[1-9]\d?)[ ]+(?=[^\W\d]))(?=\S)",
    re.MULTILINE,
)
# <question>…</question>, the quotation mark of Markdown, and the bars of a table's row
_TAG = re.compile(
    r"</?(?:questions?|q|query|li|ol|ul|item)(?:\s[^<>]*)?>"
    r"|^[ \t]*(?:>+|\|(?:[ \t]*\d{1,2}[ \t]*\|)?)[ \t]*|[ \t]*\|[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_ORDER = {
    sign: place
    for signs in (_CHINESE, _CIRCLED[:10], _CIRCLED[10:], _LETTERS, _WORDS)
    for place, sign in enumerate(signs, 1)
}


def without_thoughts(reply: str) -> str:
    """Return what follows a model's reasoning; nothing of a reply whose reasoning was never closed."""
    _, closed, after = reply.rpartition("</think>")
    if closed:
        return after
    return reply.partition("<think>")[0]


def entries(reply: str) -> tuple[list[str], int]:
    """Return the listed texts of a reply in their order, each once, and how many other lines were left out."""
    text = without_thoughts(reply).strip()
    if listed := _json_list(text):
        return list(dict.fromkeys(listed)), 0
    lines = [_bare(line) for line in _relabelled(_TAG.sub("", text)).splitlines() if any(map(str.isalpha, line))]
    labels = sum(bool(_BARE_LABEL.fullmatch(line)) for line in lines)
    lines = [line for line in lines if not _BARE_LABEL.fullmatch(line)]
    if len(lines) == 1 and _number(lines[0]) == 1:
        lines = _INLINE.split(lines[0])
    listed_lines = _numbered(lines) or _bulleted(lines) or _plain(lines)
    n_repeats = len(listed_lines) - len(dict.fromkeys(listed_lines))
    return list(dict.fromkeys(listed_lines)), labels + len(lines) - len(listed_lines) + n_repeats


def _relabelled(text: str) -> str:
    """Return the text with plain numbers for labels that count 1, 2, …: a word of any language, Roman, letters."""
    matches = list(_OTHER_LABEL.finditer(text))
    signs = [match["place"] or match["bare"] or match["sign"].lower() for match in matches]
    one_word = len({(match["word"] or "").lower() for match in matches}) == 1
    counts = any([*row[: len(signs)]] == signs for row in (_PLACES, _ROMAN, _LETTERS))
    if len(signs) < 2 or not (one_word and counts):
        return text
    places = iter(range(1, len(signs) + 1))
    return _OTHER_LABEL.sub(lambda match: f"{next(places)}. ", text)


def _bare(line: str) -> str:
    """Return a line without the marks of Markdown for bold type and for full stops that begin no list."""
    return re.sub(r"\\([.)])", r"\1", line.replace("**", "").replace("__", "")).strip()


def _json_list(text: str) -> list[str] | None:
    """Return the texts of a reply that is a JSON list of them, in a block of code or not."""
    block = re.search(r"```\w*\s*([\[{].*?[\]}])\s*```", text, re.DOTALL)
    text = block[1] if block else text
    try:
        content = json.loads(text) if text.startswith(("[", "{")) else None
    except ValueError:
        return None
    if isinstance(content, dict):
        content = next(iter(content.values())) if len(content) == 1 else list(content.values())
    if isinstance(content, list):
        content = [_of_object(entry) for entry in content]
    is_list = isinstance(content, list) and content and all(isinstance(entry, str) for entry in content)
    return [entry.strip() for entry in content] if is_list else None


def _of_object(entry):
    """Return the question in an object of a JSON list: its only text, or that of a key which says so."""
    if not isinstance(entry, dict):
        return entry
    named = [value for key, value in entry.items() if key.lower() in ("question", "query", "q", "问题", "text")]
    texts = [value for value in entry.values() if isinstance(value, str)]
    return (named or texts)[0] if named or len(texts) == 1 else None


def _number(line: str) -> int | None:
    """Return the number that a line begins with; 0 for a word like "Question:" without one, None for neither."""
    match = _NUMBER.match(_BULLET.sub("", line, count=1))
    if not match:
        return None
    sign = match["after"] or match["number"] or match["letter"]
    if sign is None:
        return 0
    return _ORDER.get(sign.lower()) or (int(sign) if sign.isdigit() else 11)


def _numbered(lines: list[str]) -> list[str]:
    """Return the numbered lines without their numbers; none where the numbers do not begin a list (0, 1, no number)."""
    numbered_lines = [(number, line) for line in lines if (number := _number(line)) is not None]
    if not numbered_lines or numbered_lines[0][0] > 1:
        return []
    if (
        len(numbered_lines) == 1
        and _NUMBER.match(_BULLET.sub("", numbered_lines[0][1], count=1)).group().strip()[-1].isalnum()
    ):
        return []  # "Q1 revenue?" is a question about a quarter
    texts = (_NUMBER.sub("", _BULLET.sub("", line, count=1), count=1) for _, line in numbered_lines)
    return _cleaned(_LABEL.sub("", text, count=1) if _LABEL.match(text) else text for text in texts)


def _bulleted(lines: list[str]) -> list[str]:
    return _cleaned(_BULLET.sub("", line, count=1) for line in lines if _BULLET.match(line))


def _plain(lines: list[str]) -> list[str]:
    def is_talk(line: str) -> bool:
        return line.startswith(("#", "```")) or bool(_ANSWER.match(line) or _TALK.match(line))

    questions = [line for line in lines if _QUESTION_END.search(line) or not is_talk(line)]
    # A sentence before or after a list of questions alone, in whatever language, announces or closes it.
    for place in (0, -1):
        others = questions[1:] if place == 0 else questions[:-1]
        if len(others) > 1 and all(map(_QUESTION_END.search, others)) and _SENTENCE_END.search(questions[place]):
            questions = others
    return _cleaned(questions)


def _cleaned(lines) -> list[str]:
    """Return the lines without quotation marks around them; those that announce something are left out."""
    plain = (unquoted(line) for line in lines)
    return [line for line in plain if any(letter.isalpha() for letter in line) and not line.endswith((":", "："))]


def unquoted(line: str) -> str:
    """Return a line without quotation marks that stand around the whole of it."""
    line = line.strip()
    for opening, closing in ('""', "''", "“”", "‘’", "«»", "「」", "『』", "„“"):
        if len(line) > 2 and line[0] == opening and line[-1] == closing and opening not in line[1:-1]:
            return line[1:-1].strip()
    return line
