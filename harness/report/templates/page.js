"use strict";
const $ = (id) => document.getElementById(id);

$("theme").onclick = () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem("theme", theme); } catch (error) { console.info("the theme is not kept: " + error.message); }
};

// Tables: a click or Enter on a head sorts by it; empty values stay below.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const sort = (column) => {
    const head = heads[column];
    const first = head.classList.contains("num") || (table.classList.contains("board") && column) ? "descending" : "ascending";
    const turned = first === "descending" ? "ascending" : "descending";
    const order = head.getAttribute("aria-sort") === first ? turned : first;
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const key = (row) => row.cells[column].dataset.sort;
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      const [p, q] = [Number(x), Number(y)];
      return sign * (Number.isNaN(p) || Number.isNaN(q) ? x.localeCompare(y) : p - q);
    });
    table.tBodies[0].append(...rows);
  };
  heads.forEach((head, column) => {
    head.onclick = () => sort(column);
    head.onkeydown = (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(column); } };
  });
}

// Figures: a chip switches its series off and on.
for (const figure of document.querySelectorAll("figure")) {
  for (const chip of figure.querySelectorAll(".chips button")) {
    chip.onclick = () => {
      const on = chip.getAttribute("aria-pressed") !== "true";
      chip.setAttribute("aria-pressed", String(on));
      for (const part of figure.querySelectorAll(`svg [data-series="${chip.dataset.series}"]`)) part.classList.toggle("off", !on);
    };
  }
}

const index = JSON.parse($("index").textContent);
if (index.run && index.run.length) browse();

