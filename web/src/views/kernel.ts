// Kernel: click a pixel, and see how much the others learn of it, with the encoding and without.

import { Chart } from "../chart";
import { h } from "../dom";
import { showFault } from "../fault";
import { formula, prose, rich } from "../formula";
import type { NumberArray } from "../frame";
import type { Answer, Link } from "../link";
import { Picture } from "../paint";
import { ladder, oneOf } from "../subject";
import { measurePixels } from "../timing";
import type { Signal, View } from "../view";
import { t } from "../words";

interface Said {
  row: number;
  column: number;
  every: number;
}

interface Spot extends Said {
  floor: number;
  width: number;
  lobe: number;
  lobe_at: number;
}

type Side = "encoded" | "raw";

const TANGENT = String.raw`\begin{gathered} f(x) \leftarrow f(x) - \eta\, K(x, x_0)\, r \\ K(x, x_0) = \big\langle \nabla_\theta f(x),\, \nabla_\theta f(x_0) \big\rangle \end{gathered}`;
const BANDWIDTHS = [0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5, 6, 7, 8.5, 10, 12, 14, 17, 20, 24, 28, 34, 40, 48, 64];
const FAR = 256; // pixels: all of a picture; of a sound, what is near
const FREQUENCIES = [4, 8, 16, 32, 64, 128, 256, 512, 1024];
const DEPTHS = [1, 2, 3, 4, 5, 6, 7, 8];

/** What was chosen, kept while the language or the view changes; the pixel as shares of the sides. */
const USUAL = 4;
const chosen = { bandwidth: USUAL, frequencies: 256, depth: 4, x: 0.5, y: 0.5 };

