/* The page of labelling: who sits here, one item after the other, and at the end how far people agree.

   What was chosen counts when the desk has kept it. Until then it waits in this browser's storage, so that neither a
   reload nor a closed window nor a killed server loses it; it is sent again and again. */
"use strict";

(() => {
  const { h, render, Fragment } = preact;
  const { useEffect, useMemo, useRef, useState } = preactHooks;
  const { Short, Reading } = widgets;
  const AGAIN = 1000; // milliseconds until something is asked again of a desk that is away
  const GLANCE = 200; // milliseconds after an item has appeared in which no haste counts: it was meant for the last one
  const NAMES = ["A", "B"];

  // ---- the address: #key=…&who=… ----

  const asked = () => new URLSearchParams(location.hash.slice(1));
  const key = () => asked().get("key") ?? "";

  /** Go to the address of an annotator, or with none to the choice of one. */
  function sitDown(who) {
    const address = asked();
    if (who) address.set("who", who);
    else address.delete("who");
    location.hash = address.toString();
  }

  // ---- the desk ----

  class Refusal extends Error {
    constructor(status, sentence) {
      super(sentence);
      this.status = status;
    }
  }

  /** Return the promise of what the desk answers; one that is away, or cannot write, is asked again. */
  async function desk(path, said, onTrouble) {
    for (;;) {
      try {
        const answer = await ask(path, said);
        onTrouble?.("");
        return answer;
      } catch (error) {
        if (error instanceof Refusal && error.status !== 507) throw error;
        const words = error instanceof Refusal ? error.message : "the desk does not answer; is `make label` running?";
        onTrouble?.(said ? `Not kept yet: ${words} Trying again.` : `Waiting: ${words}`);
        await new Promise((resolve) => setTimeout(resolve, AGAIN));
      }
    }
  }

  async function ask(path, said) {
    const headers = { "X-Label-Key": key() };
    const request = said === undefined ? { headers }
      : { method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(said) };
    const response = await fetch(path, { ...request, cache: "no-store", signal: AbortSignal.timeout(20000) });
    const value = await response.json();
    if (!response.ok) throw new Refusal(response.status, value.error);
    return value;
  }

  const stateOf = (who, onTrouble) => desk(`/state?${new URLSearchParams({ who })}`, undefined, onTrouble);
  const itemOf = (who, label, onTrouble) => desk(`/item?${new URLSearchParams({ who, label })}`, undefined, onTrouble);

  // ---- what has been chosen and is not kept yet ----

  /** Return where it waits: of one draw and one annotator. A browser may keep nothing. */
  function waitingRoom(draw, who) {
    const name = `judgemerge label ${draw} ${who.toLowerCase()}`;
    return {
      set(said) {
        try { localStorage.setItem(name, JSON.stringify(said)); } catch { /* it is sent at once all the same */ }
      },
      get() {
        try { return JSON.parse(localStorage.getItem(name)); } catch { return null; }
      },
      clear() {
        try { localStorage.removeItem(name); } catch { /* then there is nothing */ }
      },
    };
  }

  /** Return how many seconds somebody has looked at this: pauses and hidden pages do not count. */
  function stopwatch() {
    let spent = 0;
    let since = null;
    return {
      run() { since ??= performance.now(); },
      hold() {
        if (since !== null) spent += performance.now() - since;
        since = null;
      },
      seconds() { return (spent + (since === null ? 0 : performance.now() - since)) / 1000; },
    };
  }

  // ---- the first view: who sits here ----

  function Start({ about }) {
    const [name, write] = useState("");
    const submit = (event) => {
      event.preventDefault();
      if (name.trim()) sitDown(name.trim());
    };
    return h("main", { class: "start" },
      h("h1", { tabIndex: -1 }, about.title),
      h("p", null, about.isPair
        ? `You will see ${about.n} questions, each with two answers, and say which answer is better.`
        : `You will see ${about.n} questions, each with an answer, and grade it.`,
      " Nothing tells who wrote what. Everything is kept as you go: close the page when you like and come back."),
      h("form", { onSubmit: submit },
        h("label", null, "Your name", h("input", { name: "who", value: name, maxLength: 60, autocomplete: "off", onInput: (event) => write(event.target.value) })),
        h("button", { type: "submit" }, "Begin")),
      about.people.length > 0 && h(Fragment, null,
        h("h2", null, "Who has begun"),
        h("ul", null, about.people.map((one) => h("li", { key: one.name },
          h("button", { type: "button", onClick: () => sitDown(one.name) }, "Go on as ", h(Short, { text: one.name })),
          ` ${one.done} of ${about.n}`)))));
  }

  // ---- one item ----

  function Texts({ item, isPair }) {
    const several = item.turns.length > 1;
    const names = isPair ? NAMES : [""];
    const title = (side) => (isPair ? `Answer ${names[side]}` : "Answer");
    const answers = (turn) => h("div", { class: "answers" }, item.answers.map((answer, side) =>
      h("section", { key: side },
        h("h3", null, several ? `${title(side)}, turn ${turn + 1}` : title(side)),
        h(Reading, { text: answer[turn] ?? "", label: several ? `${title(side)}, turn ${turn + 1}` : title(side) }))));
    return h(Fragment, null,
      item.turns.map((turn, number) => h(Fragment, { key: number },
        h("div", { class: "before" },
          h("h3", null, several ? `Question, turn ${number + 1}` : "Question"),
          h(Reading, { text: turn, label: several ? `Question, turn ${number + 1}` : "Question" }),
          number === 0 && item.more.map(([name, text]) => h(Fragment, { key: name }, h("h3", null, name), h(Reading, { text, label: name })))),
        answers(number))));
  }

  /** Return the words of a choice beside its key, which may be the first of them. */
  const wordsBeside = ({ key, words }) => (words === key ? "" : words.startsWith(`${key}: `) ? words.slice(key.length + 2) : words);

  function Choices({ about, say, undo, later, last, blocked }) {
    return h("fieldset", { class: about.choices.some((choice) => choice.words.length > 40) ? "choices long" : "choices" },
      h("legend", null, about.title),
      about.choices.map((choice) => h("button", {
        key: choice.key, type: "button", class: "say", disabled: blocked, "aria-keyshortcuts": choice.key,
        onClick: (event) => say(choice.value, event.detail > 1),
      }, h("kbd", null, choice.key), " ", wordsBeside(choice))),
      h("span", { class: "others" },
        h("button", { type: "button", disabled: blocked || !last, "aria-keyshortcuts": "u", onClick: undo }, h("kbd", null, "u"), " Undo"),
        h("button", { type: "button", disabled: blocked || !later, "aria-keyshortcuts": "l", onClick: later }, h("kbd", null, "l"), " Later")));
  }

  /** Call what a key stands for, wherever no text is being written. */
  function useKeys(actions, enabled) {
    useEffect(() => {
      const press = (event) => {
        if (!enabled || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
        if (event.target.closest?.("input, select, textarea")) return;
        const action = actions[event.key.toLowerCase()];
        if (!action) return;
        event.preventDefault();
        action();
      };
      document.addEventListener("keydown", press);
      return () => document.removeEventListener("keydown", press);
    });
  }

  function Labelling({ about, who }) {
    const [state, setState] = useState(null);
    const [item, setItem] = useState(null);
    const [put, setPut] = useState([]); // labels that were put off, in this order
    const [trouble, setTrouble] = useState("");
    const [busy, setBusy] = useState(true);
    const [words, setWords] = useState("");
    const [paused, pause] = useState(false);
    const [refusal, setRefusal] = useState(null);
    const [keys, setKeys] = useState(true);
    const heading = useRef(null);
    const watch = useRef(stopwatch());
    const shownAt = useRef(0);
    const items = useMemo(() => new Map(), [who]);
    const waiting = useMemo(() => waitingRoom(about.draw, who), [who]);

    /** Return the promise of an item's texts, each asked for once. */
    const texts = (label) => {
      if (!items.has(label)) items.set(label, itemOf(who, label, setTrouble));
      return items.get(label);
    };

    /** Return what comes next: what is left, then what was put off. */
    const nextOf = (some) => {
      const later = put.filter((label) => some.left.includes(label));
      return [...some.left.filter((label) => !later.includes(label)), ...later];
    };

    /** Say what has happened, and where one is now, also to those who hear the page. */
    const tell = (what, some) => setWords(some.left.length ? `${what} Now number ${some.n - some.left.length + 1} of ${some.n}.` : what);

    /** Let the desk keep something, and show what it answers. */
    const send = async (path, said) => {
      setBusy(true);
      try {
        const answer = await desk(path, said, setTrouble);
        waiting.clear();
        tell(path === "/vote" ? `Kept: ${answer.last?.words ?? ""}.` : "Taken back.", answer);
        setState(answer);
      } catch (error) {
        if (error.status !== 403) waiting.clear(); // with the right key it will be kept
        if (error.status !== 409) return setRefusal(error);
        setState(await stateOf(who, setTrouble));
        setWords(`${error.message}.`);
      }
      return setBusy(false);
    };

    useEffect(() => {
      const said = waiting.get();
      if (said) void send("/vote", said);
      else stateOf(who, setTrouble).then((some) => { setState(some); setBusy(false); }, setRefusal);
    }, [who]);

    const queue = state ? nextOf(state) : [];
    const label = queue[0];
    useEffect(() => {
      if (label === undefined) return undefined;
      let isLeft = false;
      setItem(null);
      texts(label).then((loaded) => {
        if (isLeft) return;
        setItem(loaded);
        watch.current = stopwatch();
        shownAt.current = performance.now();
        if (queue[1] !== undefined) texts(queue[1]).catch(() => {});
      }, setRefusal);
      return () => { isLeft = true; };
    }, [label, who]);
    useEffect(() => {
      heading.current?.focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }, [item, paused, queue.length === 0]);
    useEffect(() => {
      const look = () => (document.hidden || paused ? watch.current.hold() : watch.current.run());
      look();
      document.addEventListener("visibilitychange", look);
      return () => document.removeEventListener("visibilitychange", look);
    }, [item, paused]);

    const ready = Boolean(state && item && item.label === label && !busy && !paused);
    /** Keep a choice; a hasty one, by a key or the second half of a double click, was perhaps meant for the last item. */
    const say = (choice, isHasty) => {
      if (!ready || (isHasty && performance.now() - shownAt.current < GLANCE)) return;
      const said = { who, label, choice, seconds: watch.current.seconds() };
      waiting.set(said);
      void send("/vote", said);
    };
    const undo = () => {
      if (busy || paused || !state?.last) return;
      setPut(put.filter((one) => one !== state.last.label));
      void send("/undo", { who, label: state.last.label });
    };
    const later = () => {
      if (!ready || queue.length < 2) return;
      setPut([...put.filter((one) => one !== label), label]);
      setWords("Put off to the end.");
    };
    const actions = { u: undo, l: later, p: () => pause(!paused) };
    for (const choice of about.choices) actions[choice.key] = () => say(choice.value, true);
    useKeys(actions, keys && state !== null);

    if (refusal) return h(Failure, { error: refusal });
    if (!state) return h("main", null, h("h1", null, about.title), h("p", { role: "status" }, trouble || "Opening …"));
    const done = state.n - state.left.length;
    return h(Fragment, null,
      h("header", { class: "top" },
        h("h1", null, about.title),
        h("span", null, h("label", { for: "progress" }, `${done} of ${state.n}`), " ", h("progress", { id: "progress", value: done, max: state.n })),
        h(Short, { text: state.who }),
        state.left.length > 0 && h("button", { type: "button", "aria-keyshortcuts": "p", onClick: () => pause(!paused) }, h("kbd", null, "p"), paused ? " Go on" : " Pause"),
        h("button", { type: "button", onClick: () => sitDown("") }, "Somebody else"),
        h("button", { type: "button", onClick: () => setKeys(!keys) }, keys ? "Turn keys off" : "Turn keys on")),
      h("main", null,
        trouble && h("p", { class: "alert", role: "alert" }, trouble),
        h("p", { class: "said", role: "status" }, words),
        !state.left.length ? h(End, { about, state, heading, undo, blocked: busy })
          : paused ? h("h2", { ref: heading, tabIndex: -1 }, `Paused. ${done} of ${state.n} are labelled and kept.`)
            : h(Fragment, null,
              h("h2", { ref: heading, tabIndex: -1 }, `Number ${done + 1} of ${state.n}`),
              about.criterion && h("p", { class: "about" }, h(Short, { text: about.criterion })),
              item && item.label === label ? h(Texts, { item, isPair: about.isPair }) : h("p", { role: "status" }, "Opening …"),
              h(Choices, { about, say, undo, later: queue.length > 1 && later, last: state.last, blocked: !ready }))));
  }

  // ---- the end ----

  function End({ about, state, heading, undo, blocked }) {
    const left = state.people.filter((one) => one.done < about.n);
    return h(Fragment, null,
      h("h2", { ref: heading, tabIndex: -1 }, `Thank you. All ${state.n} are labelled and kept.`),
      h("p", null, h("button", { type: "button", disabled: blocked, "aria-keyshortcuts": "u", onClick: undo }, h("kbd", null, "u"), " Undo the last one")),
      state.agreement.length > 0 ? h(Agreement, { rows: state.agreement, level: about.level })
        : h("p", null, "How far people agree is shown here as soon as two have labelled everything."),
      left.length > 0 && h("ul", null, left.map((one) => h("li", { key: one.name }, h(Short, { text: one.name }), `: ${one.done} of ${about.n}`))));
  }

  function Agreement({ rows, level }) {
    const shown = (value) => value.toFixed(3);
    return h(Fragment, null,
      h("h3", null, "How far you agree"),
      h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Agreement" },
        h("table", null,
          h("thead", null, h("tr", null, ["", "", "value", `${level} interval`, "n"].map((name, number) =>
            number < 2 ? h("td", { key: number }) : h("th", { key: number, scope: "col", class: "number" }, name)))),
          h("tbody", null, rows.map((row) => h("tr", { key: `${row.one}/${row.other}/${row.metric}` },
            h("th", { scope: "row" }, h(Short, { text: row.one }), " and ", h(Short, { text: row.other })),
            h("td", null, row.metric),
            h("td", { class: "number" }, row.value === null ? "–" : shown(row.value)),
            h("td", { class: "number" }, row.low === null ? row.note : `${shown(row.low)} to ${shown(row.high)}`),
            h("td", { class: "number" }, row.n)))))));
  }

  // ---- the page ----

  const Failure = ({ error }) => h("main", null,
    h("h1", null, "Labelling"),
    h("p", { class: "alert", role: "alert" }, `This does not go on: ${error.message}`),
    h("button", { type: "button", onClick: () => { sitDown(""); location.reload(); } }, "Back to the start"));

  function Page() {
    const [who, setWho] = useState(asked().get("who") ?? "");
    const [about, setAbout] = useState(null);
    const [trouble, setTrouble] = useState("");
    const [refusal, setRefusal] = useState(null);
    useEffect(() => {
      const change = () => setWho(asked().get("who") ?? "");
      window.addEventListener("hashchange", change);
      return () => window.removeEventListener("hashchange", change);
    }, []);
    useEffect(() => { desk("/about", undefined, setTrouble).then(setAbout, setRefusal); }, [who]);
    useEffect(() => { if (about) document.title = about.title; }, [about]);
    if (refusal) return h(Failure, { error: refusal });
    if (!about) return h("main", null, h("h1", null, "Labelling"), h("p", { role: "status" }, trouble || "Opening …"));
    return who ? h(Labelling, { about, who, key: who }) : h(Start, { about });
  }

  const page = document.getElementById("page");
  page.replaceChildren();
  render(h(Page, null), page);
})();
