"""The picture of README.md is that of the rows recorded beside it."""

import csv

import draw_picture


def test_the_picture_is_up_to_date_with_the_recorded_rows(tmp_path):
    draw_picture.draw(draw_picture.RECORDED, tmp_path / "again.svg")
    is_same = (tmp_path / "again.svg").read_bytes() == draw_picture.PICTURE.read_bytes()
    assert is_same, "docs/images/people_and_judges.svg is of other rows; run .venv/bin/python tools/draw_picture.py"


def test_every_row_is_in_the_picture_with_its_value():
    text = draw_picture.PICTURE.read_text(encoding="utf-8")
    with open(draw_picture.RECORDED, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["benchmark"] for row in rows} == draw_picture.BENCHMARKS.keys()
    assert {row["rater"] for row in rows} == draw_picture.LABELS.keys()
    for row in rows:
        assert f">{float(row['value']):.2f}</text>" in text and draw_picture.LABELS[row["rater"]] in text
    assert len(text) < 60_000