class Kernel implements View {
  readonly element = h("section", { class: "view kernel", "aria-labelledby": "view-title" });
  #link: Link;
  #bandwidths = ladder(BANDWIDTHS);
  #pair = h("div");
  #size: readonly [number, number] = [1, 1]; // height, width
  #chart = new Chart();
  #picture = new Picture(t("kernel.picture"));
  #maps: Record<Side, Picture> = { encoded: new Picture(t("kernel.encoded")), raw: new Picture(t("kernel.raw")) };
  #named: Record<Side, HTMLElement> = {
    encoded: h("p", { class: "quality", "data-said": "encoded" }),
    raw: h("p", { class: "quality", "data-said": "raw" }),
  };
  #kernels: Partial<Record<Side, NumberArray | undefined>> = {};
  #cuts: Record<Side, [number, number][]> = { encoded: [], raw: [] };
  #mark = h("div", { class: "mark", "aria-hidden": "true" });
  #column = h("input", { type: "range", min: 0, step: 1, id: "kernel-column" });
  #row = h("input", { type: "range", min: 0, step: 1, id: "kernel-row" });
  #columnValue = h("output", { for: "kernel-column" });
  #rowValue = h("output", { for: "kernel-row" });
  #error = h("p", { class: "error", role: "alert", hidden: true });
  #since = 0;
  #rawOf = "";
  #low = NaN; // the level of the darkest colour
  #every = 1; // so many-th pixels of the raw kernel

  constructor(link: Link) {
    this.#link = link;
    chosen.bandwidth = oneOf(this.#bandwidths, chosen.bandwidth, USUAL);
    this.#column.addEventListener("input", () => {
      this.#go({ x: (Number(this.#column.value) + 0.5) / this.#size[1] });
    });
    this.#row.addEventListener("input", () => {
      this.#go({ y: (Number(this.#row.value) + 0.5) / this.#size[0] });
    });
    this.element.append(this.#head(), this.#work(), this.#seen(), this.#texts());
    this.#maps.raw.canvas.classList.add("smooth");
    this.#watchPointer();
  }

  show(signal: Signal): void {
    const [height, width] = signal.preview.length === 1 ? [1, signal.preview[0] ?? 1] : signal.preview;
    this.#size = [height ?? 1, width ?? 1];
    this.#pair.classList.toggle("line", height === 1);
    this.#maps.raw.canvas.style.aspectRatio = height === 1 ? "auto" : `${this.#size[1]} / ${this.#size[0]}`;
    this.#column.max = String(this.#size[1] - 1);
    this.#row.max = String(this.#size[0] - 1);
    this.#rawOf = "";
    this.element.setAttribute("aria-busy", "true");
    this.#link.ask("bandwidth", "honest", {}, {
      answer: ({ arrays }) => {
        this.#picture.show(arrays.get("picture"));
      },
    });
    this.#go({});
  }

  leave(): void {
    this.#since = 0;
  }

  #head(): HTMLElement {
    return h("header", {}, h("h1", { id: "view-title" }, t("kernel.title")), h("p", { class: "lead" }, t("kernel.lead")));
  }

  #work(): HTMLElement {
    this.#pair.classList.add("pair");
    const stage = h("div", { class: "stage here" }, this.#picture.canvas, this.#mark);
    const pixel = (name: "column" | "row", input: HTMLInputElement, value: HTMLOutputElement): HTMLElement =>
      h("div", { class: `slider of-${name}` }, h("label", { for: input.id }, t(`kernel.${name}`)), value, input);
    this.#pair.append(pixel("column", this.#column, this.#columnValue), pixel("row", this.#row, this.#rowValue));
    return h(
      "div",
      { class: "card work" },
      this.#error,
      stage,
      this.#ladder("bandwidth", this.#bandwidths),
      this.#ladder("frequencies", FREQUENCIES),
      this.#ladder("depth", DEPTHS),
      this.#pair,
    );
  }

  #ladder(name: "bandwidth" | "frequencies" | "depth", values: readonly number[]): HTMLElement {
    const id = `kernel-${name}`;
    const value = h("output", { for: id }, String(chosen[name]));
    const input = h("input", { type: "range", id, min: 0, max: values.length - 1, step: 1, value: values.indexOf(chosen[name]) });
    input.setAttribute("aria-valuetext", String(chosen[name]));
    input.addEventListener("input", () => {
      const wanted = values[Number(input.value)] ?? chosen[name];
      value.textContent = String(wanted);
      input.setAttribute("aria-valuetext", String(wanted));
      this.#go({ [name]: wanted });
    });
    return h("div", { class: "slider" }, h("label", { for: id }, t(`kernel.${name}`)), value, input);
  }

  #seen(): HTMLElement {
    const figure = (side: Side): HTMLElement =>
      h(
        "figure",
        { "data-curve": side === "encoded" ? 1 : 0 },
        this.#maps[side].canvas,
        h("figcaption", {}, h("span", { class: "swatch" }), ` ${t(`kernel.${side}`)}`),
        this.#named[side],
      );
    return h(
      "div",
      { class: "card pictures" },
      h("div", { class: "two" }, figure("encoded"), figure("raw")),
      this.#chart.element,
      h("p", { class: "scale" }, t("kernel.scale")),
    );
  }

  #texts(): HTMLElement {
    return h(
      "div",
      { class: "texts" },
      h("div", {}, h("h2", {}, t("kernel.what.title")), prose(t("kernel.what.1")), formula(TANGENT, t("kernel.formula")), prose(t("kernel.what.2"))),
      h(
        "div",
        {},
        h("h2", {}, t("kernel.try.title")),
        h("ol", {}, ...([1, 2, 3, 4] as const).map((i) => h("li", {}, ...rich(t(`kernel.try.${i}`))))),
        h("h2", {}, t("kernel.limits.title")),
        prose(t("kernel.limits.1")),
      ),
    );
  }

  #pixel(): { row: number; column: number } {
    const at = (share: number, n: number): number => Math.min(n - 1, Math.max(0, Math.floor(share * n)));
    return { row: at(chosen.y, this.#size[0]), column: at(chosen.x, this.#size[1]) };
  }

  #go(changed: Partial<typeof chosen>): void {
    Object.assign(chosen, changed);
    const { row, column } = this.#pixel();
    this.#column.value = String(column);
    this.#row.value = String(row);
    this.#columnValue.textContent = String(column);
    this.#rowValue.textContent = String(row);
    this.#mark.style.left = `${(100 * (column + 0.5)) / this.#size[1]}%`;
    this.#mark.style.top = `${(100 * (row + 0.5)) / this.#size[0]}%`;
    if (this.#since === 0) this.#since = performance.now();
    this.#ask("encoded");
    const rawOf = JSON.stringify([row, column, chosen.depth]);
    if (rawOf !== this.#rawOf) this.#ask("raw");
    this.#rawOf = rawOf;
  }

  #ask(side: Side): void {
    const since = this.#since;
    if (side === "encoded") this.#since = 0;
    const values = { ...this.#pixel(), bandwidth: chosen.bandwidth, frequencies: chosen.frequencies, depth: chosen.depth };
    this.#link.follow("kernel", side, values, {
      answer: (answer) => {
        this.#take(side, answer);
        if (side === "raw") return;
        this.#named.encoded.dataset["asked"] = JSON.stringify(values);
        measurePixels(since, () => {
          this.element.setAttribute("aria-busy", "false");
        });
      },
      error: (message) => {
        showFault(this.#error, message);
      },
    });
  }

  #take(side: Side, { content, arrays }: Answer): void {
    const kernel = arrays.get("kernel");
    this.#error.hidden = true;
    this.#kernels[side] = kernel;
    this.#cuts[side] = cut(kernel, content as unknown as Said);
    if (side === "encoded") this.#name(content as unknown as Spot);
    else this.#every = (content as unknown as Said).every;
    if (side === "raw") this.#named.raw.textContent = t("kernel.named.raw", { floor: lowest(kernel).toFixed(2) });
    const low = Math.min(0.98, lowest(this.#kernels.encoded));
    const [before, now] = [this.#low, low];
    this.#low = low;
    for (const each of ["encoded", "raw"] as const) if (each === side || before !== now) this.#maps[each].map(this.#kernels[each], low);
    this.#plot();
  }

  #name(said: Spot): void {
    const width = said.width.toFixed(said.width < 10 ? 1 : 0);
    const lobe = said.lobe < 0.005 ? t("kernel.nolobe") : t("kernel.lobe", { lobe: said.lobe.toFixed(2), at: said.lobe_at });
    this.#named.encoded.replaceChildren(t("kernel.named", { width, floor: said.floor.toFixed(2) }), h("br"), lobe);
    this.#named.encoded.dataset["width"] = String(said.width);
    this.#named.encoded.dataset["lobe"] = String(said.lobe);
  }

  /** Both cuts over the distances of the finer one. */
  #plot(): void {
    const raw = new Map(this.#cuts.raw);
    const x = this.#cuts.encoded.map(([distance]) => distance);
    if (x.length === 0) return;
    const every = this.#every;
    const coarse = x.map((distance) => {
      const below = Math.floor(distance / every) * every;
      const [left, right] = [raw.get(below), raw.get(below + every)];
      if (left === undefined || right === undefined) return left ?? right ?? null;
      return left + ((distance - below) / every) * (right - left);
    });
    this.#chart.show({
      x,
      curves: [coarse, this.#cuts.encoded.map(([, value]) => value)],
      chosen: 1,
      marked: -1,
      band: null,
      level: null,
      xLabel: t("kernel.x"),
      yLabel: t("kernel.y"),
      label: t("kernel.chart"),
      linear: true,
    });
  }

  #watchPointer(): void {
    const { canvas } = this.#picture;
    const move = (event: PointerEvent): void => {
      const box = canvas.getBoundingClientRect();
      const share = (at: number, from: number, size: number): number => Math.min(0.9999, Math.max(0, (at - from) / size));
      this.#go({ x: share(event.clientX, box.left, box.width), y: share(event.clientY, box.top, box.height) });
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      move(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons !== 0) move(event);
    });
  }
}

function lowest(kernel: NumberArray | undefined): number {
  let found = 1;
  for (const value of kernel?.data ?? []) found = Math.min(found, value);
  return found;
}

/** Distance and value along the row of the pixel, as far as it can be told apart. */
function cut(kernel: NumberArray | undefined, said: Said): [number, number][] {
  const width = kernel?.shape.at(-1) ?? 0;
  const [row, column] = [Math.floor(said.row / said.every), Math.floor(said.column / said.every)];
  const whole = Array.from({ length: width }, (_, i): [number, number] => [(i - column) * said.every, kernel?.data[row * width + i] ?? 0]);
  return whole.filter(([distance]) => Math.abs(distance) <= FAR);
}

export function make(link: Link): View {
  return new Kernel(link);
}
