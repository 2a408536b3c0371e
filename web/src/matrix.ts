// Matrices: small ones with their numbers, large ones as pictures.

import { h } from "./dom";
import type { NumberArray } from "./frame";

const BELOW = [214, 106, 44] as const; // orange
const ABOVE = [44, 110, 190] as const; // blue

/** Levels from -1 to 1, from orange over nothing to blue. */
export function paintLevels(canvas: HTMLCanvasElement, { shape, data }: NumberArray): void {
  const [height = 1, width = 1] = shape;
  canvas.width = width;
  canvas.height = height;
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const level = Math.min(1, Math.max(-1, data[i] ?? 0));
    const [r, g, b] = level < 0 ? BELOW : ABOVE;
    pixels.data.set([r, g, b, Math.round(255 * Math.abs(level))], 4 * i);
  }
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
}

/** A matrix as a table; one row may be marked. */
export class Matrix {
  readonly element = h("table", { class: "matrix" });

  show(caption: string, rows: readonly (readonly number[])[], marked = -1, digits = 2): void {
    const most = Math.max(1e-12, ...rows.flat().map(Math.abs));
    const cell = (value: number): HTMLElement => {
      const made = h("td", { class: value < 0 ? "below" : "above" }, value.toFixed(digits));
      made.style.setProperty("--share", `${Math.round((42 * Math.abs(value)) / most)}%`);
      return made;
    };
    this.element.replaceChildren(
      h("caption", {}, caption),
      h("tbody", {}, ...rows.map((row, i) => h("tr", { class: i === marked ? "marked" : null }, ...row.map(cell)))),
    );
  }
}
