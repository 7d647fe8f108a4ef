"""What tests of the report share: figures by name, and tables made in a folder as their rules make them."""

from judgemerge.report import making
from judgemerge.report.tables import TABLES

FIGURES = {name: figure.draw for module in TABLES.load_all() for name, figure in module.TABLE.figures.items()}
MODULES = {name: module for module, name in ((each, each.__name__.rpartition(".")[2]) for each in TABLES.load_all())}


def draw_files(name, table, kinds, panels, svg, png, **more):
    """Write one figure from the file of its table."""
    module = next(module for module, part in MODULES.items() if name in part.TABLE.figures)
    making.draw(module, name, table, kinds, panels, svg, png, **more)


def make(module, folder, suites, parameters, labels=(), page_parameters=None):
    """Write the table and the page of a module below a folder, which is the working directory; return both paths."""
    table, page = (folder / "results" / "mine" / "tables" / f"{module}.{kind}" for kind in ("csv", "html"))
    table.parent.mkdir(parents=True, exist_ok=True)
    making.make_table(module, "mine", suites, parameters, str(table))
    making.render(module, module, str(table), "mine", suites, dict(labels), 0.95, page_parameters or {}, str(page))
    return table, page


def page_of(module, name, table, page, **parameters):
    """Write the page of a table, which lies where the study `mine` has its tables; return its text."""
    making.render(module, name, str(table), "mine", {}, {}, 0.95, parameters, str(page))
    return page.read_text(encoding="utf-8")
