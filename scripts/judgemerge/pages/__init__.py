"""Tables as small HTML pages for the report: everything is escaped, nothing is loaded from elsewhere.

A page is made of sections, (heading, HTML): one per benchmark. Each table has a module that makes them.
"""

from judgemerge.pages import ablation, steadiness
from judgemerge.pages.agreement import agreement_sections, prompt_sections
from judgemerge.pages.bias import bias_sections
from judgemerge.pages.comparisons import comparison_sections
from judgemerge.pages.humans import human_sections
from judgemerge.pages.markup import frame, page
from judgemerge.pages.overlap import overlap_sections
from judgemerge.pages.published import published_sections
from judgemerge.pages.searches import screening_sections, search_sections
from judgemerge.pages.unified import unified_sections

__all__ = [
    "ablation",
    "agreement_sections",
    "bias_sections",
    "comparison_sections",
    "frame",
    "human_sections",
    "overlap_sections",
    "page",
    "prompt_sections",
    "published_sections",
    "steadiness",
    "screening_sections",
    "search_sections",
    "unified_sections",
]
