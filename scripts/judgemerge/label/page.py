"""The page of labelling: one document with its script and style inside, made of `web/` and of the explorer's libraries.

It holds nothing of the study: texts come from the desk, one item at a time.
"""

from pathlib import Path
from string import Template
from typing import NamedTuple

from judgemerge.report import explorer

WEB = Path(__file__).with_name("web")
LIBRARIES = ("preact",)
WIDGETS = "widgets.js"


class Page(NamedTuple):
    """The document, and the rules that a browser keeps: this script, this style, this server, and nothing else."""

    html: bytes
    policy: str

    @classmethod
    def of(cls) -> "Page":
        """Return the page as its parts are now."""
        libraries = [one for one in explorer.libraries() if one["name"] in LIBRARIES]
        scripts = [explorer.script_text(path) for path in (explorer.WEB / WIDGETS, WEB / "label.js")]
        script = "\n".join([*map(explorer.library_text, libraries), *scripts])
        style = "\n".join(path.read_text("utf-8") for path in (explorer.WEB / explorer.STYLE, WEB / "label.css"))
        html = Template((WEB / "label.html").read_text("utf-8")).substitute(style=style, script=script)
        return cls(html.encode(), f"{explorer.policy(script, style)}; connect-src 'self'; frame-ancestors 'none'")