function browse() {
  const HEIGHT = 44;
  const list = $("list");
  const unpacked = new Map();
  let found = [];
  let chosen = -1;
  let opened = 0;

  // Text is compressed in blocks; a block is unpacked when one of its samples is looked at.
  const sample = async (i) => {
    const block = Math.floor(i / index.block);
    if (!unpacked.has(block)) {
      const bytes = Uint8Array.from(atob($("block" + block).textContent), (c) => c.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      unpacked.set(block, new Response(stream).json());
    }
    return (await unpacked.get(block))[i % index.block];
  };

  const option = (select, label, value) => select.append(new Option(label, value));
  option($("by-task"), "all tasks", "");
  index.tasks.forEach((task, i) => option($("by-task"), task, i));
  option($("by-run"), "all runs", "");
  index.runs.forEach((run, i) => option($("by-run"), run, i));
  option($("by-status"), "any status", "");
  [...new Set(index.status)].sort().forEach((status) => option($("by-status"), String(status), status));
  for (const [flag, label] of [["forced_end", "forced end"], ["looping", "looping"]]) {
    if (index[flag].some(Boolean)) option($("by-status"), label, "flag:" + flag);
  }

  const filter = () => {
    const [task, run, status] = ["by-task", "by-run", "by-status"].map((id) => $(id).value);
    const words = $("by-text").value.trim().toLowerCase();
    found = [];
    for (let i = 0; i < index.run.length; i++) {
      if (task !== "" && index.task[i] !== Number(task)) continue;
      if (run !== "" && index.run[i] !== Number(run)) continue;
      if (status.startsWith("flag:") ? !index[status.slice(5)][i] : status !== "" && String(index.status[i]) !== status) continue;
      if (words && !`${index.problem_id[i]} ${index.extracted[i]} ${index.gold[i]}`.toLowerCase().includes(words)) continue;
      found.push(i);
    }
    $("shown").textContent = `${found.length.toLocaleString("en")} of ${index.run.length.toLocaleString("en")}`;
    list.scrollTop = 0;
    draw();
  };

  const line = (text, kind) => { const span = document.createElement("span"); span.textContent = text; span.className = kind; return span; };
  const counted = (before, tokens) => (tokens === null ? "" : `${before}${tokens.toLocaleString("en")} tokens`);
  const mood = (i) => (index.status[i] === "correct" ? "ok" : "no");
  const draw = () => {  // only the rows in sight exist
    const first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - 4);
    const last = Math.min(found.length, Math.ceil((list.scrollTop + list.clientHeight) / HEIGHT) + 4);
    const spacer = document.createElement("div");
    spacer.style.height = `${found.length * HEIGHT}px`;
    const rows = [spacer];
    for (let at = first; at < last; at++) {
      const i = found[at];
      const row = document.createElement("div");
      row.className = "row";
      row.style.top = `${at * HEIGHT}px`;
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", String(i === chosen));
      row.append(line(`${index.problem_id[i]} · ${index.status[i]}`, mood(i)), line(index.runs[index.run[i]] + counted(" · ", index.thinking_tokens[i]), "soft"));
      row.onclick = () => open(i);
      rows.push(row);
    }
    list.replaceChildren(...rows);
  };

  const twins = (i) => {  // the same problem elsewhere
    const same = [];
    for (let j = 0; j < index.run.length; j++) {
      if (j !== i && index.problem_id[j] === index.problem_id[i] && index.task[j] === index.task[i]) same.push(j);
    }
    return same;
  };

  const full = (s) => s.thinking.map((piece) => piece[0]).join("");
  const common = (a, b) => { let n = 0; while (n < a.length && n < b.length && a[n] === b[n]) n++; return n; };

  const render = (i, s, differs) => {
    const card = document.createElement("article");
    const part = (title, node) => { const head = document.createElement("h4"); head.textContent = title; card.append(head, node); };
    const pre = (long) => { const node = document.createElement("pre"); if (long) node.className = "long"; return node; };
    const name = document.createElement("strong");
    name.textContent = index.runs[index.run[i]];
    const facts = document.createElement("div");
    facts.className = "facts";
    const fact = (label, value) => { const b = document.createElement("b"); b.textContent = value; const span = document.createElement("span"); span.append(label + " ", b); facts.append(span); };
    fact("status", index.status[i]);
    fact("extracted", index.extracted[i] ?? "–");
    fact("gold", index.gold[i] ?? "–");
    fact("thinking", counted("", index.thinking_tokens[i]) || "not counted");
    if (s.answer_tokens !== null) fact("answer", counted("", s.answer_tokens));
    if (s.num_rounds > 1) fact("rounds", s.num_rounds);
    if (s.thinking_finish) fact("ended by", s.thinking_finish);
    if (s.reason) fact("grader", s.reason);
    if (s.error) fact("error", s.error);
    card.append(name, facts);
    const question = pre();
    question.textContent = s.question ?? "";
    part("question", question);
    const thought = pre(true);
    let at = 0;
    for (const [text, kind] of s.thinking) {
      const cut = kind === 0 && differs !== null && differs >= at && differs < at + text.length ? differs - at : -1;
      if (cut >= 0) {
        const word = text.slice(cut).match(/^\s*\S*/)[0] || text.slice(cut, cut + 1);
        const spot = document.createElement("span");
        spot.className = "differs";
        spot.textContent = word;
        thought.append(text.slice(0, cut), spot, text.slice(cut + word.length));
      } else if (kind) {
        const forced = document.createElement("mark");
        if (kind === 2) forced.className = "gone";
        if (differs !== null && differs >= at && differs < at + text.length) forced.classList.add("differs");
        forced.textContent = text;
        thought.append(forced);
      } else thought.append(text);
      at += text.length;
    }
    part("thinking", thought);
    const answer = pre();
    const closing = document.createElement(s.num_rounds === null ? "span" : "mark");  // an imported log does not tell who wrote it
    closing.textContent = s.closing ?? "";
    if (s.closing) answer.append(closing);
    answer.append(s.answer ?? "");
    part("answer", answer);
    return card;
  };

  const show = async () => {
    const mine = ++opened;  // a slower, older request must not overwrite a newer one
    const i = chosen;
    const other = $("other").value === "" ? -1 : Number($("other").value);
    const a = await sample(i);
    const b = other >= 0 ? await sample(other) : null;
    if (mine !== opened) return;
    if (!b) { $("sample").replaceChildren(render(i, a, null)); return; }
    const [x, y] = [full(a), full(b)];
    const at = common(x, y);
    const same = x === y;
    const said = document.createElement("p");
    said.className = "soft";
    said.id = "difference";
    said.style.gridColumn = "1 / -1";
    said.style.margin = "0";
    const token = a.ids && b.ids ? common(a.ids, b.ids) : null;
    said.textContent = same ? "The two thoughts are the same text."
      : `First difference at character ${at.toLocaleString("en")}` + (token === null ? "." : `, token ${token.toLocaleString("en")} of ${a.ids.length.toLocaleString("en")} and ${b.ids.length.toLocaleString("en")}.`);
    $("sample").replaceChildren(said, render(i, a, same ? null : at), render(other, b, same ? null : at));
    for (const spot of document.querySelectorAll("#sample .differs")) { const box = spot.closest("pre"); box.scrollTop = spot.offsetTop - box.offsetTop - box.clientHeight / 2; }
  };

  const open = (i) => {
    const before = $("other").value === "" ? null : index.run[Number($("other").value)];
    chosen = i;
    const select = $("other");
    select.replaceChildren();
    option(select, "nothing", "");
    for (const j of twins(i)) option(select, `${index.runs[index.run[j]]}${index.sample_index[j] ? " #" + index.sample_index[j] : ""} · ${index.status[j]}`, j);
    const again = twins(i).find((j) => index.run[j] === before);
    if (again !== undefined) select.value = again;
    draw();
    show();
  };

  for (const id of ["by-task", "by-run", "by-status"]) $(id).onchange = filter;
  $("by-text").oninput = filter;
  $("other").onchange = show;
  let waiting = false;
  list.onscroll = () => { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; draw(); }); } };
  list.onkeydown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !found.length) return;
    event.preventDefault();
    const at = Math.min(found.length - 1, Math.max(0, found.indexOf(chosen) + step));
    open(found[at]);
    const top = at * HEIGHT;
    if (top < list.scrollTop) list.scrollTop = top;
    if (top + HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + HEIGHT - list.clientHeight;
  };
  new ResizeObserver(draw).observe(list);
  filter();
  const forced = found.find((i) => index.runs[index.run[i]].includes("+"));
  open(forced === undefined ? found[0] : forced);
}
