// Pictures on canvases: raw pixels, and a place that all canvases of a view look at more closely.

import type { NumberArray } from "./frame";

// From dark blue over green to light yellow, lighter throughout, so that it can be read in grey (viridis).
const STOPS = [
  [68, 1, 84],
  [72, 40, 120],
  [62, 74, 137],
  [49, 104, 142],
  [38, 130, 142],
  [31, 158, 137],
  [53, 183, 121],
  [110, 206, 88],
  [181, 222, 43],
  [253, 231, 37],
] as const;

/** The colour of a level from 0 to 1. */
export function colour(level: number): [number, number, number, number] {
  const at = Math.min(Math.max(level, 0), 1) * (STOPS.length - 1);
  const [below, above] = [STOPS[Math.floor(at)] ?? STOPS[0], STOPS[Math.ceil(at)] ?? STOPS[0]];
  const share = at - Math.floor(at);
  const mixed = (i: 0 | 1 | 2): number => below[i] + share * (above[i] - below[i]);
  return [mixed(0), mixed(1), mixed(2), 255];
}

/** The colours of 512 levels, as they lie in memory. */
const SHADES = Uint32Array.from({ length: 512 }, (_, i) => {
  return new Uint32Array(new Uint8Array(colour(i / 511)).buffer)[0] ?? 0;
});

const WAVE = { width: 900, height: 260, colour: "#3b82cc" } as const; // a blue that stands out on both grounds

export interface Lens {
  x: number; // centre, from 0 to 1
  y: number;
  zoom: number;
}

export class Picture {
  readonly canvas = document.createElement("canvas");
  #source = document.createElement("canvas");
  #lens: Lens = { x: 0.5, y: 0.5, zoom: 1 };
  #line: { line: NumberArray; low: number } | undefined;
  #pixels: ImageData | undefined;
  #isDrawn = false; // whether the pixels are in #source, from where parts are enlarged
  #enlarged = 1; // pixels of the canvas for one of the picture; the browser does the rest, which is cheaper

  constructor(label: string) {
    this.canvas.className = "picture";
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", label);
  }

  /** Show pixels `[h, w, 4]`; or a line of numbers `[n, c]` from -1 to 1, its first channel, as a curve. */
  show(array: NumberArray | undefined): void {
    if (array && array.data instanceof Float32Array && array.shape.length === 2) {
      this.#curve(array, -1);
      return;
    }
    const [height, width] = array?.shape ?? [];
    this.#line = undefined;
    if (!array || !height || !width || !(array.data instanceof Uint8ClampedArray)) return;
    if (this.#source.width !== width || this.#source.height !== height) {
      this.#source.width = width;
      this.#source.height = height;
      this.#enlarged = 0;
    }
    this.#pixels = new ImageData(array.data, width, height);
    this.#isDrawn = false;
    this.#draw();
  }

  /** Show levels `[h, w]` in colours, the darkest at `low`, the lightest at 1; levels `[n]` as a curve between. */
  map(array: NumberArray | undefined, low: number): void {
    if (array?.shape.length === 1) {
      this.#curve({ shape: [...array.shape, 1], data: array.data }, low);
      return;
    }
    const [height, width] = array?.shape ?? [];
    if (!array || !height || !width) return;
    const pixels = new Uint8ClampedArray(4 * height * width);
    const words = new Uint32Array(pixels.buffer);
    const steps = SHADES.length - 1;
    for (let i = 0; i < words.length; i++) {
      const level = ((array.data[i] ?? 0) - low) / (1 - low);
      words[i] = SHADES[Math.round(Math.min(Math.max(level, 0), 1) * steps)] ?? 0;
    }
    this.show({ shape: [height, width, 4], data: pixels });
  }

  look(lens: Lens): void {
    this.#lens = lens;
    if (this.#line) this.#trace();
    else if (this.#source.width > 0) this.#draw();
  }

  #curve(line: NumberArray, low: number): void {
    this.#line = { line, low };
    this.#enlarged = 0;
    if (this.canvas.width !== WAVE.width || this.canvas.height !== WAVE.height) {
      this.canvas.width = WAVE.width;
      this.canvas.height = WAVE.height;
    }
    this.#trace();
  }

  /** From the least to the largest number of each column; joined, where a column has few. */
  #trace(): void {
    const context = this.canvas.getContext("2d");
    if (!context || !this.#line) return;
    const { line, low } = this.#line;
    const [n, channels] = [line.shape[0] ?? 0, line.shape[1] ?? 1];
    const { width, height } = WAVE;
    const count = n / this.#lens.zoom;
    const first = Math.min(Math.max(this.#lens.x * n - count / 2, 0), n - count);
    const y = (value: number): number => height - 3 - ((height - 6) * (value - low)) / (1 - low);
    context.clearRect(0, 0, width, height);
    context.strokeStyle = WAVE.colour;
    context.lineWidth = 1.6;
    context.lineJoin = "round";
    context.beginPath();
    for (let column = 0; column < width; column++) {
      const from = Math.floor(first + (column * count) / width);
      const to = Math.max(from + 1, Math.floor(first + ((column + 1) * count) / width));
      let [least, most] = [Infinity, -Infinity];
      for (let i = from; i < Math.min(to, n); i++) {
        const value = line.data[i * channels] ?? 0;
        least = Math.min(least, value);
        most = Math.max(most, value);
      }
      if (least > most) continue;
      context.lineTo(column + 0.5, y(most));
      context.lineTo(column + 0.5, y(least));
    }
    context.stroke();
  }

  #draw(): void {
    const context = this.canvas.getContext("2d");
    if (!context || this.#source.width === 0) return;
    const { x, y, zoom } = this.#lens;
    const enlarged = zoom === 1 ? 1 : Math.max(1, Math.round(768 / Math.max(this.#source.width, this.#source.height)));
    if (enlarged !== this.#enlarged) {
      this.#enlarged = enlarged;
      this.canvas.width = this.#source.width * enlarged;
      this.canvas.height = this.#source.height * enlarged;
    }
    const [w, h] = [this.#source.width / zoom, this.#source.height / zoom];
    const left = Math.min(Math.max(x * this.#source.width - w / 2, 0), this.#source.width - w);
    const top = Math.min(Math.max(y * this.#source.height - h / 2, 0), this.#source.height - h);
    if (zoom === 1 && this.#pixels) {
      context.putImageData(this.#pixels, 0, 0);
      return;
    }
    if (!this.#isDrawn && this.#pixels) this.#source.getContext("2d")?.putImageData(this.#pixels, 0, 0);
    this.#isDrawn = true;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#source, left, top, w, h, 0, 0, this.canvas.width, this.canvas.height);
  }
}
