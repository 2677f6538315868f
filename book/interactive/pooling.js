"use strict";

// The pooling explorer: one channel, because each is pooled by itself.

parts.start("pooling", (given) => {
  const {choiceOf, factor, make, numberField, plane, signed, whole} = parts;

  const input = new Numbers("input", given.x, [8, 8, 1], [-4, 9], {
    equal: "all equal", ramp: "a ramp", edge: "an edge"});
  const kind = choiceOf({max: "max", average: "average"});
  const size = numberField("Window size", given.size, 1, 8);
  const stride = numberField("Stride", given.stride, 1, 8);
  const again = make("button", {type: "button"}, "New random numbers");

  // All that follows from the settings, for the walk; see walk.js.
  function compute() {
    const x = input.read();
    const f = whole(size, "the filter size");
    const s = whole(stride, "the stride");
    const isMax = kind.value === "max";
    const fit = (n) => arithmetic.outputSize(n, f, s, 0, false);
    const [rows, columns] = [x.length, x[0].length];
    const shape = [fit(rows), fit(columns)];

    // What is under the window, in reading order: {row, column, number}.
    const under = (at) => plane(f, f, (i, j) => {
      const [row, column] = [at.row * s + i, at.column * s + j];
      return {row, column, number: x[row][column][0]};
    }).flat();

    // The largest, in reading order: the first is the one that counts.
    function largest(at) {
      const best = Math.max(...under(at).map(({number}) => number));
      return under(at).filter(({number}) => number === best);
    }

    const mean = (at) => under(at).reduce((sum, {number}) => sum + number, 0) / f ** 2;
    const value = (at) => isMax ? largest(at)[0].number : mean(at);

    function inputs(at) {
      const [first, ...ties] = isMax ? largest(at) : [];
      const isAt = (r, c) => (place) => place?.row === r && place.column === c;
      const mark = (r, c) => isAt(r, c)(first) ? "explorer-first"
        : ties.some(isAt(r, c)) ? "explorer-tie" : "";
      return [parts.table("input", "explorer-input", plane(rows, columns, (r, c) => ({
        text: signed(x[r][c][0]), class: mark(r, c)})),
      {row: at.row * s, column: at.column * s, rows: f, columns: f})];
    }

    function sum(at) {
      const numbers = under(at).map(({number}) => number);
      const terms = isMax ? `max(${numbers.map(signed).join(", ")})`
        : `(${numbers.map(factor).join(" + ")}) / ${f * f}`;
      return [
        make("p", {class: "explorer-terms"}, make("span", {}, `${terms} = `,
          make("strong", {}, signed(value(at))))),
        ...(isMax ? [make("p", {}, whence(largest(at)))] : []),
      ];
    }

    const line = (n, out) => `(${n} \u2212 ${f})/${s} + 1 = ${out}`;
    return {shape, value, inputs, sum,
      size: [`Rows: ${line(rows, shape[0])}.`, `Columns: ${line(columns, shape[1])}.`]};
  }

  function whence([first, ...ties]) {
    const found = `row ${first.row}, column ${first.column}`;
    return ties.length === 0 ? `Found at ${found}: all of the gradient goes there.`
      : `A tie of ${ties.length + 1}. The first in reading order counts, at ${found}: `
        + "all of the gradient goes there.";
  }

  const walk = new Walk(compute, given.row, given.column);
  input.changed = () => walk.update();
  for (const field of [kind, size, stride]) {
    field.addEventListener("input", () => walk.update());
  }
  again.addEventListener("click", () => {
    input.shuffle();
    walk.update();
  });

  walk.update();
  return [
    make("div", {class: "explorer-fields"}, parts.labelled("Pooling", kind), input.size,
      parts.labelled("Window size", size), parts.labelled("Stride", stride)),
    make("div", {class: "explorer-fields"}, input.choice, again),
    parts.folded("Type the numbers", "A line for each row.", input.text),
    walk.stage,
  ];
});
