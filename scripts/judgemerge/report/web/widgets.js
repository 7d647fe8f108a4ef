/* What every view is drawn with: texts that stay texts, and tables that sort, filter and turn pages (TanStack Table). */
"use strict";

const widgets = (() => {
  const { h, Fragment } = preact;
  const { useMemo, useState } = preactHooks;

  // What would turn the order of letters around, or hide: shown by its number instead.
  const CONTROL = /([\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u200b\u202a-\u202e\u2060\u2066-\u2069\ufeff])/;

  /** Return a foreign text so that every character of it can be seen. */
  function visible(text) {
    const parts = String(text).toWellFormed().split(CONTROL);
    if (parts.length === 1) return parts[0];
    return parts.map((part, number) => {
      if (number % 2 === 0) return part;
      const name = "U+" + part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      return h("mark", { class: "control", key: number }, name);
    });
  }

  /** Return a short foreign text, kept apart from what stands around it. */
  const Short = ({ text }) => h("bdi", { class: String(text).length > 60 ? "long" : "" }, visible(text));

  /** Return a long foreign text in a box that scrolls, with the keyboard too. */
  const Reading = ({ text, label, better }) =>
    h("div", { class: better ? "reading better" : "reading", dir: "auto", tabIndex: 0, role: "region", "aria-label": label },
      visible(text));

  /** Return a number in as many digits as are read. */
  function number(value, form) {
    if (typeof value !== "number") return value;
    if (form?.endsWith("%")) return (100 * value).toFixed(Number(form.slice(1, -1)) || 0) + " %";
    if (value === 0 || (Number.isInteger(value) && !form?.endsWith("f"))) return String(value);
    return Math.abs(value) < 0.0005 ? value.toPrecision(2) : value.toFixed(3);
  }

  // ---- tables ----

  /** Tell whether a cell is what its column is searched for: a part of its text, or a number after < or >. */
  function fits(row, column, query) {
    const value = row.getValue(column);
    const bound = /^\s*([<>]=?)\s*(-?[\d.]+)\s*$/.exec(query);
    if (!bound) return String(value ?? "").toLowerCase().includes(String(query).trim().toLowerCase());
    if (typeof value !== "number") return false;
    const limit = Number(bound[2]);
    return { "<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit }[bound[1]];
  }

  /** Return a TanStack table whose state this component keeps. */
  function useTable(rows, columns, size) {
    const table = useMemo(() => TableCore.createTable({
      data: rows,
      columns,
      state: {},
      onStateChange: () => {},
      renderFallbackValue: null,
      getCoreRowModel: TableCore.getCoreRowModel(),
      getFilteredRowModel: TableCore.getFilteredRowModel(),
      getSortedRowModel: TableCore.getSortedRowModel(),
      getPaginationRowModel: TableCore.getPaginationRowModel(),
      defaultColumn: { filterFn: fits, sortUndefined: "last", sortDescFirst: undefined },
      initialState: { pagination: { pageIndex: 0, pageSize: size } },
      autoResetPageIndex: false,
    }), [rows, columns]);
    const [kept, keep] = useState(() => ({ table, state: table.initialState }));
    const state = kept.table === table ? kept.state : table.initialState;
    table.setOptions((options) => ({
      ...options,
      state,
      onStateChange: (change) => keep((old) => {
        const before = old.table === table ? old.state : table.initialState;
        return { table, state: typeof change === "function" ? change(before) : change };
      }),
    }));
    return table;
  }

  const SORTED = { asc: ["ascending", " ▲"], desc: ["descending", " ▼"] };

  function Head({ header, filters }) {
    const column = header.column;
    const about = column.columnDef.meta ?? {};
    if (header.isPlaceholder) return h("td", { colSpan: header.colSpan });
    if (!column.getCanSort()) {
      return h("th", { colSpan: header.colSpan, scope: header.colSpan > 1 ? "colgroup" : "col", class: header.subHeaders.length ? "group" : "" },
        h(Short, { text: column.columnDef.header }));
    }
    const [order, arrow] = SORTED[column.getIsSorted()] ?? ["none", ""];
    const name = String(about.name ?? column.columnDef.header);
    return h("th", { scope: "col", "aria-sort": order, class: about.isNumber ? "number" : "" },
      h("button", { class: "sort", type: "button", title: about.description, onClick: column.getToggleSortingHandler() },
        column.columnDef.header, h("span", { class: "arrow", "aria-hidden": "true" }, arrow || " ↕")),
      filters && column.getCanFilter() && h("div", null, h("input", {
        type: "search",
        "aria-label": `Filter by ${name}`,
        placeholder: about.isNumber ? "> <" : "",
        value: column.getFilterValue() ?? "",
        onInput: (event) => {
          column.setFilterValue(event.target.value);
          header.getContext().table.setPageIndex(0);
        },
      })));
  }

  /** Return a table; `columns` are TanStack's, with meta {name, description, isNumber, isText} and cell(value, row). */
  function DataTable({ rows, columns, label, size = 100, filters = true, counted = true, isCurrent }) {
    const table = useTable(rows, columns, size);
    const shown = table.getRowModel().rows;
    return h(Fragment, null,
      h(Pages, { table, n: rows.length, counted }),
      h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": label },
        h("table", { "aria-label": label },
          h("thead", null, table.getHeaderGroups().map((group) =>
            h("tr", { key: group.id }, group.headers.map((header) => h(Head, { header, filters, key: header.id }))))),
          h("tbody", null, shown.map((row) =>
            h("tr", { key: row.id, "aria-current": isCurrent?.(row.original) ? "true" : undefined },
              row.getVisibleCells().map(({ column, id, getValue }) => {
                const { isNumber, isText, cell } = column.columnDef.meta ?? {};
                return h("td", { key: id, class: isNumber ? "number" : isText ? "text" : "" },
                  cell ? cell(getValue(), row.original) : content(getValue()));
              })))))),
      shown.length > 30 && h(Pages, { table, n: rows.length }));
  }

  function content(value) {
    if (value === null || value === undefined || value === "") return "";
    return typeof value === "number" ? number(value) : h(Short, { text: value });
  }

  function Pages({ table, n, counted }) {
    const left = table.getFilteredRowModel().rows.length;
    const { pageIndex } = table.getState().pagination;
    const pages = table.getPageCount();
    return h("div", { class: "pages" },
      counted && h("span", { role: "status" }, left === n ? `${n} rows` : `${left} of ${n} rows`),
      pages > 1 && [
        h("button", { key: "back", type: "button", disabled: !table.getCanPreviousPage(), onClick: () => table.previousPage() }, "Previous page"),
        h("span", { key: "page" }, `page ${pageIndex + 1} of ${pages}`),
        h("button", { key: "on", type: "button", disabled: !table.getCanNextPage(), onClick: () => table.nextPage() }, "Next page"),
      ]);
  }

  return { Short, Reading, DataTable, number, visible };
})();
