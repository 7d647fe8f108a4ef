"""Values as text that is safe inside of a page's script: Snakemake's report shows the parameters of its jobs there.

It writes them as JSON into a <script> and escapes nothing, so that a description with `</script>` would end that, and
what follows would run. Parameters with texts of a study are therefore packed where a job's results are in the report.
"""

import json
from typing import Any


def packed(value: Any) -> str:
    """Return plain values as JSON without a character that HTML minds."""
    text = json.dumps(value)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def unpacked(text: str) -> Any:
    """Return the values again; tuples have become lists."""
    return json.loads(text)
