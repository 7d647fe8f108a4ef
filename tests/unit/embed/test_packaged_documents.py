from wheels import make_wheel, only_from

from judgemerge.core import files
from judgemerge.embed import Chunk, asking, documents, packaged_documents
from judgemerge.settings.models import Package

SOURCE = '''"""Roads and maps."""

def shortest(a, b):
    """Return the shortest road.

    It is found by walking all of them,
        one after the other.
    """

class Map:
    """A map of roads.

    Roads may be added.
    """

    def add(self):
        """Add a road.

        Both ends have to be there."""

    def _hidden(self):
        """Nobody reads this.

        Really."""
'''


def test_docstrings_are_read_without_running_the_file():
    found = dict(packaged_documents.docstrings(SOURCE + "\nraise SystemExit\n"))
    assert list(found) == ["module", "shortest", "Map", "Map.add"]
    assert found["shortest"] == (
        "Return the shortest road.\n\nIt is found by walking all of them,\n    one after the other."
    )
    assert not list(packaged_documents.docstrings("print 'Python 2'"))


def test_the_texts_of_a_package_become_a_flat_folder(tmp_path, monkeypatch):
    contents = {
        "roads/a.py": SOURCE.encode(),
        "roads/sub/guide.md": b"# Guide\n\nHow to drive.",
        "roads/a.so": b"\x00",
        "other/b.py": SOURCE.encode(),
    }
    checksum = make_wheel(tmp_path / "wheels", "roads", contents)
    only_from(tmp_path / "wheels", monkeypatch)
    package = Package.of({"name": "roads", "version": "1.0", "file": "roads", "sha256": checksum})
    packaged_documents.write_collection(package, "here", tmp_path / "folder")
    names = sorted(path.name for path in (tmp_path / "folder").iterdir())
    assert names == [
        ".credits.json", "a.Map.add.txt", "a.Map.txt", "a.module.txt", "a.shortest.txt", "sub.guide.md",
    ]  # fmt: skip
    assert files.read_json(tmp_path / "folder" / ".credits.json")["licence"] == "MIT"


def test_openings_are_questions_on_what_follows_them():
    texts = [
        ("one", "## Return the shortest\nroad.\n\nBy walking.\n\nAll of them."),
        ("two", "A title alone."),
        ("three", "Return the shortest road.\n\nThe same opening says not which is meant."),
    ]
    rests, openings = documents.without_openings(texts)
    assert rests == [("one", "By walking.\n\nAll of them.")] and openings == {"one": "Return the shortest road."}
    chunks, _ = documents.chunks_of(rests, 15, 0, "en", openings)
    pairs, missing = asking.questions_of(chunks, chunks, 3, None, "no store", "seed")
    assert [(pair.anchor, pair.positive) for pair in pairs] == [("Return the shortest road.", "By walking.")]
    assert missing == {} and len(chunks) == 2


def test_a_chunk_without_opening_is_the_row_that_it_always_was():
    assert Chunk("a/0", "a", 0, "text", "en").row() == {
        "id": "a/0", "document": "a", "position": 0, "text": "text", "language": "en",
    }  # fmt: skip
    assert Chunk("a/0", "a", 0, "text", "en", "why").row()["opening"] == "why"
