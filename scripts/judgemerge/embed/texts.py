"""Languages, words and sentences of a text, for BM25 and the question maker. Plain rules, no models."""

import re

# Scripts without spaces between words; their terms are pairs of neighbouring characters, as in Lucene's CJK analyzer.
_HAN, _KANA, _HANGUL = r"\u3400-\u4dbf\u4e00-\u9fff", r"\u3040-\u30ff", r"\uac00-\ud7af"
_UNSPACED = re.compile(f"[{_HAN}{_KANA}]+")
_WORD = re.compile(rf"[^\W_{_HAN}{_KANA}]+(?:['’.\-][^\W_{_HAN}{_KANA}]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=\S)|(?<=[。！？])|\n\s*\n")
LANGUAGES = ("da", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "no", "pt", "ru", "sv", "tr", "zh")
_STOPWORDS = {
    "da": "DANISH", "de": "GERMAN", "en": "EN_PLUS", "es": "SPANISH", "fr": "FRENCH", "it": "ITALIAN", "ko": "KOREAN",
    "nl": "DUTCH", "no": "NORWEGIAN", "pt": "PORTUGUESE", "ru": "RUSSIAN", "sv": "SWEDISH", "tr": "TURKISH",
    "zh": "CHINESE",
}  # fmt: skip


def language_of(text: str, latin: str = "en") -> str:
    """Return `ja`, `zh`, `ko` or `ru` where a third of the letters are of that script, else `latin`.

    Languages in Latin letters are not told apart; the study says which one it is.
    """
    letters = [letter for letter in text if letter.isalpha()]
    if not letters:
        return latin
    joined = "".join(letters)

    def share(script: str) -> float:
        return len(re.findall(f"[{script}]", joined)) / len(letters)

    if share(_HAN) + share(_KANA) > 1 / 3:
        return "ja" if share(_KANA) > 0.05 else "zh"
    if share(_HANGUL) > 1 / 3:
        return "ko"
    return "ru" if share(r"\u0400-\u04ff") > 1 / 3 else latin


def stopwords(language: str) -> frozenset[str]:
    """Return the words of a language that say nothing alone (lists of bm25s); none where there is no list."""
    from bm25s import stopwords as lists

    name = _STOPWORDS.get(language)
    return frozenset(getattr(lists, f"STOPWORDS_{name}")) if name else frozenset()


def terms(text: str, language: str) -> list[str]:
    """Return the search terms of a text in order: words in lower case without stop words, in Chinese and Japanese
    pairs of neighbouring characters (a single character stands for itself)."""
    stop = stopwords(language)
    groups = [(match.start(), [match.group().lower()]) for match in _WORD.finditer(text)]
    for match in _UNSPACED.finditer(text):
        run = match.group()
        groups.append((match.start(), [run[start : start + 2] for start in range(max(1, len(run) - 1))]))
    return [term for _, group in sorted(groups) for term in group if term not in stop]


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, ends of paragraphs being ends of sentences, too."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part and part.strip()]


def folded(text: str) -> str:
    """Return a text in which capitals and blanks tell nothing apart."""
    return " ".join(text.casefold().split())
