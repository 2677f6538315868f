"use strict";

// The parts that the interactive pages are made of: elements, fields, tables of
// numbers. What a reader types goes into the page as text alone, never as markup.

const parts = (() => {
  const {SizeError, check} = arithmetic;
  const LARGEST = 99;
  let fields = 0;

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  // A field for a whole number; `words` names it for who does not see what is around.
  const numberField = (words, value, least, most) => make("input", {
    type: "number", "aria-label": words, value, min: least, max: most, step: 1});

  // A field under its label. Not inside of it: the options of a list, or a typed text,
  // would then count as part of the label.
  function labelled(heading, field) {
    field.id ||= `explorer-field-${fields += 1}`;
    return make("div", {class: "explorer-field"},
      make("label", {for: field.id}, heading), field);
  }

  // Fields under one heading, with "x" between: Input [5] x [5] x [1].
  const group = (heading, fields) => make("fieldset", {}, make("legend", {}, heading),
    ...fields.flatMap((field) => ["x", field]).slice(1));

  // A list of {value: words} to choose one from.
  const choiceOf = (options) => make("select", {}, ...Object.entries(options).map(
    ([value, words]) => make("option", {value}, words)));

  const textArea = (rows) => make("textarea", {rows, spellcheck: "false",
    autocapitalize: "off", autocomplete: "off"});

  const folded = (heading, words, ...fields) => make("details", {},
    make("summary", {}, heading), make("p", {}, words),
    make("div", {class: "explorer-fields"}, ...fields));

  // The whole number in a field, or an error that says what is wrong with it.
  function whole(field, name) {
    const value = field.valueAsNumber;
    if (!Number.isInteger(value)) {
      throw new SizeError(
        `${name} must be a whole number, got ${field.value || "nothing"}`);
    }
    check(name, value, Number(field.min));
    if (value > Number(field.max)) {
      throw new SizeError(`${name} is at most ${field.max} on this page, got ${value}`);
    }
    return value;
  }

  // The number that a word says, a small one, so that grids stay readable.
  function number(word, name) {
    const value = Number(word.replace("\u2212", "-"));
    if (word === "" || !(Math.abs(value) <= LARGEST)) {
      throw new SizeError(`${name} must be a number from -${LARGEST} to ${LARGEST}, `
        + `got ${word || "nothing"}`);
    }
    return value;
  }

  // A number with a true minus sign and at most four decimals; as a factor, a
  // negative one is in brackets.
  const signed = (value) => String(Number(value.toFixed(4))).replace("-", "\u2212");
  const factor = (value) => value < 0 ? `(${signed(value)})` : signed(value);

  const plane = (rows, columns, cell) => Array.from({length: rows}, (_, r) =>
    Array.from({length: columns}, (_, c) => cell(r, c)));

  // A plane of cells {text, and attributes} as a table; `frame`, {row, column, rows,
  // columns}, is drawn around that part of it.
  function table(heading, kind, cells, frame) {
    const rows = cells.map((row) => make("tr", {}, ...row.map(
      ({text, ...attributes}) => make("td", attributes, text))));
    const box = make("div", {class: "explorer-frame"});
    for (const [name, value] of Object.entries(frame ?? {})) {
      box.style.setProperty(`--${name}`, value);
    }
    const grid = make("div", {class: `explorer-grid ${kind}`},
      make("table", {"aria-label": heading}, make("tbody", {}, ...rows)),
      ...(frame ? [box] : []));
    grid.style.setProperty("--across", cells[0].length);
    grid.style.setProperty("--letters", Math.max(2, ...cells.flat().map(
      ({text}) => text.length)));
    return make("div", {class: "explorer-part drawing-part"},
      make("p", {class: "explorer-heading", "aria-hidden": "true"}, heading), grid);
  }

  // Puts what `open` makes in place of each static figure that waits for it.
  function start(kind, open) {
    for (const home of document.querySelectorAll(`[data-explorer="${kind}"]`)) {
      home.replaceChildren(...open(JSON.parse(home.dataset.settings)));
    }
  }

  return {choiceOf, factor, folded, group, labelled, make, number, numberField, plane,
    signed, start, table, textArea, whole};
})();
