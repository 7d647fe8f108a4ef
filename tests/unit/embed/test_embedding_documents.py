"""Documents → chunks: loaders, odd files, splitting, duplicates; languages, terms and sentences."""

import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgemerge.core.errors import JudgemergeError
from judgemerge.embed import Chunk, documents, texts
from judgemerge.synthetic import made_documents


def read(folder, **settings):
    found = list(documents.read_folder(folder, **{"max_megabytes": 1, **settings}))
    return {name: text for name, text, _ in found}, {problem.file: problem for *_, said in found for problem in said}


@pytest.fixture
def folder(tmp_path):
    """Return a folder with one file of every kind that is read."""
    import docx

    (tmp_path / "plain.txt").write_text("First line.\r\nSecond line.", encoding="utf-8")
    (tmp_path / "notes.md").write_text("# Title\n\nBody.", encoding="utf-8")
    (tmp_path / "page.html").write_text(
        "<html><head><title>no</title><style>p{}</style></head><body><h1>Head</h1><p>One<br>two</p>"
        "<script>no()</script><div>Three <b>four</b></div></body></html>"
    )
    word = docx.Document()
    word.add_paragraph("A paragraph.")
    table = word.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
    word.add_paragraph("The end.")
    word.save(tmp_path / "report.docx")
    (tmp_path / "sheet.pdf").write_bytes(one_page_pdf("Hello from a page"))
    return tmp_path


