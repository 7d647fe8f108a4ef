/* The views: judges side by side, the items that a filter finds, one item, one table. The address says which is shown. */
"use strict";

(() => {
  const { h, render, Fragment } = preact;
  const { useEffect, useMemo, useRef, useState } = preactHooks;
  const { Short, Reading, DataTable, number } = widgets;
  const { OUTCOMES, NO_FILTER, itemAddress, listAddress, tableAddress, placeOf } = data;
  const MARKS = { best: ["best", "the best judge"], level: ["=", "cannot be told apart from the best judge"] };

  const go = (address) => { location.hash = address; };

  /** Go to an address that takes the place of the present one: what is being written is no step back. */
  function replace(address) {
    history.replaceState(null, "", address);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  }

  const tellError = (error) => h("p", { class: "warning", role: "alert" }, `This part of the page cannot be read: ${error.message}`);

  // ---- words for verdicts ----

  const LETTERS = { 1: "first", 2: "second", "=": "tie", "!": "unreadable", "-": "–" };

  /** Return what a judge said of an item in both orders, in short. */
  function inShort(judge, place) {
    if (judge.scores && judge.scores[place] !== null) return number(judge.scores[place]);
    const [one, other] = judge.codes.slice(2 * place, 2 * place + 2);
    if (other === "-") return LETTERS[one] ?? "";
    return one === other ? `${LETTERS[one]} in both orders` : `${LETTERS[one]}, swapped ${LETTERS[other]}`;
  }

  /** Return the word for a truth or a vote, which may be a grade. */
  const said = (value) => (value === null || value === undefined ? "–" : number(value));

  const has = (index, judge, place, flag) => Boolean(judge.flags[place] & index.flags[flag]);

  /** Return how the verdicts of a judge compare with the label: a word and its colour. */
  function grade(index, judge, place) {
    const words = [];
    if (has(index, judge, place, "right")) words.push("right");
    if (has(index, judge, place, "wrong_always")) words.push("wrong");
    else if (has(index, judge, place, "wrong")) words.push("wrong in one order");
    if (has(index, judge, place, "flip")) words.push("flips");
    if (has(index, judge, place, "unreadable")) words.push("unreadable");
    return h("span", { class: words[0] === "right" ? "good" : words.length ? "bad" : "" }, words.join(", "));
  }

  // ---- judges ----

  function Judges({ index }) {
    const metrics = [...new Set(Object.values(index.standings).flatMap((standing) => standing.metrics))];
    const [metric, choose] = useState("");
    const labels = Object.fromEntries(index.judges.map((judge) => [judge.name, judge]));
    const names = Object.keys(index.standings);
    const rows = useMemo(() => {
      const judges = [...new Set(names.flatMap((name) => Object.keys(index.standings[name].judges)))];
      const order = index.judges.map((judge) => judge.name);
      judges.sort((one, other) => (order.indexOf(one) + 1 || 1e9) - (order.indexOf(other) + 1 || 1e9));
      return judges.map((judge) => ({ judge, label: labels[judge]?.label ?? judge, kind: labels[judge]?.kind ?? "" }));
    }, [index]);
    const columns = useMemo(() => [
      { id: "judge", header: "judge", accessorFn: (row) => row.label, meta: { isText: true } },
      { id: "kind", header: "kind", accessorFn: (row) => row.kind },
      ...names.flatMap((name) => benchmarkColumns(index, name, metric)),
    ], [index, metric]);
    return h("section", null,
      h("h2", null, "Judges"),
      h("p", { class: "about" }, "Each value with its interval leads to the items behind it. ",
        h("b", null, "best"), " is the best judge of a benchmark, ", h("b", null, "="),
        " one that cannot be told apart from it (p ≥ 0.05 after Holm's correction); ranks are the places that these comparisons leave open."),
      h("div", { class: "filters" }, h("label", null, "Metric",
        h("select", { value: metric, onChange: (event) => choose(event.target.value) },
          h("option", { value: "" }, "main metric of each benchmark"),
          metrics.map((name) => h("option", { key: name, value: name }, name))))),
      h(DataTable, { rows, columns, label: "Judges by benchmark" }),
      h(Failed, { index }));
  }

  function Failed({ index }) {
    const lines = index.benchmarks.flatMap((benchmark) =>
      Object.entries(benchmark.failed).map(([judge, reason]) => [judge, benchmark.name, reason]));
    if (!lines.length) return null;
    return h(Fragment, null, h("h3", null, "Not judged"),
      h("ul", null, lines.map(([judge, benchmark, reason]) =>
        h("li", { key: judge + "/" + benchmark }, h(Short, { text: `${judge} on ${benchmark}: ${reason}` })))));
  }

  /** Return the columns of one benchmark under its name: value, rank, unreadable replies. */
  function benchmarkColumns(index, name, metric) {
    const standing = index.standings[name];
    const shown = metric || standing.metrics[0];
    if (!standing.metrics.includes(shown)) return [];
    const cell = (row) => standing.judges[row.judge]?.[shown] ?? {};
    const known = index.benchmarks.find((benchmark) => benchmark.name === name);
    const value = (_, row) => {
      const { value: main, low, high, n, note, mark } = cell(row);
      if (main === null || main === undefined) return h("span", { class: "quiet", title: note }, "–");
      const [sign, words] = MARKS[mark] ?? ["", ""];
      const interval = low === null ? "" : ` [${number(low, ".3f")}, ${number(high, ".3f")}]`;
      const text = [number(main, ".3f"), h("small", null, interval)];
      const link = known?.judges[row.judge]
        ? h("a", { href: listAddress({ benchmark: name, judge: row.judge }), title: `items of ${name} as ${row.label} judged them` }, text)
        : text;
      return h(Fragment, null, h("span", { class: "mark", title: words }, sign), link, h("span", { class: "quiet" }, ` n ${n}`));
    };
    const numeric = (id, header, accessorFn, more) =>
      ({ id: `${name}.${id}`, header, accessorFn, meta: { name: `${header} on ${name}`, isNumber: true, ...more } });
    return [{
      id: name,
      header: name,
      columns: [
        numeric("value", shown, (row) => cell(row).value ?? undefined, { cell: value }),
        numeric("rank", "rank", (row) => cell(row).ranks?.[0],
          { cell: (_, row) => [...new Set(cell(row).ranks ?? [])].join("–") }),
        numeric("errors", "unreadable", (row) => cell(row).errors ?? undefined, {
          cell: (errors, row) => (errors && known?.judges[row.judge]
            ? h("a", { href: listAddress({ benchmark: name, judge: row.judge, outcome: "unreadable" }) }, String(errors))
            : errors ?? ""),
        }),
      ],
    }];
  }

  // ---- one table ----

  function Table({ index, name }) {
    const about = index.tables.find((table) => table.name === name);
    const [rows, setRows] = useState(null);
    const [error, setError] = useState(null);
    useEffect(() => {
      setRows(null);
      if (about) data.open(`block-${about.block}`).then(setRows, setError);
    }, [name]);
    const columns = useMemo(() => (about && rows ? tableColumns(index, about, rows) : null), [rows]);
    if (!about) return h("p", { class: "warning" }, "This page has no such table.");
    if (error) return tellError(error);
    return h("section", null,
      h("h2", null, about.title),
      h("p", { class: "about" }, `${about.name}.csv. Press a column's name to sort; write below it to filter: a part of a text, or > .7 for numbers.`),
      rows && columns ? h(DataTable, { rows, columns, label: about.title, key: name }) : h("p", { role: "status" }, "Opening …"),
      h("details", null, h("summary", null, "What the columns mean"),
        h("dl", null, about.head.map((column) => [
          h("dt", { key: column }, column), h("dd", { key: column + "." }, about.columns[column]?.[0] ?? "")]))));
  }

  function tableColumns(index, about, rows) {
    const place = Object.fromEntries(about.head.map((column, number) => [column, number]));
    const columns = about.head.map((column, at) => {
      const [description, form] = about.columns[column] ?? ["", ""];
      const isShare = rows.some((row) => typeof row[at] === "number" && !Number.isInteger(row[at]));
      const isNumber = rows.some((row) => typeof row[at] === "number") && !rows.some((row) => typeof row[at] === "string");
      return {
        id: column,
        header: column,
        accessorFn: (row) => row[at] ?? undefined,
        meta: {
          description, isNumber, isText: !isNumber,
          cell: isNumber ? (value) => (value === undefined ? "" : h("span", { title: String(value) }, number(value, form || (isShare ? ".3f" : "")))) : undefined,
        },
      };
    });
    const judge = place.judge ?? place.judge_a;
    if (judge === undefined || place.benchmark === undefined) return columns;
    const known = Object.fromEntries(index.benchmarks.map((benchmark) => [benchmark.name, benchmark]));
    return [...columns, {
      id: " items", header: "items", enableSorting: false, enableColumnFilter: false, accessorFn: () => "",
      meta: {
        cell: (_, row) => {
          const [who, where] = [String(row[judge]), String(row[place.benchmark])];
          return known[where]?.judges[who]
            ? h("a", { href: listAddress({ benchmark: where, judge: who }), "aria-label": `items of ${where} as ${who} judged them` }, "items")
            : "";
        },
      },
    }];
  }

  // ---- items ----

  function Items({ index, filter, found, last }) {
    const change = (name, value, to = go) => to(listAddress({ ...filter, [name]: value, ...(name === "benchmark" ? { category: "" } : {}) }));
    const benchmarks = index.benchmarks.filter((benchmark) => !filter.benchmark || benchmark.name === filter.benchmark);
    const judges = index.judges.filter((judge) => benchmarks.some((benchmark) => benchmark.judges[judge.name]));
    const categories = [...new Set(benchmarks.flatMap((benchmark) => benchmark.categories))].filter(Boolean);
    const stated = benchmarks.some((benchmark) => Object.values(benchmark.judges).some((judge) => judge.confidence));
    const choice = (name, label, options, all) => h("label", null, label,
      h("select", { name, value: filter[name], onChange: (event) => change(name, event.target.value) },
        h("option", { value: "" }, all),
        options.map(([value, words]) => h("option", { key: value, value }, words))));
    const bound = (name, label, step) => h("label", null, label,
      h("input", { type: "number", name, min: 0, step, value: filter[name], onInput: (event) => change(name, event.target.value, replace) }));
    const withCategories = categories.length > 0;
    const columns = useMemo(() => itemColumns(index, filter, withCategories), [index, filter.judge, withCategories]);
    return h("section", null,
      h("h2", null, "Items"),
      h("form", { class: "filters", onSubmit: (event) => event.preventDefault() },
        choice("benchmark", "Benchmark", index.benchmarks.map(({ name }) => [name, name]), "all benchmarks"),
        choice("judge", "Judge", judges.map(({ name, label }) => [name, label]), "any judge"),
        choice("outcome", "Outcome", Object.entries(OUTCOMES), "all items"),
        categories.length > 1 && choice("category", "Category", categories.map((name) => [name, name]), "all categories"),
        bound("gap_from", "Length gap from", 10), bound("gap_to", "to (characters)", 10),
        stated && bound("confidence_from", "Confidence from", 0.05), stated && bound("confidence_to", "to", 0.05),
        h("label", null, "Words of prompt or id",
          h("input", { type: "search", name: "text", value: filter.text, onInput: (event) => change("text", event.target.value, replace) })),
        h("button", { type: "button", onClick: () => go(listAddress({})) }, "Show all")),
      h("p", { role: "status", id: "found" }, `${found.length} of ${index.n_items} items`),
      h(DataTable, {
        rows: found, columns, label: "Items", filters: false, counted: false, size: 50,
        isCurrent: last && ((row) => row.benchmark.name === last.benchmark && row.benchmark.ids[row.place] === last.item),
      }));
  }

  function itemColumns(index, filter, withCategories) {
    const of = (name) => (row) => row.benchmark[name][row.place];
    const column = (id, header, accessorFn, meta = {}) => ({ id, header, accessorFn, meta });
    const columns = [
      column("item", "item", of("ids"), {
        isText: true,
        cell: (id, row) => h("a", { class: "item", href: itemAddress(row.benchmark.name, id, filter.judge) }, h(Short, { text: id })),
      }),
      column("benchmark", "benchmark", (row) => row.benchmark.name),
      column("start", "prompt begins", of("starts"), { isText: true }),
      ...(withCategories
        ? [column("category", "category", (row) => row.benchmark.categories[row.benchmark.category[row.place]], { isText: true })]
        : []),
      column("gap", "length gap", (row) => of("gap")(row) ?? undefined,
        { isNumber: true, description: "characters that the first response has more than the second; of a grade, those of the response" }),
      column("truth", "label", (row) => said(of("truth")(row))),
      column("people", "people", (row) => (of("people_split")(row) ? "split" : "")),
    ];
    const judge = filter.judge;
    if (!judge) {
      const share = (row) => Object.values(row.benchmark.judges).filter((one) => one.flags[row.place] & index.flags.wrong).length;
      return [...columns,
        column("judges", "judges", (row) => (of("judges_split")(row) ? "split" : "")),
        column("wrong", "judges wrong", share,
          { isNumber: true, cell: (n, row) => `${n} of ${Object.keys(row.benchmark.judges).length}` })];
    }
    return [...columns,
      column("verdict", `verdict of ${index.judges.find(({ name }) => name === judge)?.label ?? judge}`, (row) => inShort(row.benchmark.judges[judge], row.place)),
      column("grade", "beside the label", (row) => row.benchmark.judges[judge].flags[row.place],
        { cell: (_, row) => grade(index, row.benchmark.judges[judge], row.place) }),
      ...(index.benchmarks.some((benchmark) => benchmark.judges[judge]?.confidence)
        ? [column("confidence", "confidence", (row) => row.benchmark.judges[judge].confidence?.[row.place] ?? undefined, { isNumber: true })]
        : [])];
  }

  // ---- one item ----

  function Item({ index, address, found, back }) {
    const here = placeOf(index, address.benchmark, address.item);
    const [texts, setTexts] = useState(null);
    const [error, setError] = useState(null);
    const heading = useRef(null);
    const key = here && `${here.benchmark.name}/${here.place}`;
    useEffect(() => {
      let isLeft = false;
      setTexts(null);
      setError(null);
      if (here) data.texts(here.benchmark, here.place).then((loaded) => isLeft || setTexts(loaded), (wrong) => isLeft || setError(wrong));
      return () => { isLeft = true; };
    }, [key]);
    useEffect(() => { heading.current?.focus(); window.scrollTo(0, 0); }, [key]);
    if (!here) return h("p", { class: "warning", role: "alert" }, "This page has no such item: ", h(Short, { text: `${address.benchmark}, ${address.item}` }));
    const { benchmark, place } = here;
    const at = found.findIndex((one) => one.benchmark === benchmark && one.place === place);
    const step = (to, words, shortcut) => h("button", { type: "button", disabled: !found[to], "aria-keyshortcuts": shortcut,
      onClick: () => go(itemAddress(found[to].benchmark.name, found[to].benchmark.ids[found[to].place], address.judge)) }, words);
    return h("article", null,
      h("div", { class: "step" },
        step(at < 0 ? -1 : at - 1, "← Previous", "k"), step(at < 0 ? -1 : at + 1, "Next →", "j"),
        h("span", { role: "status" }, at < 0 ? "not among the items that the filter finds" : `${at + 1} of ${found.length}`),
        h("a", { href: back }, "Back to the list")),
      h("h2", { ref: heading, tabIndex: -1 }, h(Short, { text: benchmark.name }), ", item ", h(Short, { text: benchmark.ids[place] })),
      error ? tellError(error) : texts ? h(Texts, { index, benchmark, place, texts, judge: address.judge }) : h("p", { role: "status" }, "Opening …"));
  }

  function Texts({ index, benchmark, place, texts, judge }) {
    const isPair = benchmark.protocol === "pairwise";
    const names = isPair ? ["First response", "Second response"] : ["Response"];
    const classes = ["first", "second"];
    return h(Fragment, null,
      h("p", null, "Label: ", h("b", null, said(texts.truth)),
        texts.category && [" · category: ", h(Short, { text: texts.category })],
        isPair && benchmark.gap[place] !== null && ` · the ${benchmark.gap[place] < 0 ? "second" : "first"} response is ${Math.abs(benchmark.gap[place])} characters longer`),
      h("h3", null, "Prompt"),
      texts.turns.map((turn, number) => h(Reading, { key: number, text: turn, label: texts.turns.length > 1 ? `Prompt, turn ${number + 1}` : "Prompt" })),
      texts.responses.length
        ? h("div", { class: "answers" }, texts.responses.map((response, side) => h("section", { key: side },
          h("h3", null, names[side], texts.models[side] && [" by ", h(Short, { text: texts.models[side] })],
            isPair && texts.truth === classes[side] && h("span", { class: "good" }, " – better by the label")),
          response.map((turn, number) => h(Reading, { key: number, text: turn, better: isPair && texts.truth === classes[side],
            label: response.length > 1 ? `${names[side]}, turn ${number + 1}` : names[side] })))))
        : h("p", { class: "quiet" }, "The texts of the responses are not public."),
      texts.reference !== null && [h("h3", { key: "h" }, "Reference"), h(Reading, { key: "t", text: texts.reference, label: "Reference" })],
      h("h3", null, `Votes of people: ${texts.votes.length}`),
      texts.votes.length
        ? h("ul", null, texts.votes.map(([annotator, vote], number) => h("li", { key: number }, h(Short, { text: annotator }), ": ", h("b", null, said(vote)))))
        : h("p", { class: "quiet" }, "The benchmark gives the label alone."),
      h(Verdicts, { index, benchmark, place, texts, judge }),
      h("details", null, h("summary", null, "Where the item comes from"), h(Reading, {
        label: "Origin", text: JSON.stringify(texts.origin) + (texts.extra ? "\n" + texts.extra : "") })));
  }

  function Verdicts({ index, benchmark, place, texts, judge }) {
    const judges = index.judges.filter(({ name }) => texts.judges[name]);
    judges.sort((one, other) => (other.name === judge) - (one.name === judge));
    const words = (verdict) => {
      if (!verdict) return h("span", { class: "quiet" }, "not asked");
      const parts = [verdict.outcome === "error" ? `unreadable: ${verdict.reason}` : verdict.outcome === "score" ? said(verdict.score) : verdict.outcome];
      if (verdict.published !== undefined) parts.push(`by its paper ${said(verdict.published)}`);
      if (verdict.cut) parts.push("cut at the token limit");
      return h(Short, { text: parts.join("; ") });
    };
    const isPair = benchmark.protocol === "pairwise";
    const orders = isPair ? [["original", "as given"], ["swapped", "responses swapped"]] : [["original", "grade"]];
    const confident = judges.some(({ name }) => benchmark.judges[name].confidence);
    const of = (name, order) => texts.judges[name].verdicts.find((verdict) => verdict.order === order);
    return h(Fragment, null,
      h("h3", null, "Verdicts of judges"),
      isPair && h("p", { class: "about" }, "First and second always mean the responses as they stand above, whatever order the judge saw."),
      h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Verdicts" },
        h("table", { "aria-label": "Verdicts of judges" },
          h("thead", null, h("tr", null, ["judge", ...orders.map(([, label]) => label), "beside the label", ...(confident ? ["confidence"] : []), "what was read as the verdict"]
            .map((head) => h("th", { key: head, scope: "col" }, head)))),
          h("tbody", null, judges.map(({ name, label, kind }) => h("tr", { key: name, "aria-current": name === judge ? "true" : undefined },
            h("td", null, h("a", { href: itemAddress(benchmark.name, benchmark.ids[place], name) }, h(Short, { text: label })), h("small", null, ` ${kind}`)),
            orders.map(([order]) => h("td", { key: order }, words(of(name, order)))),
            h("td", null, grade(index, benchmark.judges[name], place)),
            confident && h("td", { class: "number" }, number(benchmark.judges[name].confidence?.[place]) ?? ""),
            h("td", { class: "text" }, texts.judges[name].verdicts.map((verdict) => verdict.raw).filter(Boolean)
              .map((raw, number) => [number > 0 && " / ", h(Short, { key: number, text: raw })])))))))
      ,
      h("h3", null, "What the judges wrote"),
      judges.filter(({ name }) => texts.judges[name].replies.length).map(({ name, label }) =>
        h(Replies, { key: name, label, replies: texts.judges[name].replies, verdicts: texts.judges[name].verdicts, isOpen: name === judge || (!judge && judges.length < 6) })),
      judges.every(({ name }) => !texts.judges[name].replies.length)
        && h("p", { class: "quiet" }, "Recorded judges and baselines have verdicts alone; nothing that they wrote is known here."));
  }

  function Replies({ label, replies, verdicts, isOpen }) {
    const words = (reply) => [
      reply.side ? `grade of the ${reply.side} response` : reply.order === "swapped" ? "Responses swapped" : "As given",
      reply.run && `run ${reply.run}`, reply.tokens !== undefined && `${reply.tokens} tokens`,
      reply.end === "length" && "ended at the token limit",
    ].filter(Boolean).join(", ");
    return h("details", { class: "judge", open: isOpen }, h("summary", null, h(Short, { text: label })),
      h("div", { class: "answers" }, replies.map((reply, number) => h("section", { key: number },
        h("p", { class: "quiet" }, words(reply)),
        reply.reply === undefined
          ? h("p", { class: "bad" }, `No reply: ${reply.reason}`)
          : h(Reading, { text: reply.reply, label: `${label}, ${words(reply)}` }),
        h(Probabilities, { verdict: verdicts.find((verdict) => verdict.order === reply.order) })))));
  }

  function Probabilities({ verdict }) {
    if (!verdict?.probabilities) return null;
    return h("p", null, "Probability: ", Object.entries(verdict.probabilities).map(([name, value]) => `${name} ${number(value)}`).join(", "));
  }

  // ---- the page ----

  const HELP = {
    list: [["j", "next row"], ["k", "previous row"], ["Enter", "open"]],
    item: [["j", "next item", "→"], ["k", "previous item", "←"], ["u", "back to the list"]],
  };

  function Page({ index, study, description, shortcomings }) {
    const [address, setAddress] = useState(() => data.parseAddress(location.hash));
    const [filter, setFilter] = useState(() => address.filter ?? NO_FILTER);
    const [last, setLast] = useState(null);
    const [keys, setKeys] = useState(true);
    useEffect(() => {
      const follow = () => {
        const asked = data.parseAddress(location.hash);
        if (asked.filter) setFilter(asked.filter);
        if (asked.view === "item") setLast(asked);
        setAddress(asked);
      };
      follow();
      window.addEventListener("hashchange", follow);
      return () => window.removeEventListener("hashchange", follow);
    }, []);
    const found = useMemo(() => data.filtered(index, filter), [index, filter]);
    const steps = useMemo(() => {
      if (address.view !== "item" || filter !== NO_FILTER) return found;
      return data.filtered(index, { ...NO_FILTER, benchmark: address.benchmark });
    }, [found, address]);
    useKeys({ keys, address, steps, index, back: listAddress(filter) });
    const link = (view, href, words) => h("a", { href, "aria-current": address.view === view ? "page" : undefined }, words);
    return h(Fragment, null,
      h("header", null, h("h1", null, study), h("p", null, h(Short, { text: description }))),
      h("nav", { "aria-label": "Parts of this page" },
        link("judges", "#", "Judges"),
        link("list", listAddress(filter), "Items"),
        h("span", { class: "quiet" }, "Tables:"),
        index.tables.map(({ name, title }) =>
          h("a", { key: name, href: tableAddress(name), "aria-current": address.view === "table" && address.table === name ? "page" : undefined }, title))),
      h("main", null,
        shortcomings && h("p", { id: "shortcomings" }, shortcomings),
        HELP[address.view] && h("p", { class: "keys" },
          "Keys: ", HELP[address.view].map(([key, words, other]) =>
            h("span", { key }, h("kbd", null, key), other && [" or ", h("kbd", null, other)], " ", words)),
          h("button", { type: "button", onClick: () => setKeys(!keys) }, keys ? "Turn keys off" : "Turn keys on")),
        address.view === "judges" && h(Judges, { index }),
        address.view === "table" && h(Table, { index, name: address.table, key: address.table }),
        address.view === "list" && h(Items, { index, filter, found, last }),
        address.view === "item" && h(Item, { index, address, found: steps, back: listAddress(filter) })));
  }

  /** Step through items and rows with keys, wherever no text is being written. */
  function useKeys({ keys, address, steps, index, back }) {
    useEffect(() => {
      const press = (event) => {
        if (!keys || event.ctrlKey || event.altKey || event.metaKey || event.target.closest?.("input, select, textarea")) return;
        const direction = { j: 1, k: -1, ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (address.view === "item") {
          if (event.key === "u") return void go(back);
          const isScrolling = event.key.startsWith("Arrow") && event.target.closest?.(".scroll");
          if (!direction || isScrolling || event.key === "ArrowDown" || event.key === "ArrowUp") return;
          const here = placeOf(index, address.benchmark, address.item);
          const at = here ? steps.findIndex((one) => one.benchmark === here.benchmark && one.place === here.place) : -1;
          const to = at < 0 ? null : steps[at + direction];
          if (to) go(itemAddress(to.benchmark.name, to.benchmark.ids[to.place], address.judge));
        } else if (address.view === "list" && direction && event.key !== "ArrowRight" && event.key !== "ArrowLeft") {
          const links = [...document.querySelectorAll("a.item")];
          const at = links.indexOf(document.activeElement);
          const to = links[at < 0 ? (direction > 0 ? 0 : links.length - 1) : at + direction];
          if (to) {
            event.preventDefault();
            to.focus();
          }
        }
      };
      document.addEventListener("keydown", press);
      return () => document.removeEventListener("keydown", press);
    });
  }

  async function start() {
    const page = document.getElementById("page");
    const text = (selector) => page.querySelector(selector)?.textContent ?? "";
    const words = { study: text("h1"), description: text("header p"), shortcomings: text("#shortcomings") };
    const index = await data.open("index");
    index.n_items = index.benchmarks.reduce((sum, benchmark) => sum + benchmark.ids.length, 0);
    page.replaceChildren();
    render(h(Page, { index, ...words }), page);
  }

  start().catch((error) => {
    const note = document.createElement("p");
    note.className = "warning";
    note.setAttribute("role", "alert");
    note.textContent = `Items and tables cannot be opened: ${error.message}. The page needs a browser of 2023 or later, and the whole file.`;
    document.querySelector("main").prepend(note);
  });
})();
