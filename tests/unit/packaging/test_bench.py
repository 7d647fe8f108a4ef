"""`make bench` takes an hour: a section that fails costs none of the others."""

import importlib.util
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[3] / "benchmarks/bench.py"


def test_the_others_run_and_the_page_keeps_what_it_said(tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("bench", BENCH)
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    (tmp_path / "bad.py").write_text("raise OSError('no space left')")
    (tmp_path / "good.py").write_text("print('| new |')")
    page = tmp_path / "page.md"
    page.write_text("# Bad\n\nas it was\n\n# Good\n\nold\n")
    monkeypatch.setattr(bench, "HERE", tmp_path)
    monkeypatch.setattr(bench, "PAGE", page)
    scripts = {"Bad": [str(tmp_path / "bad.py")], "Good": [str(tmp_path / "good.py")]}
    monkeypatch.setattr(bench, "sections", lambda options, folder: scripts)
    monkeypatch.setattr(sys, "argv", ["bench.py"])
    with pytest.raises(SystemExit, match="1 of the sections failed.*--only Bad"):
        bench.main()
    assert "no space left" in capsys.readouterr().err
    text = page.read_text()
    assert "# Bad\n\nas it was\n" in text and "| new |" in text and "old" not in text
