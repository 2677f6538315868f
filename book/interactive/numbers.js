"use strict";

// A grid of numbers that a reader sizes, chooses or types: x[row][column][channel],
// as on the book's pages. The text field holds the numbers that count; sizes and
// kinds fill it.
//
//   changed()   called when anything has changed; read() then gives the grid, or
//               throws a SizeError
//   deepened()  called when the number of channels has changed

class Numbers {
  // text: the rows that the book's text uses; most: the largest shape; range: of
  // random numbers; kinds: {a key of PATTERNS: its words}.
  constructor(name, text, most, range, kinds) {
    const {choiceOf, group, labelled, numberField, textArea} = parts;
    const title = name[0].toUpperCase() + name.slice(1);
    Object.assign(this, {name, given: text, most, range, seed: 0});
    this.changed = this.deepened = () => {};
    this.sizes = [["Rows", text.length], ["Columns", text[0].length], ["Channels", 1]]
      .map(([axis, n], i) => numberField(`${axis} of the ${name}`, n, 1, most[i]));
    this.kind = choiceOf({given: "as in the text", ...kinds, random: "random",
      own: "your own"});
    this.area = textArea(5);

    this.size = group(title, this.sizes.slice(0, most[2] > 1 ? 3 : 2));
    this.choice = labelled(`${title} numbers`, this.kind);
    this.text = labelled(title, this.area);
    for (const field of this.sizes) {
      field.addEventListener("input", () => this.resize());
    }
    this.kind.addEventListener("change", () => this.resize());
    this.area.addEventListener("input", () => this.type());
    this.fill();
  }

  read() {
    this.shape();  // what is wrong with a size is said first
    return this.parse();
  }

  shape() {
    return ["rows", "columns", "channels"].map((axis, i) => parts.whole(
      this.sizes[i], `the number of ${axis} of the ${this.name}`));
  }

  resize() {
    this.attempt(() => this.fill());
    this.deepened();
    this.changed();
  }

  deepen(channels) {
    this.sizes[2].value = channels;
    this.attempt(() => this.fill());
  }

  type() {
    this.kind.value = "own";
    this.attempt(() => {
      this.parse();
      this.deepened();
    });
    this.changed();
  }

  // What does not fit here is said by read().
  attempt(step) {
    try {
      step();
    } catch (error) {
      if (!(error instanceof arithmetic.SizeError)) throw error;
    }
  }

  // Other random numbers, until the next time.
  shuffle() {
    this.seed += 1;
    this.kind.value = "random";
    this.fill();
  }

  fill() {
    const shape = this.shape();
    const drawn = Numbers.random(this.seed, ...this.range);
    const text = (r, c, k) => k === 0 ? this.given[r]?.[c] : undefined;
    const cell = {
      given: (r, c, k) => text(r, c, k) ?? drawn(r, c, k),
      random: drawn,
      own: (r, c, k) => this.grid[r]?.[c]?.[k] ?? 0,
    }[this.kind.value] ?? Numbers.PATTERNS[this.kind.value](...shape);
    const [rows, columns, channels] = shape;
    this.grid = parts.plane(rows, columns, (r, c) => Array.from(
      {length: channels}, (_, k) => cell(r, c, k)));
    this.area.value = this.grid[0][0].map((_, k) => this.grid.map((row) => row.map(
      (at) => at[k]).join(" ")).join("\n")).join("\n\n");
  }

  // The text's grid: a line a row, a blank line between channels.
  parse() {
    const {SizeError, times} = arithmetic;
    const blocks = this.area.value.trim().split(/\n[ \t]*\n\s*/).map((block) =>
      block.split("\n").map((line) => line.trim().split(/[\s,;]+/).map(
        (word) => parts.number(word, `each entry of the ${this.name}`))));
    const shape = [blocks[0].length, blocks[0][0].length, blocks.length];
    for (const block of blocks) {
      if (block.length !== shape[0]) {
        throw new SizeError(`the channels of the ${this.name} differ in height: `
          + `${shape[0]} and ${block.length} rows`);
      }
      const odd = block.find((row) => row.length !== shape[1]);
      if (odd) {
        throw new SizeError(`the rows of the ${this.name} differ in length: `
          + `${shape[1]} and ${odd.length} numbers`);
      }
    }
    if (shape.some((size, i) => size > this.most[i])) {
      throw new SizeError(`the ${this.name} is at most ${times(this.most)} on this `
        + `page, got ${times(shape)}`);
    }
    shape.forEach((size, i) => { this.sizes[i].value = size; });
    this.grid = parts.plane(shape[0], shape[1], (r, c) => blocks.map(
      (block) => block[r][c]));
    return this.grid;
  }

  // Whole numbers that depend on the seed and the place alone, so that a grid which
  // grows keeps the numbers that it has.
  static random(seed, least, most) {
    return (...place) => {
      const state = [seed, ...place, 0].reduce((mixed, step) =>
        (Math.imul(mixed ^ (step + 1), 1664525) + 1013904223) >>> 0, 1);
      return least + Math.floor(state / 2 ** 32 * (most - least + 1));
    };
  }
}

// By shape, then place.
Numbers.PATTERNS = {
  edge: (rows, columns) => (r, c) => c < columns / 2 ? 4 : 0,
  dot: (rows, columns) => (r, c) =>
    Number(r === (rows - 1) >> 1 && c === (columns - 1) >> 1),
  upright: (rows, columns) => (r, c) => Math.sign(columns - 1 - 2 * c),
  level: (rows) => (r) => Math.sign(rows - 1 - 2 * r),
  ones: () => () => 1,
  equal: () => () => 2,
  ramp: (rows, columns) => (r, c) => r * columns + c - (rows * columns >> 1),
};
