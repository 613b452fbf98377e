"use strict";
unpacked($("index").textContent).json().then((index) => { if (index.run && index.run.length) browse(index); });

function browse(index) {
  const HEIGHT = 44;
  const KEPT = 60;  // unpacked blocks
  const list = $("list");
  const blocks = new Map();
  const num = index.run.length;
  let found = [];
  let chosen = -1;
  let beside = null;  // the run id that a link names; else the run in the list of runs
  let opened = 0;
  let search = { words: "", hits: new Set(), done: true };

  // Text is compressed in blocks; a block is unpacked when one of its samples is looked at.
  const block = (at) => {
    if (!blocks.has(at)) {
      blocks.set(at, unpacked($("block" + at).textContent).json());
      if (blocks.size > KEPT) blocks.delete(blocks.keys().next().value);
    }
    return blocks.get(at);
  };
  const sample = async (i) => (await block(Math.floor(i / index.block)))[i % index.block];

  const option = (select, label, value) => select.append(new Option(label, value));
  option($("by-task"), "all tasks", "");
  index.tasks.forEach((task, i) => option($("by-task"), task, i));
  option($("by-run"), "all runs", "");
  index.runs.forEach((run, i) => option($("by-run"), run, i));
  option($("by-status"), "any status", "");
  [...new Set(index.status)].sort().forEach((status) => option($("by-status"), status === "truncated" ? "cut (truncated)" : String(status), status));
  for (const [flag, label] of [["forced_end", "forced end"], ["looping", "loops"]]) {
    if (index[flag].some(Boolean)) option($("by-status"), label, "flag:" + flag);
  }
  const facts = Object.entries(index.facts);
  option($("by-fact"), "any " + (facts.map(([name]) => name).join(", ") || "kind"), "");
  for (const [name, { values }] of facts) values.forEach((value, at) => option($("by-fact"), `${name}: ${value}`, JSON.stringify([name, at])));
  $("by-fact").hidden = !facts.length;
  option($("other"), "nothing", "");
  index.runs.forEach((run, i) => option($("other"), run, i));
  for (const [value, label] of [["", "all of them"], ["differs", "only differing"], ["gained", "gained: right here alone"], ["lost", "lost: right there alone"]]) option($("by-pair"), label, value);

  const seed = (i) => index.seeds[index.id[i]];
  const several = { seeds: new Set(index.seeds).size > 1, samples: index.sample_index.some((at) => at > 0) };

  // The same question elsewhere: its samples by run.
  const places = new Map();
  for (let i = 0; i < num; i++) {
    const key = index.pair[i] * index.runs.length + index.run[i];
    if (places.has(key)) places.get(key).push(i); else places.set(key, [i]);
  }
  const twin = (i) => {
    const run = $("other").value;
    if (run === "") return -1;
    const same = (places.get(index.pair[i] * index.runs.length + Number(run)) ?? []).filter((j) => j !== i);
    const like = (j) => index.sample_index[j] === index.sample_index[i];
    const near = (j) => like(j) && seed(j) === seed(i);
    return same.find((j) => index.ids[index.id[j]] === beside && like(j)) ?? same.find(near) ?? same.find(like) ?? same[0] ?? -1;
  };
  const which = (i) => [[several.seeds && seed(i) !== null, `seed ${seed(i)}`], [several.samples, `sample ${(index.sample_index[i] ?? 0) + 1}`]]
    .filter(([is]) => is).map(([, text]) => text);
  const right = (i) => index.status[i] === "correct";
  const related = {
    differs: (i, j) => right(i) !== right(j) || index.extracted[i] !== index.extracted[j],
    gained: (i, j) => right(i) && !right(j),
    lost: (i, j) => !right(i) && right(j),
  };

  const passes = () => {  // whether a sample is in the list, its text aside
    const [task, run, status, fact, pair] = ["by-task", "by-run", "by-status", "by-fact", "by-pair"].map((id) => $(id).value);
    const [name, value] = fact ? JSON.parse(fact) : [];
    return (i) => {
      if (task !== "" && index.task[i] !== Number(task)) return false;
      if (run !== "" && index.run[i] !== Number(run)) return false;
      if (status.startsWith("flag:") ? !index[status.slice(5)][i] : status !== "" && String(index.status[i]) !== status) return false;
      if (fact && index.facts[name].of[i] !== value) return false;
      if (pair) { const j = twin(i); return j >= 0 && index.run[i] !== Number($("other").value) && related[pair](i, j); }
      return true;
    };
  };

  const filter = () => {
    const words = $("by-text").value.trim().toLowerCase();
    if (words !== search.words) seek(words);
    const passed = passes();
    found = [];
    for (let i = 0; i < num; i++) {
      if (!passed(i)) continue;
      if (words && !search.hits.has(i) && !`${index.problem_id[i]} ${index.extracted[i]} ${index.gold[i]}`.toLowerCase().includes(words)) continue;
      found.push(i);
    }
    $("shown").textContent = `${count(found.length)} of ${count(num)}`;
    tell();
    draw();
    ends();
  };
  const ends = () => {  // what is listed goes no further
    const at = found.indexOf(chosen);
    $("before").disabled = at === 0 || !found.length;
    $("after").disabled = at === found.length - 1;
  };

  // Search: what the index holds at once, the texts block by block.
  const seek = async (words) => {
    const mine = search = { words, hits: new Set(), done: words.length < 2 };
    if (mine.done) { $("searched").textContent = words ? "in problem, gold and extracted answer (two letters or more: in the texts, too)" : ""; return; }
    let partial = false;
    let drawn = performance.now();
    const num_blocks = Math.ceil(num / index.block);
    for (let at = 0; at < num_blocks; at++) {
      const samples = await (blocks.get(at) ?? unpacked($("block" + at).textContent).json());
      if (search !== mine) return;
      samples.forEach((s, k) => {
        partial ||= s.thinking.some((piece) => piece[1] === 2);
        const texts = [s.question, ...s.thinking.filter((piece) => piece[1] < 2).map((piece) => piece[0]), s.closing, s.answer];
        if (texts.join("").toLowerCase().includes(words)) mine.hits.add(at * index.block + k);
      });
      if (performance.now() - drawn > 150 || at === num_blocks - 1) {
        drawn = performance.now();
        mine.done = at === num_blocks - 1;
        const seen = Math.min(num, (at + 1) * index.block);
        $("searched").textContent = `“${words}” in problem, gold and extracted answer of all, and in question, thought and answer of ${count(seen)} of ${count(num)} samples`
          + (partial ? "; not in the middle of long thoughts, which is left out here" : "") + (mine.done ? "" : " …");
        filter();
        await new Promise(requestAnimationFrame);
      }
    }
  };

  const tell = () => {  // the two runs that are held against each other
    const [a, b] = [$("by-run").value, $("other").value];
    if (a === "" || b === "" || a === b) { $("tally").textContent = b === "" ? "" : "Pick one run in the list of runs, too, to hold it against this one."; return; }
    const lines = [];
    index.tasks.forEach((task, t) => {
      if ($("by-task").value !== "" && Number($("by-task").value) !== t) return;
      let [paired, gained, lost] = [0, 0, 0];
      for (let i = 0; i < num; i++) {
        if (index.task[i] !== t || index.run[i] !== Number(a)) continue;
        const j = twin(i);
        if (j < 0) continue;
        paired += 1; gained += related.gained(i, j); lost += related.lost(i, j);
      }
      if (!paired) return;
      const gap = index.gaps[`${t}/${a}/${b}`];
      lines.push(`${task}: of ${count(paired)} samples ${count(gained)} gained, ${count(lost)} lost${gap ? "; difference " + gap : ""}`);
    });
    $("tally").textContent = lines.join(" · ");
  };

  const line = (text, kind) => make("span", text, kind);
  const counted = (before, tokens) => (tokens === null ? "" : `${before}${count(tokens)} ${tokens === 1 ? "token" : "tokens"}`);
  const mood = (i) => (right(i) ? "ok" : "no");
  const draw = () => {  // only the rows in sight exist
    const first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - 4);
    const last = Math.min(found.length, Math.ceil((list.scrollTop + list.clientHeight) / HEIGHT) + 4);
    const spacer = document.createElement("div");
    spacer.style.height = `${found.length * HEIGHT}px`;
    const rows = found.length ? [spacer] : [make("p", "No sample fits.", "soft")];
    for (let at = first; at < last; at++) {
      const i = found[at];
      const row = make("div", undefined, "row");
      row.style.top = `${at * HEIGHT}px`;
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", String(i === chosen));
      row.append(line([index.problem_id[i], index.status[i], ...which(i)].join(" · "), mood(i)), line(index.runs[index.run[i]] + counted(" · ", index.thinking_tokens[i]), "soft"));
      row.onclick = () => open(i);
      rows.push(row);
    }
    list.replaceChildren(...rows);
  };

  const full = (s) => s.thinking.map((piece) => piece[0]).join("");
  const common = (a, b) => { let n = 0; while (n < a.length && n < b.length && a[n] === b[n]) n++; return n; };

  const render = (i, s, differs) => {
    const card = document.createElement("article");
    const part = (title, node) => card.append(make("h4", title), node);
    const read = (text) => ($("typeset").checked ? formulas(text) : []);
    const facts = make("div", undefined, "facts");
    const fact = (label, value) => { const span = make("span", label + " "); span.append(make("b", value)); facts.append(span); };
    fact("problem", [index.problem_id[i], ...which(i)].join(", "));
    fact("status", index.status[i]);
    fact("extracted", index.extracted[i] ?? "–");
    fact("gold", index.gold[i] ?? "–");
    fact("thinking", counted("", index.thinking_tokens[i]) || "not counted");
    if (s.answer_tokens !== null) fact("answer", counted("", s.answer_tokens));
    if (s.num_rounds > 1) fact("rounds", s.num_rounds);
    if (s.thinking_finish) fact("ended by", s.thinking_finish);
    if (s.reason) fact("grader", s.reason);
    if (s.error) fact("error", s.error);
    const link = make("a", "link");
    link.href = place(i);
    facts.append(link);
    card.append(make("strong", index.runs[index.run[i]]), facts);
    const question = make("pre");
    flow(question, s.question ?? "", 0, read(s.question ?? ""));
    part("question", question);
    const thought = make("pre", undefined, "long");
    const maths = read(full(s));
    let at = 0;
    for (const [text, kind] of s.thinking) {
      const here = differs !== null && differs >= at && differs < at + text.length;
      if (kind) {
        const forced = make("mark", text, kind === 2 ? "gone" : "");
        if (here) forced.classList.add("differs");
        thought.append(forced);
      } else if (here) {
        const cut = differs - at + text.slice(differs - at).match(/^\s*(?=\S)|/)[0].length;
        const word = text.slice(cut).match(/^\S+|/)[0] || text.slice(cut, cut + 1);
        flow(thought, text.slice(0, cut), at, maths);
        thought.append(make("span", word, "differs"));
        flow(thought, text.slice(cut + word.length), at + cut + word.length, maths);
      } else flow(thought, text, at, maths);
      at += text.length;
    }
    if (thought.hasChildNodes()) part("thinking", thought); else card.append(make("h4", "no thinking"));
    const answer = make("pre");
    if (s.closing) {
      const known = s.num_rounds !== null && index.forced_end[i] !== null;  // an imported log does not tell who wrote it
      const closing = make(known ? "mark" : "span", s.closing, known && !index.forced_end[i] ? "natural" : "");
      if (known) closing.title = index.forced_end[i] ? "put in by the harness at the budget" : "the model ended here by itself";
      answer.append(closing);
    }
    flow(answer, s.answer ?? "", 0, read(s.answer ?? ""));
    part("answer", answer);
    return card;
  };

  const show = async () => {
    const mine = ++opened;  // a slower, older request must not overwrite a newer one
    const i = chosen;
    const other = twin(i);
    const a = await sample(i);
    const b = other >= 0 ? await sample(other) : null;
    if (mine !== opened) return;
    if (!b) {
      $("sample").replaceChildren(...($("other").value === "" ? [] : [make("p", "The other run has no sample of this problem.", "soft")]), render(i, a, null));
      return;
    }
    const [x, y] = [full(a), full(b)];
    const at = common(x, y);
    const same = x === y;
    const said = make("p", undefined, "soft");
    said.id = "difference";
    const token = a.ids?.length && b.ids?.length ? common(a.ids, b.ids) : null;
    said.textContent = same ? (x ? "The two thoughts are the same text." : "Neither has a thought.")
      : !x || !y ? "One has a thought, the other none."
      : `First difference at character ${count(at)}` + (token === null ? "." : `, token ${count(token)} of ${count(a.ids.length)} and ${count(b.ids.length)}.`);
    $("sample").replaceChildren(said, render(i, a, same ? null : at), render(other, b, same ? null : at));
    for (const spot of document.querySelectorAll("#sample .differs")) { const box = spot.closest("pre"); box.scrollTop = spot.offsetTop - box.offsetTop - box.clientHeight / 2; }
  };

  // Links: #sample=RUN/PROBLEM&index=1&beside=RUN, #task=TASK, #study=STUDY. Back and forward go through what was opened.
  const place = (i) => {
    const parts = [`sample=${encodeURIComponent(index.ids[index.id[i]])}/${encodeURIComponent(index.problem_id[i])}`];
    if (index.sample_index[i]) parts.push(`index=${index.sample_index[i]}`);
    const other = twin(i);
    if (other >= 0) parts.push(`beside=${encodeURIComponent(index.ids[index.id[other]])}`);
    return "#" + parts.join("&");
  };
  const follow = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    const study = asked.get("study");
    if (study !== null) [...document.querySelectorAll("main > section > h1")].find((head) => head.textContent === study)?.scrollIntoView();
    const task = index.tasks.indexOf(asked.get("task"));
    if (task >= 0) {
      $("by-task").value = task;
      filter();
      if (chosen >= 0 && found.length && !found.includes(chosen)) open(found[0], false);
      if (study === null) $("samples").scrollIntoView();
    }
    const [run, ...rest] = (asked.get("sample") ?? "").split("/");
    if (!rest.length) return false;
    const [problem, nth] = [rest.join("/"), Number(asked.get("index") ?? 0)];
    let at = -1;
    for (let i = 0; i < num && at < 0; i++) if (index.ids[index.id[i]] === run && index.problem_id[i] === problem && (index.sample_index[i] ?? 0) === nth) at = i;
    $("samples").scrollIntoView();
    if (at < 0) { $("searched").textContent = `no sample of run ${run} on ${problem} is on this page`; return false; }
    beside = asked.get("beside");
    const named = index.id.findIndex((id) => index.ids[id] === beside);
    $("other").value = named < 0 ? "" : index.run[named];
    open(at, false);
    return true;
  };
  addEventListener("hashchange", () => { if (!follow() && !location.hash) open(start, false); });

  const open = (i, told = true) => {
    chosen = i;
    if (told) { beside = null; history.pushState(null, "", place(i)); }
    const at = found.indexOf(i);
    ends();
    if (at >= 0) {
      const top = at * HEIGHT;
      if (top < list.scrollTop) list.scrollTop = top;
      if (top + HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + HEIGHT - list.clientHeight;
    }
    draw();
    show();
  };
  const step = (by) => {
    if (!found.length) return;
    const at = Math.min(found.length - 1, Math.max(0, found.indexOf(chosen) + by));
    open(found[at]);
  };

  const refilter = () => {  // a sample that is not listed gives way to the first that is
    list.scrollTop = 0;
    filter();
    if (found.length && !found.includes(chosen)) { beside = null; open(found[0], false); history.replaceState(null, "", place(chosen)); }
  };
  for (const id of ["by-task", "by-run", "by-status", "by-fact"]) $(id).onchange = refilter;
  $("by-pair").onchange = () => {
    if ($("by-pair").value && $("other").value === "") {
      const run = $("by-run").value === "" ? -1 : Number($("by-run").value);
      $("other").value = index.reference !== null && index.reference !== run ? index.reference : index.runs.findIndex((_, at) => at !== run);
    }
    refilter();
    show();
  };
  let typed = 0;
  $("by-text").oninput = () => { clearTimeout(typed); typed = setTimeout(() => { list.scrollTop = 0; filter(); }, 120); };
  $("other").onchange = () => { beside = null; refilter(); history.replaceState(null, "", place(chosen)); show(); };
  $("typeset").onchange = show;
  $("before").onclick = () => step(-1);
  $("after").onclick = () => step(1);
  $("take-samples").onclick = async () => {
    const lines = [];
    for (const i of found) {
      const s = await sample(i);
      const { thinking, ids, ...rest } = s;
      lines.push(JSON.stringify({ run_id: index.ids[index.id[i]], run: index.runs[index.run[i]], task: index.tasks[index.task[i]], problem_id: index.problem_id[i],
        sample_index: index.sample_index[i], status: index.status[i], extracted: index.extracted[i], gold: index.gold[i], thinking_tokens: index.thinking_tokens[i], thinking: full(s), ...rest }));
    }
    save("samples.jsonl", new Blob([lines.join("\n") + "\n"], { type: "application/jsonl" }));
  };
  let waiting = false;
  list.onscroll = () => { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; draw(); }); } };
  list.onkeydown = (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) { event.preventDefault(); step(by); }
  };
  new ResizeObserver(draw).observe(list);
  filter();
  const start = found.find((i) => index.runs[index.run[i]].includes("+")) ?? found[0];
  if (!follow()) open(found.includes(start) ? start : found[0], false);
}
