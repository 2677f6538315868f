"use strict";

// The lecture's architecture strings, read into layers and traced: what
// convlab/architecture.py and convlab/arithmetic.py do, rule by rule and sentence by
// sentence. The tests hold the two against each other.

const architecture = (() => {
  const {SizeError, check, outputSize, samePadding, times} = arithmetic;
  const POOL_KINDS = ["max", "average"];
  const SETTINGS = {  // the first is the one that a number alone sets
    CONV: ["filters", "size", "stride", "pad"],
    RELU: [],
    POOL: ["size", "stride", "kind"],
    FC: ["units"],
    NORM: [],
    DROPOUT: ["percent"],
  };
  const FIRST_FILTERS = 32, MOST_FILTERS = 512, UNITS = 128, PERCENT = 50;
  const MOST_LAYERS = 1000, MOST_NESTING = 50, MOST_DIGITS = 6;

  // `position` counts characters of the text, from 0.
  class ArchitectureError extends Error {
    constructor(message, text, position) {
      super(message);
      this.pointing = `${text.replace(/\s/g, " ")}\n${" ".repeat(position)}^`;
    }
  }

  // Layers; counts are BigInt, because products of sizes outgrow other numbers.
  const product = (numbers) => numbers.reduce((all, n) => all * BigInt(n), 1n);

  class Conv {
    constructor(filters, size, stride, pad) {
      Object.assign(this, {word: "conv", filters, size, stride, pad});
    }
    outputShape([rows, columns]) {
      check("the filter size", this.size, 1);
      check("the number of filters", this.filters, 1);
      const along = (n) => outputSize(n, this.size, this.stride, this.pad);
      return [along(rows), along(columns), this.filters];
    }
    parameters([, , channels]) {
      return product([this.filters]) * (product([this.size, this.size, channels]) + 1n);
    }
    macs(shape) {
      return product([...this.outputShape(shape), this.size, this.size, shape[2]]);
    }
    settings() {
      return `${this.filters} of ${this.size}x${this.size}, stride ${this.stride}, `
        + `pad ${this.pad}`;
    }
    toString() {
      return `Conv(filters=${this.filters}, size=${this.size}, stride=${this.stride}, `
        + `pad=${this.pad}, bias=True)`;
    }
  }

  class Pool {
    constructor(size, stride, kind) {
      Object.assign(this, {word: "pool", size, stride, kind});
    }
    outputShape([rows, columns, channels]) {
      const along = (n) => outputSize(n, this.size, this.stride, 0);
      return [along(rows), along(columns), channels];
    }
    parameters() { return 0n; }
    macs() { return 0n; }
    settings() {
      return `${this.kind} of ${this.size}x${this.size}, stride ${this.stride}`;
    }
    toString() {
      return `Pool(size=${this.size}, stride=${this.stride}, kind='${this.kind}')`;
    }
  }

  class Relu {
    constructor() { this.word = "relu"; }
    outputShape(shape) { return shape; }
    parameters() { return 0n; }
    macs() { return 0n; }
    settings() { return ""; }
    toString() { return "Relu()"; }
  }

  class Norm {
    constructor() { this.word = "norm"; }
    outputShape(shape) { return shape; }
    parameters(shape) { return 2n * BigInt(shape.at(-1)); }
    macs() { return 0n; }
    settings() { return ""; }
    toString() { return "Norm()"; }
  }

  class Dropout {
    constructor(percent) { Object.assign(this, {word: "dropout", percent}); }
    outputShape(shape) {
      check("the percentage", this.percent, 0);
      if (this.percent > 99) {
        throw new SizeError(`at most 99 percent can be left out, got ${this.percent}`);
      }
      return shape;
    }
    parameters() { return 0n; }
    macs() { return 0n; }
    settings() { return `${this.percent}%`; }
    toString() { return `Dropout(percent=${this.percent})`; }
  }

  class Dense {
    constructor(units) { Object.assign(this, {word: "fc", units}); }
    outputShape() {
      check("the number of units", this.units, 1);
      return [this.units];
    }
    parameters(shape) { return product([this.units]) * (product(shape) + 1n); }
    macs(shape) { return product([...shape, this.units]); }
    settings() { return `${this.units} units`; }
    toString() { return `Dense(units=${this.units}, bias=True)`; }
  }

  // One method a rule of the grammar, which stands in convlab/architecture.py.
  class Parser {
    constructor(text) {
      this.text = text;
      // Characters, not UTF-16 units: the caret goes under the right one.
      const place = (index) => [...text.slice(0, index)].length;
      this.tokens = [...text.matchAll(/[A-Za-z_][A-Za-z_0-9]*|[0-9]+|\S/gu)]
        .map((match) => [match[0], place(match.index)]);
      this.tokens.push(["", [...text.trimEnd()].length]);
      this.next = this.nesting = 0;
    }

    architecture() {
      let pieces = [];
      if (this.token !== "SOFTMAX") {
        pieces = this.chain();
        if (this.token !== ",") this.fail(`expected "-", "*" or ",SOFTMAX"${this.found()}`);
        this.take();
      }
      if (this.token !== "SOFTMAX") this.unknown(["SOFTMAX"], "expected SOFTMAX");
      pieces.push({name: "SOFTMAX", given: {}, position: this.take()[1]});
      if (this.token) this.fail(`SOFTMAX is the end${this.found()}`);
      return pieces;
    }

    chain() {
      const pieces = this.repeated();
      while (this.token === "-") {
        this.take();
        pieces.push(...this.repeated());
      }
      return pieces;
    }

    repeated() {
      const pieces = ["(", "["].includes(this.token) ? this.group() : [this.layer()];
      if (this.token === "?") {
        this.fail('"?" means with or without: keep the layer and take the "?" away, or '
          + "leave the layer out");
      }
      if (this.token !== "*") return pieces;
      this.take();
      const where = this.next;
      const times = this.number('how many times after "*"');
      if (pieces.length * times > MOST_LAYERS) {
        this.next = where;
        this.fail(`a network of more than ${MOST_LAYERS} layers`);
      }
      return Array(times).fill(pieces).flat();
    }

    group() {
      const [opening, where] = this.take();
      this.nesting += 1;
      if (this.nesting > MOST_NESTING) {
        this.fail(`brackets more than ${MOST_NESTING} deep`);
      }
      const pieces = this.chain();
      const closing = opening === "(" ? ")" : "]";
      if (this.token !== closing) {
        this.fail(`expected "-", "*" or the "${closing}" that closes the "${opening}" `
          + `of column ${where + 1}${this.found()}`);
      }
      this.take();
      this.nesting -= 1;
      return pieces;
    }

    layer() {
      if (!Object.hasOwn(SETTINGS, this.token)) {
        const names = Object.keys(SETTINGS);
        if (this.token === "SOFTMAX") {
          this.fail('SOFTMAX stands once, at the end, after a ","');
        }
        this.unknown([...names, "SOFTMAX"], `expected a layer (${names.join(", ")})`);
      }
      const [name, position] = this.take();
      return {name, given: this.token === "{" ? this.settings(name) : {}, position};
    }

    settings(layer) {
      this.take();
      const given = {};
      while (this.token !== "}") {
        const where = this.next;
        const [name, value] = this.setting(layer);
        if (name in given) {
          this.next = where;
          this.fail(`${name} of ${layer} is set twice`);
        }
        given[name] = value;
        if (this.token === ",") this.take();
      }
      this.take();
      return given;
    }

    setting(layer) {
      const names = SETTINGS[layer], kinds = names.includes("kind") ? POOL_KINDS : [];
      if (names.length === 0) this.fail(`${layer} has no settings`);
      if (kinds.includes(this.token)) return ["kind", this.take()[0]];
      if (/^[0-9]/.test(this.token)) return [names[0], this.number(names[0])];
      if (!names.includes(this.token)) {
        const known = [...names, ...kinds];
        this.unknown(known,
          `expected a setting of ${layer} (${known.join(", ")}), or "}"`);
      }
      const [name] = this.take();
      if (this.token !== "=") {
        this.fail(`expected "=" and a value for ${name}${this.found()}`);
      }
      this.take();
      if (name !== "kind") return [name, this.number(`a whole number for ${name}`)];
      if (!kinds.includes(this.token)) {
        this.unknown(kinds, `expected ${kinds.join(" or ")}`);
      }
      return [name, this.take()[0]];
    }

    number(what) {
      if (["N", "M", "K"].includes(this.token)) {
        this.fail(`${this.token} stands for a number of your choice: write one, as in *2`);
      }
      if (!/^[0-9]+$/.test(this.token)) this.fail(`expected ${what}${this.found()}`);
      if (this.token.length > MOST_DIGITS) {
        this.fail(`a number of more than ${MOST_DIGITS} digits`);
      }
      return Number(this.take()[0]);
    }

    get token() { return this.tokens[this.next][0]; }

    take() { return this.tokens[this.next++]; }

    found() {
      return this.token ? `, found ${quoted(this.token)}` : ", but the string ends";
    }

    unknown(known, expected) {
      this.fail(`${expected}${this.found()}${didYouMean(this.token, known)}`);
    }

    fail(message) {
      throw new ArchitectureError(message, this.text, this.tokens[this.next][1]);
    }
  }

  // As Python quotes a word of one kind of character.
  const quoted = (word) => word === "'" ? '"\'"' : `'${word.replace("\\", "\\\\")}'`;

  function didYouMean(word, known) {
    const close = known.map((name) => [likeness(name.toLowerCase(), word.toLowerCase()),
      name]).filter(([share]) => share >= 0.6);
    // The closest; of two as close, the later in the alphabet.
    close.sort(([a, name], [b, other]) => b - a || (name < other ? 1 : -1));
    return close.length ? `. Did you mean ${close[0][1]}?` : "";
  }

  // Python's difflib: twice the letters in matching blocks over all letters.
  const likeness = (a, b) => 2 * matching(a, b) / (a.length + b.length);

  // Letters in the longest common block, and in those left and right of it.
  function matching(a, b) {
    for (let size = Math.min(a.length, b.length); size > 0; size--) {
      for (let i = 0; i + size <= a.length; i++) {
        const j = b.indexOf(a.slice(i, i + size));
        if (j < 0) continue;
        return size + matching(a.slice(0, i), b.slice(0, j))
          + matching(a.slice(i + size), b.slice(j + size));
      }
    }
    return 0;
  }

  // The layer of a piece, its defaults filled in; refuses what makes no sense.
  function layerOf({name, given}, before, classes) {
    if (before.some((layer) => layer.word === "fc") && ["CONV", "POOL"].includes(name)) {
      throw new SizeError(`${name} takes a volume, but the FC before it made a vector: `
        + "FC layers come last");
    }
    if (name === "RELU" && before.at(-1)?.word === "relu") {
      throw new SizeError("a RELU right after a RELU changes nothing: is it in the "
        + "wrong place, or a bracket missing?");
    }
    if (name === "NORM" && before.at(-1)?.word === "norm") {
      throw new SizeError("a NORM right after a NORM finds nothing left to do: is it in "
        + "the wrong place, or a bracket missing?");
    }
    if (name === "CONV") {
      const size = given.size ?? 3;
      const pools = before.filter((layer) => layer.word === "pool").length;
      const filters = given.filters ?? Math.min(FIRST_FILTERS * 2 ** pools, MOST_FILTERS);
      return new Conv(filters, size, given.stride ?? 1, given.pad ?? defaultPad(size));
    }
    if (name === "POOL") {
      const size = given.size ?? 2;
      return new Pool(size, given.stride ?? size, given.kind ?? "max");
    }
    if (name === "RELU") return new Relu();
    if (name === "NORM") return new Norm();
    if (name === "DROPOUT") return new Dropout(given.percent ?? PERCENT);
    return new Dense(name === "SOFTMAX" ? classes : given.units ?? UNITS);
  }

  function defaultPad(size) {
    try {
      return samePadding(size);
    } catch (error) {
      throw new SizeError(`${error.message}; give the padding, as in pad=0`);
    }
  }

  // The text's layers for images of `shape`, each with its output shape, parameters,
  // multiply-accumulates and receptive field (null once it is everything).
  function trace(text, shape, classes) {
    const pieces = new Parser(text).architecture();
    const layers = [];
    for (const piece of pieces) {
      pointing(text, piece, "", () => layers.push(layerOf(piece, layers, classes)));
    }
    const rows = [], counts = {};
    let field = 1n, jump = 1n;
    layers.forEach((layer, i) => {
      const where = `layer ${i + 1}, ${layer}, on ${times(shape)}: `;
      const output = pointing(text, pieces[i], where, () => layer.outputShape(shape));
      if (layer.word === "fc") field = null;
      if (field && layer.size) {
        field += (BigInt(layer.size) - 1n) * jump;
        jump *= BigInt(layer.stride);
      }
      counts[layer.word] = (counts[layer.word] ?? 0) + 1;
      const name = i === layers.length - 1 ? "scores" : layer.word + counts[layer.word];
      rows.push({name, settings: layer.settings(), output, field,
        parameters: layer.parameters(shape), macs: layer.macs(shape)});
      shape = output;
    });
    return rows;
  }

  // Run `step`; what does not fit points at the piece that asks for it.
  function pointing(text, piece, where, step) {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof SizeError)) throw error;
      throw new ArchitectureError(where + error.message, text, piece.position);
    }
  }

  return {ArchitectureError, trace};
})();
