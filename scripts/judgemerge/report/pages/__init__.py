"""Tables as small HTML pages for the report: everything is escaped, nothing is loaded from elsewhere.

A page is made of sections, (heading, HTML): one per benchmark. Each table has a module that makes them.
"""

from judgemerge.report.pages import ablation, steadiness
from judgemerge.report.pages.agreement import agreement_sections, prompt_sections
from judgemerge.report.pages.bias import bias_sections
from judgemerge.report.pages.comparisons import comparison_sections
from judgemerge.report.pages.humans import human_sections
from judgemerge.report.pages.markup import frame, page
from judgemerge.report.pages.overlap import overlap_sections
from judgemerge.report.pages.published import published_sections
from judgemerge.report.pages.searches import screening_sections, search_sections
from judgemerge.report.pages.unified import unified_sections

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
