"use strict";
// Formulas between $, $$, \( \) and \[ \], as MathML. Temml is asked for no links, pictures, classes or styles (trust),
// and what it cannot read stays as it was written.
const MOST_FORMULAS = 3_000;  // of one text
// At most 2,000 characters each, so that a text of openings alone takes no time.
const DELIMITED = /(?<!\\)(?:\$\$([^$]{1,2000}?)\$\$|\\\[([\s\S]{1,2000}?)\\\]|\\\(([\s\S]{1,2000}?)\\\)|\$(?![\s$])((?:\\.|[^$\\\n]){1,2000}?)(?<!\s)\$(?!\d))/g;

const formulas = (text) => {  // [{from, to, tex, display}]
  const found = [];
  for (const match of text.matchAll(DELIMITED)) {
    const tex = match[1] ?? match[2] ?? match[3] ?? match[4];
    found.push({ from: match.index, to: match.index + match[0].length, tex, display: match[1] !== undefined || match[2] !== undefined });
    if (found.length === MOST_FORMULAS) break;
  }
  return found;
};

const lifted = (node) => {  // an attribute `style` is refused by the page's policy; a property is not
  if (node.attributes?.style) {
    for (const one of node.attributes.style.split(";").filter((part) => part.includes(":"))) {
      const [name, value] = one.split(":");
      node.style[name.trim().replace(/-(\w)/g, (_, c) => c.toUpperCase())] = value.trim();
    }
    delete node.attributes.style;
  }
  for (const child of node.children ?? []) lifted(child);
  return node;
};

const typeset = (formula, source) => {  // an element, or null where it cannot be read
  try {
    const options = { displayMode: formula.display, throwOnError: true, trust: false, strict: false, maxExpand: 200, maxSize: [2, 20] };
    const span = make("span", undefined, "maths");
    span.append(lifted(temml.__renderToMathMLTree(formula.tex, options)).toNode());
    span.title = source;
    return span;
  } catch (error) {  // any fault of the formula's: its source is shown
    return null;
  }
};

// Append `text`, which begins at `from` of the text that `found` are formulas of.
const flow = (parent, text, from, found) => {
  let at = 0;
  for (const formula of found) {
    const [start, end] = [formula.from - from, formula.to - from];
    if (start < at || end > text.length) continue;
    const node = typeset(formula, text.slice(start, end));
    if (!node) continue;
    parent.append(text.slice(at, start), node);
    at = end;
  }
  parent.append(text.slice(at));
};