def one_page_pdf(text):
    """Return the smallest PDF with a line of text."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    content, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(content)
    content += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    content += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return content + b"trailer << /Root 1 0 R /Size %d >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)


def test_every_kind_of_document_is_read(folder):
    found, problems = read(folder)
    assert problems == {}
    assert found["plain.txt"] == "First line.\nSecond line."
    assert found["notes.md"] == "# Title\n\nBody."
    assert [part for part in found["page.html"].split("\n") if part] == ["Head", "One", "two", "Three four"]
    assert found["report.docx"] == "A paragraph.\n\nleft | right\n\nThe end."
    assert found["sheet.pdf"] == "Hello from a page"


def test_a_bad_file_is_named_and_stops_no_other(folder):
    (folder / "big.txt").write_text("x" * 2_000_000)
    (folder / "broken.docx").write_bytes(b"PK not a zip")
    with zipfile.ZipFile(folder / "empty.docx", "w") as archive:
        archive.writestr("other.xml", "<a/>")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (folder / "blank.txt").write_text("  \n ")
    (folder / "binary.txt").write_bytes(b"\x00\x01\x02text")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / ".hidden").write_text("not looked at")
    (folder / "sub").mkdir()
    found, problems = read(folder)
    assert sum(text is not None for text in found.values()) == 5
    assert set(problems) == {
        "big.txt", "broken.docx", "empty.docx", "broken.pdf", "blank.txt", "binary.txt", "picture.png",
    }  # fmt: skip
    assert all(problem.left_out for problem in problems.values())
    assert "2.0 MB" in problems["big.txt"].problem and "max_megabytes" in problems["big.txt"].problem
    assert ".png" in problems["picture.png"].problem and "no text" in problems["blank.txt"].problem


@pytest.mark.parametrize(
    ("text", "written_as", "read_as"),
    [
        ("Größe über alles", "utf-8", "utf-8"),
        ("Größe über alles", "utf-8-sig", "utf-8"),
        ("Größe über alles", "utf-16", "utf-16"),
        ("Größe – “quoted”", "cp1252", "cp1252"),
        ("文档的标题和正文，足够长的一句话。", "gb18030", "gb18030"),
    ],
)
def test_odd_encodings_are_read_and_reported(tmp_path, text, written_as, read_as):
    (tmp_path / "odd.txt").write_bytes(text.encode(written_as))
    found, problems = read(tmp_path)
    assert found["odd.txt"] == text
    assert (read_as in problems["odd.txt"].problem) if read_as not in ("utf-8", "utf-16") else problems == {}
    assert not any(problem.left_out for problem in problems.values())


def test_bytes_that_are_nothing_are_latin_1():
    assert documents.decode(b"\x81\x8d plain") == ("\x81\x8d plain", "latin-1")


def test_splitting_by_hand():
    assert documents.split("aa bb cc dd", 6, 0) == ["aa bb", "cc dd"]
    assert documents.split("aa bb cc dd", 6, 3) == ["aa bb", "bb cc", "cc dd"]
    assert documents.split("one\n\ntwo", 100, 10) == ["one\n\ntwo"]
    assert documents.split("one\n\ntwo", 5, 0) == ["one", "two"]
    assert documents.split("abcdefgh", 3, 1) == ["abc", "cde", "efg", "gh"]
    assert documents.split("一二三。四五六。", 4, 0) == ["一二三。", "四五六。"]


@given(st.text(alphabet="ab .\n。", max_size=300), st.integers(5, 40), st.integers(0, 4))
def test_no_piece_is_too_long_and_nothing_is_lost(text, size, overlap):
    pieces = documents.split(text, size, overlap)
    assert all(0 < len(piece) <= size for piece in pieces)
    # Without overlap the pieces are the text, cut; with overlap each begins with an end of the one before.
    if overlap == 0:
        assert "".join("".join(pieces).split()) == "".join(text.split())
    assert set("".join(pieces)) - set(" \n") == set(text) - set(" \n")


def test_pieces_are_about_those_of_langchain():
    splitters = pytest.importorskip("langchain_text_splitters", reason="compares with langchain-text-splitters")
    text = made_documents.texts("workshop", 1, 3)[0]
    other = splitters.RecursiveCharacterTextSplitter(
        chunk_size=750, chunk_overlap=150, separators=list(documents.SEPARATORS), keep_separator="end"
    )
    ours, theirs = documents.split(text, 750, 150), other.split_text(text)
    assert ours == theirs


def test_exact_duplicates_are_dropped_and_counted():
    found, n_duplicates = documents.chunks_of([("a", "same text"), ("b", "same text"), ("c", "other")], 100, 10, "en")
    assert [chunk.id for chunk in found] == ["a/0", "c/0"] and n_duplicates == 1
    assert found[0] == Chunk("a/0", "a", 0, "same text", "en")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("An English text.", "en"),
        ("这是一个中文文档，包含 GPU 这个词。", "zh"),
        ("これは日本語の文書です。", "ja"),
        ("이것은 한국어 문서입니다.", "ko"),
        ("Это русский текст.", "ru"),
        ("123 !?", "en"),
    ],
)
def test_languages(text, language):
    assert texts.language_of(text) == language


def test_latin_languages_are_what_the_study_says():
    assert texts.language_of("Ein deutscher Text.", "de") == "de"


def test_terms():
    assert texts.terms("The KX-20's spindle is not worn.", "en") == ["kx-20's", "spindle", "worn"]
    assert texts.terms("Der Hund und die Katze", "de") == ["hund", "katze"]
    assert texts.terms("润滑油用于GPU", "zh")[-1] == "gpu"
    assert "润滑" in texts.terms("润滑油", "zh") and "滑油" in texts.terms("润滑油", "zh")
    assert texts.terms("... !", "en") == []


def test_sentences():
    assert texts.sentences("One. Two! Three?\n\nFour") == ["One.", "Two!", "Three?", "Four"]
    assert texts.sentences("一。二！") == ["一。", "二！"]


def test_made_documents_are_the_same_again_and_domains_share_few_words():
    first = made_documents.files_of("workshop", 4, 7)
    assert first == made_documents.files_of("workshop", 4, 7) != made_documents.files_of("workshop", 4, 8)
    assert [name.rpartition(".")[2] for name in first] == ["txt", "md", "html", "txt"]
    shared = ("why", "when", "amount", "unit")  # millimetres are everywhere
    words = {
        domain: {word for name, slot in rules.slots.items() if name not in shared for word in slot}
        for domain, rules in made_documents.DOMAINS.items()
    }
    assert not words["workshop"] & set().union(*(words[name] for name in words if name != "workshop"))


def test_an_unknown_domain_is_named():
    with pytest.raises(JudgemergeError, match="did you mean 'kitchen'"):
        made_documents.document("kitchn", 0, 0)


def test_placeholders_are_all_filled():
    for domain in made_documents.DOMAINS:
        assert not any("{" in text or "}" in text for text in made_documents.texts(domain, 20, 1))
