/* What the page holds, and which items a filter finds. Nothing here draws anything.

   The index (block "index") has a list per benchmark and field, in the order of the items; it is opened at the start.
   Texts lie in blocks of compressed JSON, which are opened when they are asked for. report/explorer.py writes both. */
"use strict";

const data = (() => {
  const opened = new Map();

  /** Return the promise of what a block holds; each is opened once. */
  function open(name) {
    if (!opened.has(name)) opened.set(name, unpack(document.getElementById(name).textContent));
    return opened.get(name);
  }

  async function unpack(letters) {
    const bytes = Uint8Array.from(atob(letters), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  /** Return the promise of the texts of one item. */
  async function texts(benchmark, place) {
    let number = 0;
    while (place >= benchmark.sizes[number]) place -= benchmark.sizes[number++];
    return (await open(`block-${benchmark.blocks[number]}`))[place];
  }

  const OUTCOMES = {
    wrong: "judge wrong",
    wrong_always: "judge wrong in every order",
    right: "judge right in every order",
    flip: "orders flip",
    unreadable: "unreadable",
    judges_split: "judges split",
    people_split: "people split",
  };
  const NO_FILTER = { benchmark: "", judge: "", outcome: "", category: "", gap_from: "", gap_to: "",
    confidence_from: "", confidence_to: "", text: "" };

  /** Return the items that a filter finds, as {benchmark, place}, in the order of the file. */
  function filtered(index, filter) {
    const found = [];
    for (const benchmark of index.benchmarks) {
      if (filter.benchmark && benchmark.name !== filter.benchmark) continue;
      if (filter.judge && !benchmark.judges[filter.judge]) continue;
      const test = itemTest(index, benchmark, filter);
      for (let place = 0; place < benchmark.ids.length; place++) if (test(place)) found.push({ benchmark, place });
    }
    return found;
  }

  function itemTest(index, benchmark, filter) {
    const tests = [];
    if (filter.category) {
      const category = benchmark.categories.indexOf(filter.category);
      tests.push((place) => benchmark.category[place] === category);
    }
    if (filter.outcome) tests.push(outcomeTest(index, benchmark, filter));
    const size = (place) => (benchmark.gap[place] === null ? null : Math.abs(benchmark.gap[place]));
    addRange(tests, size, filter.gap_from, filter.gap_to);
    const judges = judgesOf(benchmark, filter.judge);
    if (filter.confidence_from !== "" || filter.confidence_to !== "") {
      const ranges = judges.map((judge) => {
        const range = [];
        addRange(range, (place) => judge.confidence?.[place] ?? null, filter.confidence_from, filter.confidence_to);
        return range;
      });
      tests.push((place) => ranges.some((range) => range.every((test) => test(place))));
    }
    if (filter.text) {
      const words = filter.text.toLowerCase();
      tests.push((place) => benchmark.starts[place].toLowerCase().includes(words)
        || benchmark.ids[place].toLowerCase().includes(words));
    }
    return (place) => tests.every((test) => test(place));
  }

  /** Return the verdicts of the judge that is chosen, else of all judges. */
  function judgesOf(benchmark, judge) {
    return judge ? [benchmark.judges[judge]] : Object.values(benchmark.judges);
  }

  function outcomeTest(index, benchmark, filter) {
    const bit = index.flags[filter.outcome];
    if (!bit) return (place) => Boolean(benchmark[filter.outcome]?.[place]);
    const judges = judgesOf(benchmark, filter.judge);
    return (place) => judges.some((judge) => judge.flags[place] & bit);
  }

  function addRange(tests, value, from, to) {
    if (from !== "" && from !== undefined) tests.push((place) => value(place) !== null && value(place) >= Number(from));
    if (to !== "" && to !== undefined) tests.push((place) => value(place) !== null && value(place) <= Number(to));
  }

  // ---- addresses ----

  const sound = (text) => String(text).toWellFormed(); // half of a surrogate pair cannot stand in an address

  /** Return the address of an item, as a judge sees it where one is named. */
  function itemAddress(benchmark, id, judge) {
    return "#" + [benchmark, id, ...(judge ? [judge] : [])].map((part) => encodeURIComponent(sound(part))).join("/");
  }

  /** Return the address of a list of items. */
  function listAddress(filter) {
    const stated = Object.entries(filter).filter(([, value]) => value !== "");
    return "#?" + new URLSearchParams(stated.map(([name, value]) => [name, sound(value)]));
  }

  const tableAddress = (name) => "#:" + encodeURIComponent(name);

  /** Return what an address asks for: {view: "judges" | "list" | "table" | "item", …}. */
  function parseAddress(hash) {
    const address = hash.replace(/^#/, "");
    if (!address) return { view: "judges" };
    if (address[0] === "?") {
      const asked = Object.fromEntries(new URLSearchParams(address.slice(1)));
      const filter = { ...NO_FILTER };
      for (const name of Object.keys(filter)) if (Object.hasOwn(asked, name)) filter[name] = asked[name];
      return { view: "list", filter };
    }
    const parts = address.split("/").map(decoded);
    if (address[0] === ":") return { view: "table", table: parts[0].slice(1) };
    return { view: "item", benchmark: parts[0], item: parts[1] ?? "", judge: parts[2] ?? "" };
  }

  function decoded(part) {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  }

  /** Return the {benchmark, place} of an address, null where the page has no such item. */
  function placeOf(index, benchmarkName, id) {
    const benchmark = index.benchmarks.find((one) => one.name === benchmarkName);
    const place = benchmark ? benchmark.ids.findIndex((one) => sound(one) === id) : -1;
    return place < 0 ? null : { benchmark, place };
  }

  return { open, texts, filtered, itemAddress, listAddress, tableAddress, parseAddress, placeOf, OUTCOMES, NO_FILTER };
})();
