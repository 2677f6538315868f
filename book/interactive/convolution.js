"use strict";

// The convolution explorer: one filter over an input of one or two channels.

parts.start("convolution", (given) => {
  const {factor, make, numberField, signed, whole} = parts;
  const shapeOf = (x) => [x.length, x[0].length, x[0][0].length];
  const {SizeError, outputSize, times} = arithmetic;

  const input = new Numbers("input", given.x, [8, 8, 2], [0, 4], {
    edge: "an edge", dot: "a single 1"});
  const filter = new Numbers("filter", given.w, [7, 7, 2], [-2, 2], {
    upright: "upright edges", level: "level edges", ones: "all ones",
    dot: "a single 1"});
  const stride = numberField("Stride", 1, 1, 8);
  const pad = numberField("Padding", 0, 0, 3);
  filter.sizes[2].readOnly = true;  // a filter is as deep as its input
  const bias = numberField("Bias", given.bias, -99, 99);
  bias.step = "any";
  const again = make("button", {type: "button"}, "New random numbers");

  // All that follows from the settings, for the walk; see walk.js.
  function compute() {
    const [x, w] = [input.read(), filter.read()];
    checkDepth(w, x);
    const s = whole(stride, "the stride");
    const p = whole(pad, "the padding");
    const b = parts.number(bias.value, "the bias");
    const [rows, columns, channels] = shapeOf(x);
    const [fRows, fColumns] = shapeOf(w);
    const shape = [outputSize(rows, fRows, s, p), outputSize(columns, fColumns, s, p)];
    const isInside = (r, c) => r >= 0 && c >= 0 && r < rows && c < columns;
    const pixel = (r, c, k) => isInside(r, c) ? x[r][c][k] : 0;
    const each = (one) => Array.from({length: channels}, (_, k) => one(k));

    // Each (weight, number below it), a list for each row of each channel.
    const products = ({row, column}) => each((k) => w.map((line, i) => line.map(
      (weights, j) => [weights[k], pixel(row * s + i - p, column * s + j - p, k)])))
      .flat();

    const value = (at) => products(at).flat()
      .reduce((sum, [weight, number]) => sum + weight * number, b);

    function inputs(at) {
      const name = (what, k) => channels === 1 ? what : `${what}, channel ${k}`;
      const under = {row: at.row * s, column: at.column * s, rows: fRows,
        columns: fColumns};
      const padded = (k) => parts.plane(rows + 2 * p, columns + 2 * p, (r, c) => ({
        text: signed(pixel(r - p, c - p, k)),
        class: isInside(r - p, c - p) ? "" : "explorer-padding"}));
      const weights = (k) => parts.plane(fRows, fColumns, (r, c) => ({
        text: signed(w[r][c][k])}));
      return [
        ...each((k) => parts.table(name("input", k), "explorer-input", padded(k),
          under)),
        ...each((k) => parts.table(name("filter", k), "explorer-filter", weights(k))),
      ];
    }

    const size = [["Rows", rows, fRows, shape[0]], ["Columns", columns, fColumns,
      shape[1]]].map(([name, n, f, out]) =>
      `${name}: (${n} + 2\u00d7${p} \u2212 ${f})/${s} + 1 = ${out}.`);
    return {shape, size, value, inputs,
      sum: (at) => writtenOut(products(at), b, value(at))};
  }

  function checkDepth(w, x) {
    const [depth, channels] = [shapeOf(w)[2], shapeOf(x)[2]];
    if (depth === channels) return;
    throw new SizeError(`the filter is ${times(shapeOf(w))} but the image has `
      + `${channels} channel${channels === 1 ? "" : "s"}, so the filter is `
      + `${depth > channels ? "deeper" : "shallower"} than the image: a filter `
      + "always extends the full depth");
  }

  // w * x + w * x + ... + b = y, a line for each row of the filter.
  function writtenOut(products, b, y) {
    const chip = (kind, text) => make("span", {class: `explorer-${kind}`}, text);
    const term = ([weight, number]) => [" + ", chip("weight", factor(weight)), "\u00d7",
      chip("number", factor(number))];
    const lines = products.map((line) => make("span", {}, ...line.flatMap(term)));
    lines[0].firstChild.remove();  // no plus before the first of all
    return [
      make("p", {class: "explorer-legend"}, "Each ", chip("weight", "weight"),
        " times the ", chip("number", "number"), " below it, added up, and the bias:"),
      make("p", {class: "explorer-terms"}, ...lines,
        make("span", {}, ` + ${factor(b)} = `, make("strong", {}, signed(y)))),
    ];
  }

  const walk = new Walk(compute, given.row, given.column);
  input.changed = filter.changed = () => walk.update();
  input.deepened = () => filter.deepen(input.sizes[2].value);
  for (const field of [stride, pad, bias]) {
    field.addEventListener("input", () => walk.update());
  }
  again.addEventListener("click", () => {
    input.shuffle();
    filter.shuffle();
    walk.update();
  });

  walk.update();
  return [
    make("div", {class: "explorer-fields"}, input.size, filter.size,
      parts.labelled("Stride", stride), parts.labelled("Padding", pad),
      parts.labelled("Bias", bias)),
    make("div", {class: "explorer-fields"}, input.choice, filter.choice, again),
    parts.folded("Type the numbers",
      "A line for each row; a blank line between two channels.",
      input.text, filter.text),
    walk.stage,
  ];
});
