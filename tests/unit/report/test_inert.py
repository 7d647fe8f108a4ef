from judgemerge.report.inert import packed, unpacked


def test_values_come_back_and_no_text_of_them_is_markup():
    values = {"description": "</script><img onerror=alert(1)>", "labels": {"a": "R&D"}, "figures": [["x", 1, None]]}
    text = packed(values)
    assert not set(text) & set("<>&")
    assert unpacked(text) == values
