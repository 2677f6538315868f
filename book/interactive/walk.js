"use strict";

// A window that walks over a grid, position by position: what the convolution and
// the pooling explorer share.
//
// `compute()` gives what is to be walked over, or throws a SizeError:
//   shape        [rows, columns] of the output
//   size         how that shape came about: sentences
//   inputs(at)   the tables left of the output; at = {row, column} of the output
//   value(at)    one number of the output
//   sum(at)      the nodes that write out how it came about

class Walk {
  constructor(compute, row = 0, column = 0) {
    const {make} = parts;
    this.compute = compute;
    this.first = {row, column};
    this.grids = make("div", {class: "explorer-grids", tabindex: "0", role: "group",
      "aria-label": "The numbers; the arrow keys move the window"});
    this.size = make("p", {class: "explorer-size"});
    this.status = make("p", {class: "explorer-status", role: "status"});
    this.sum = make("div", {class: "explorer-sum"});
    const button = (words, step) => {
      const made = make("button", {type: "button"}, words);
      made.addEventListener("click", () => this.go(this.index + step));
      return made;
    };
    this.buttons = make("div", {class: "explorer-buttons"},
      button("Previous", -1), button("Next", 1),
      make("span", {class: "explorer-hint"},
        "or the arrow keys, Home and End; or choose an output"));
    this.stage = make("div", {class: "explorer-stage"}, this.size, this.buttons,
      this.status, this.grids, this.sum);
    this.stage.addEventListener("keydown", (event) => this.key(event));
    this.grids.addEventListener("click", (event) => {
      const cell = event.target.closest("[data-index]");
      if (cell) this.go(Number(cell.dataset.index));
    });
  }

  // Compute anew; what was settled before stays on the page where nothing fits.
  update() {
    try {
      this.work = this.compute();
    } catch (error) {
      if (!(error instanceof arithmetic.SizeError)) throw error;
      this.refuse(error.message);
      return;
    }
    const {row, column} = this.first;
    const [rows, columns] = this.work.shape;
    const fits = row < rows && column < columns;
    this.go(this.index ?? (fits ? row * columns + column : 0), true);
  }

  refuse(sentence) {
    this.work = null;
    this.stage.classList.add("explorer-refused");
    this.status.textContent = sentence;
    this.size.replaceChildren();
    this.grids.replaceChildren();
    this.sum.replaceChildren();
  }

  // To a position counted in reading order. Steps over an end come in at the other;
  // a position that a smaller output no longer has becomes its last.
  go(index, keep = false) {
    if (!this.work) return;
    const [rows, columns] = this.work.shape;
    const count = rows * columns;
    this.index = keep ? Math.min(index, count - 1) : (index + count) % count;
    this.draw();
  }

  key(event) {
    if (!this.work || event.altKey || event.ctrlKey || event.metaKey) return;
    const [rows, columns] = this.work.shape;
    const last = rows * columns - 1;
    const up = this.index - columns, down = this.index + columns;
    const target = {
      ArrowRight: this.index + 1, ArrowLeft: this.index - 1, Home: 0, End: last,
      ArrowUp: up < 0 ? this.index : up, ArrowDown: down > last ? this.index : down,
    }[event.key];
    if (target === undefined) return;
    event.preventDefault();  // the page must not scroll
    this.go(target);
  }

  draw() {
    const {work, index} = this;
    const [rows, columns] = work.shape;
    const at = {row: Math.floor(index / columns), column: index % columns};
    const value = parts.signed(work.value(at));
    this.stage.classList.remove("explorer-refused");
    this.size.replaceChildren(...work.size.flatMap(
      (sentence) => [parts.make("span", {}, sentence), " "]));
    this.status.textContent = `Position ${index + 1} of ${rows * columns}: `
      + `row ${at.row}, column ${at.column}, output ${value}.`;
    this.grids.replaceChildren(...work.inputs(at), this.output(at));
    this.sum.replaceChildren(...work.sum(at));
    window.markScrolling?.();
  }

  // Numbers up to this position; the others are still to come.
  output(at) {
    const [rows, columns] = this.work.shape;
    const cells = Array.from({length: rows}, (_, row) => Array.from({length: columns},
      (_, column) => {
        const index = row * columns + column;
        const text = index > this.index ? ""
          : parts.signed(this.work.value({row, column}));
        return {text, "data-index": index};
      }));
    return parts.table("output", "explorer-output", cells,
      {...at, rows: 1, columns: 1});
  }
}
