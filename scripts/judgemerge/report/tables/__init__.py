"""The tables of the report: every module of this package is one, as judgemerge/report/table.py says."""

from judgemerge.core.registry import Modules

TABLES = Modules(__name__, "table", needs=("TABLE",))
