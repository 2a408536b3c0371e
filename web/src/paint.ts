// Pictures on canvases: raw pixels, and a place that all canvases of a view look at more closely.

import type { NumberArray } from "./frame";

export interface Lens {
  x: number; // centre, from 0 to 1
  y: number;
  zoom: number;
}

export class Picture {
  readonly canvas = document.createElement("canvas");
  #source = document.createElement("canvas");
  #lens: Lens = { x: 0.5, y: 0.5, zoom: 1 };

  constructor(label: string) {
    this.canvas.className = "picture";
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", label);
  }

  /** Show pixels `[h, w, 4]`. */
  show(array: NumberArray | undefined): void {
    const [height, width] = array?.shape ?? [];
    if (!array || !height || !width || !(array.data instanceof Uint8ClampedArray)) return;
    if (this.#source.width !== width || this.#source.height !== height) {
      this.#source.width = width;
      this.#source.height = height;
      const scale = Math.max(1, Math.round(768 / Math.max(width, height)));
      this.canvas.width = width * scale;
      this.canvas.height = height * scale;
    }
    this.#source.getContext("2d")?.putImageData(new ImageData(array.data, width, height), 0, 0);
    this.#draw();
  }

  look(lens: Lens): void {
    this.#lens = lens;
    if (this.#source.width > 0) this.#draw();
  }

  #draw(): void {
    const context = this.canvas.getContext("2d");
    if (!context || this.#source.width === 0) return;
    const { x, y, zoom } = this.#lens;
    const [w, h] = [this.#source.width / zoom, this.#source.height / zoom];
    const left = Math.min(Math.max(x * this.#source.width - w / 2, 0), this.#source.width - w);
    const top = Math.min(Math.max(y * this.#source.height - h / 2, 0), this.#source.height - h);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#source, left, top, w, h, 0, 0, this.canvas.width, this.canvas.height);
  }
}
