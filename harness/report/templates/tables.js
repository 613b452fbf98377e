"use strict";
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

// A table as it stands, in another form. `shown` says how a text, its footnote and its style are written.
const contents = (table, shown) => {
  const cell = (td) => {
    const part = (selector) => td.querySelector(selector)?.textContent.trim() ?? "";
    const value = td.querySelector("span");
    const text = value ? value.textContent.trim() : td.textContent.trim();
    const details = [part(".detail"), part(".delta")].filter(Boolean).join("; ");
    return shown(text, value?.className ?? "", details, part("sup"));
  };
  const notes = [...document.querySelectorAll(`#${table.id}_notes > li`)].map((li) => {
    const mark = li.querySelector("sup")?.textContent ?? "";
    return [mark, (mark ? li.textContent.trim().slice(mark.length) : li.textContent).trim()];
  });
  return {
    heads: [...table.tHead.rows[0].cells].map((th) => th.textContent.trim()),
    numeric: [...table.tHead.rows[0].cells].map((th, at) => th.classList.contains("num") || (table.classList.contains("board") && at > 0)),
    rows: [...table.tBodies[0].rows].map((row) => [...row.cells].map(cell)),
    notes,
  };
};

const asMarkdown = (table) => {
  const safe = (text) => text.replace(/\\/g, "\\\\").replace(/\|/g, "\\|").replace(/</g, "&lt;").replace(/`/g, "\\`").replace(/\](?=[([:])/g, "\\]");
  const { heads, numeric, rows, notes } = contents(table, (text, style, detail, mark) =>
    (style === "best" ? `**${safe(text)}**` : safe(text) + (style === "tied" ? " ≈" : "")) + (detail ? " " + safe(detail) : "") + (mark ? `<sup>${mark}</sup>` : ""));
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(heads.map(safe)), "|" + numeric.map((is) => (is ? "---:" : "---")).join("|") + "|", ...rows.map(line), "",
    ...notes.map(([mark, text]) => (mark ? `<sup>${mark}</sup> ` : "") + safe(text) + "  ")].join("\n").trimEnd() + "\n";
};

const LATEX = { "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "$": "\\$", "&": "\\&", "#": "\\#", "_": "\\_", "%": "\\%", "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}", "≈": "$\\approx$", "–": "--", "→": "$\\to$", "±": "$\\pm$", "×": "$\\times$", "…": "\\dots{}" };
const asLatex = (table) => {
  const safe = (text) => text.replace(/[\\{}$&#_%~^<>|≈–→±×…]/g, (c) => LATEX[c]).replace(/(^|[\s[(])-(?=\d)/g, "$1$$-$$");
  const { heads, numeric, rows, notes } = contents(table, (text, style, detail, mark) =>
    (style === "best" ? `\\textbf{${safe(text)}}` : safe(text) + (style === "tied" ? " $\\approx$" : "")) + (detail ? ` {\\footnotesize ${safe(detail)}}` : "") + (mark ? `\\textsuperscript{${mark}}` : ""));
  const line = (cells) => cells.map((text) => (text.startsWith("[") ? `{${text}}` : text)).join(" & ") + " \\\\";
  return ["% needs \\usepackage{booktabs}", "\\begin{table}", "\\centering", `\\caption{${safe(table.dataset.title)}}`,
    `\\begin{tabular}{${numeric.map((is) => (is ? "r" : "l")).join("")}}`, "\\toprule", line(heads.map(safe)), "\\midrule", ...rows.map(line), "\\bottomrule", "\\end{tabular}",
    ...notes.map(([mark, text]) => `\\par{\\footnotesize ${mark ? `\\textsuperscript{${mark}} ` : ""}${safe(text)}}`), "\\end{table}"].join("\n") + "\n";
};

const asCsv = (table) => {
  const { heads, rows } = contents(table, (text, style, detail) => text + (detail ? " " + detail : ""));
  const safe = (text) => {  // a spreadsheet must not take a text for a formula
    const plain = /^[=+\-@\t\r]/.test(text) && !/^[+-]?[\d.,]+$/.test(text) ? "'" + text : text;
    return /[",\n\r]/.test(plain) ? `"${plain.replace(/"/g, '""')}"` : plain;
  };
  return [heads, ...rows].map((row) => row.map(safe).join(",")).join("\n") + "\n";
};

const FORMS = { markdown: asMarkdown, latex: asLatex, csv: asCsv };
for (const bar of document.querySelectorAll(".copies")) {
  const table = $(bar.dataset.table);
  for (const button of bar.querySelectorAll("button")) {
    button.onclick = async () => {
      await copy(FORMS[button.dataset.form](table));
      bar.querySelector(".said").textContent = `copied as ${button.textContent}`;
    };
  }
  hinted(table.parentElement, bar.querySelector(".hint"));
}
