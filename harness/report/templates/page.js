"use strict";
const $ = (id) => document.getElementById(id);
const make = (name, text, kind) => { const node = document.createElement(name); if (text !== undefined) node.textContent = text; if (kind) node.className = kind; return node; };
const count = (number) => number.toLocaleString("en");

// What the page holds is compressed, and unpacked when it is asked for.
const unpacked = (text) => {
  const bytes = Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
};

const save = (name, blob) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
};

const copy = async (text) => {
  try { await navigator.clipboard.writeText(text); return; } catch (error) { console.info("no clipboard here: " + error.message); }
  const field = document.createElement("textarea");  // a page from a folder has no clipboard in every browser
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
};

$("theme").onclick = () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem("theme", theme); } catch (error) { console.info("the theme is not kept: " + error.message); }
};

// Says beside a box that there is more of it to the right, as long as there is.
const hinted = (box, hint) => {
  const tell = () => { hint.hidden = box.scrollLeft + box.clientWidth >= box.scrollWidth - 2; };
  box.addEventListener("scroll", tell, { passive: true });
  new ResizeObserver(tell).observe(box);
};

// Figures: a chip switches its series off and on.
for (const figure of document.querySelectorAll("figure")) {
  hinted(figure.querySelector(".wide"), figure.querySelector(".hint"));
  for (const chip of figure.querySelectorAll(".chips button")) {
    chip.onclick = () => {
      const on = chip.getAttribute("aria-pressed") !== "true";
      chip.setAttribute("aria-pressed", String(on));
      for (const part of figure.querySelectorAll(`svg [data-series="${chip.dataset.series}"]`)) part.classList.toggle("off", !on);
    };
  }
}

for (const button of document.querySelectorAll("button.take")) {
  button.onclick = async () => {
    const file = [...document.querySelectorAll("script.file")].find((one) => one.dataset.name === button.dataset.file);
    save(button.dataset.file, await unpacked(file.textContent).blob());
  };
}
$("copy-bibtex").onclick = async (event) => { await copy($("bibtex").textContent); event.target.textContent = "copied"; };
