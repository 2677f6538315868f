"use strict";

// The architecture calculator: the lecture's pattern in, a table of layers out.

parts.start("architecture", ({examples}) => {
  const {make, numberField, whole} = parts;
  const AXES = ["height", "width", "number of channels"];
  const MOST = 9999;

  const [first] = examples;
  const choice = parts.choiceOf({...examples.map(({name}) => name), own: "your own"});
  const area = parts.textArea(2);
  const sizes = AXES.map((axis, i) => numberField(
    axis[0].toUpperCase() + axis.slice(1), first.shape[i], 1, MOST));
  const classes = numberField("Classes", first.classes, 1, MOST);
  const result = make("p", {class: "explorer-status", role: "status"});
  const pointed = make("pre");
  const held = make("div", {class: "drawing-part"});
  const stage = make("div", {class: "explorer-stage"}, result, pointed, held);

  const grouped = (count) => count.toLocaleString("en-US");
  const total = (rows, what) => rows.reduce((sum, row) => sum + row[what], 0n);

  function show() {
    const {name, architecture, shape, classes: count} = examples[choice.value];
    area.value = architecture;
    shape.forEach((size, i) => { sizes[i].value = size; });
    classes.value = count;
    update();
  }

  function update() {
    pointed.textContent = "";
    held.replaceChildren();
    try {
      const shape = AXES.map((axis, i) => whole(sizes[i], `the ${axis}`));
      const rows = architecture.trace(area.value, shape,
        whole(classes, "the number of classes"));
      held.append(table(shape, rows));
      result.textContent = `${rows.length} layers, `
        + `${grouped(total(rows, "parameters"))} parameters, `
        + `${grouped(total(rows, "macs"))} MACs an image.`;
    } catch (error) {
      if (!(error instanceof arithmetic.SizeError
        || error instanceof architecture.ArchitectureError)) throw error;
      result.textContent = error.message;
      pointed.textContent = error.pointing ?? "";
    }
    const wrong = held.childElementCount === 0;
    stage.classList.toggle("explorer-refused", wrong);
    area.setAttribute("aria-invalid", String(pointed.textContent !== ""));
    showCaret();
    window.markScrolling?.();
  }

  // Scroll a long pattern so far that its caret is in the middle.
  function showCaret() {
    const [text, caret] = pointed.textContent.split("\n");
    if (caret) {
      const place = caret.length / Math.max(text.length, caret.length);
      pointed.scrollLeft = place * pointed.scrollWidth - pointed.clientWidth / 2;
    }
  }

  function table(shape, rows) {
    const heads = ["layer", "output", "sees", "parameters", "MACs"];
    const sees = (field) => field === null ? "everything" : `${field}x${field}`;
    const line = ([name, settings = ""], ...cells) => make("tr", {},
      make("th", {scope: "row"}, name, " ", make("small", {}, settings)),
      ...cells.map((cell) => make("td", {}, cell)));
    return make("table", {class: "explorer-layers"},
      make("thead", {}, make("tr", {}, ...heads.map(
        (head) => make("th", {scope: "col"}, head)))),
      make("tbody", {},
        line(["input"], arithmetic.times(shape), "", "", ""),
        ...rows.map((row) => line([row.name, row.settings],
          arithmetic.times(row.output), sees(row.field), grouped(row.parameters),
          grouped(row.macs)))),
      make("tfoot", {}, line(["total"], "", "", grouped(total(rows, "parameters")),
        grouped(total(rows, "macs")))));
  }

  choice.addEventListener("change", () => choice.value === "own" || show());
  for (const field of [area, ...sizes, classes]) {
    field.addEventListener("input", () => { choice.value = "own"; update(); });
  }
  show();
  return [
    make("div", {class: "explorer-fields"}, parts.labelled("Example", choice)),
    parts.labelled("Pattern", area),
    make("div", {class: "explorer-fields"}, parts.group("Image", sizes),
      parts.labelled("Classes", classes)),
    stage,
  ];
});
