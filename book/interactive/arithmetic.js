"use strict";

// Output sizes, as in convlab/arithmetic.py: the same numbers and the same
// sentences, which the tests compare. Classic scripts with one global name a
// file, because browsers refuse modules to a page that is opened from a folder.

const arithmetic = (() => {
  class SizeError extends Error {}

  function check(name, value, least) {
    if (value < least) {
      throw new SizeError(`${name} must be at least ${least}, got ${value}`);
    }
  }

  // Positions of a filter of size f along an input of size n. `mayPad` is false
  // where there is no padding to choose: then none is proposed.
  function outputSize(n, f, stride, pad, mayPad = true) {
    check("the input size", n, 1);
    check("the filter size", f, 1);
    check("the stride", stride, 1);
    check("the padding", pad, 0);
    const room = n + 2 * pad - f;
    if (room < 0) {
      throw new SizeError(`a filter of size ${f} is larger than the input: `
        + `${n} + 2*${pad} = ${n + 2 * pad}`);
    }
    if (room % stride !== 0) {
      throw new SizeError(
        `(${n} + 2*${pad} - ${f})/${stride} + 1 = ${hundredths(room / stride + 1)} is `
        + `not a whole number: stride ${stride} does not divide `
        + `${n} + 2*${pad} - ${f} = ${room}. ${whatFits(n, f, stride, pad, mayPad)}`);
    }
    return room / stride + 1;
  }

  function whatFits(n, f, stride, pad, mayPad) {
    const fits = (p) => p !== pad && n + 2 * p >= f && (n + 2 * p - f) % stride === 0;
    const pads = mayPad ? [...Array(f).keys()].filter(fits) : [];
    const text = `Strides that fit: ${divisors(n + 2 * pad - f).join(", ")}`;
    return pads.length === 0 ? `${text}.`
      : `${text}; with stride ${stride}, padding that fits: ${pads.join(", ")}.`;
  }

  function divisors(room) {
    const low = [], high = [];
    for (let d = 1; d * d <= room; d++) {
      if (room % d !== 0) continue;
      low.push(d);
      if (d * d !== room) high.unshift(room / d);
    }
    return [...low, ...high];
  }

  // Two decimals as Python rounds them: a half goes to the even digit.
  function hundredths(value) {
    const below = Math.floor(value * 100);
    const half = Number.isInteger(value * 8) && value * 100 - below === 0.5;
    return half ? ((below + below % 2) / 100).toFixed(2) : value.toFixed(2);
  }

  function samePadding(f) {
    check("the filter size", f, 1);
    if (f % 2 === 0) {
      throw new SizeError(`a filter of even size ${f} has no padding that keeps the `
        + `size: (${f} - 1)/2 is not whole`);
    }
    return (f - 1) / 2;
  }

  // A shape as the lecture writes it: "32x32x3".
  const times = (shape) => shape.join("x");

  return {SizeError, check, outputSize, samePadding, times};
})();
