// A plot of the story: lines, dots and bars over two axes, and points that are dragged or moved by arrow keys.

import { scaleLinear, scaleLog } from "d3-scale";
import { line } from "d3-shape";
import { h, svg } from "./dom";
import type { NumberArray } from "./frame";
import { paintLevels } from "./matrix";

export interface Axis {
  readonly range: readonly [number, number];
  readonly label: string;
  readonly log?: boolean;
  readonly ticks?: number | readonly number[];
  readonly name?: (value: number) => string;
}

export interface Curve {
  readonly x: readonly number[];
  readonly y: readonly (number | null)[];
  readonly look: string; // class names
}

export interface Handle {
  readonly x: number;
  readonly y: number;
  readonly look: string;
  readonly label: string;
  readonly axes: "x" | "y" | "xy";
}

export interface Drawing {
  readonly x: Axis;
  readonly y: Axis;
  readonly label: string;
  readonly lines?: readonly Curve[];
  readonly dots?: readonly (Curve & { readonly r?: number })[];
  readonly bars?: readonly (Curve & { readonly width: number })[]; // width in units of x, from 0
  readonly links?: readonly { readonly from: readonly [number, number]; readonly to: readonly [number, number]; readonly look: string }[];
  readonly names?: readonly { readonly x: number; readonly y: number; readonly text: string; readonly look: string }[];
  readonly handles?: readonly Handle[];
  readonly levels?: NumberArray | undefined; // a picture behind it all, row 0 at the top, from -1 to 1
}

type Scale = ReturnType<typeof scaleLinear<number>> | ReturnType<typeof scaleLog<number>>;

const MARGIN = { top: 26, right: 14, bottom: 38, left: 46 };
const TINY = { top: 3, right: 3, bottom: 3, left: 3 };
const REACH = 26; // pixels from which a handle is taken
const NUDGE = 40; // of the axis a key press moves

export class Plot {
  readonly element = h("div", { class: "plot" });
  /** A handle is moved to a place. */
  onMove: (index: number, x: number, y: number) => void = () => undefined;
  /** Some other place is pressed or dragged along. */
  onPlace: ((x: number, y: number) => void) | undefined;
  #ground = h("canvas", { class: "ground", "aria-hidden": "true" });
  #svg = svg("svg", { role: "group" });
  #back = svg("g");
  #front = svg("g");
  #handles: SVGCircleElement[] = [];
  #shown: Drawing | undefined;
  #margin = MARGIN;
  #held: number | "place" | undefined;
  #x: Scale = scaleLinear([0, 1], [0, 1]);
  #y: Scale = scaleLinear([0, 1], [0, 1]);

  constructor(size = "") {
    if (size !== "") this.element.classList.add(...size.split(" "));
    if (size === "tiny" || size.endsWith("bare")) this.#margin = TINY;
    this.#svg.append(this.#back, this.#front);
    this.element.append(this.#ground, this.#svg);
    new ResizeObserver(() => {
      this.#draw();
    }).observe(this.element);
    this.#svg.addEventListener("pointerdown", (event) => {
      this.#take(event);
    });
    this.#svg.addEventListener("pointermove", (event) => {
      if (this.#held !== undefined && event.buttons !== 0) this.#move(event);
    });
    for (const name of ["pointerup", "pointercancel"] as const) {
      this.#svg.addEventListener(name, () => {
        this.#held = undefined;
      });
    }
  }

  show(drawing: Drawing): void {
    this.#shown = drawing;
    this.#draw();
  }

  #place(event: PointerEvent): [number, number] {
    const box = this.#svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #take(event: PointerEvent): void {
    const [px, py] = this.#place(event);
    let best = REACH;
    let held: number | undefined;
    for (const [i, handle] of (this.#shown?.handles ?? []).entries()) {
      const distance = Math.hypot(this.#x(handle.x) - px, this.#y(handle.y) - py);
      if (distance < best) [best, held] = [distance, i];
    }
    this.#held = held ?? (this.onPlace ? "place" : undefined);
    if (this.#held === undefined) return;
    event.preventDefault();
    this.#svg.setPointerCapture(event.pointerId);
    if (held !== undefined) this.#handles[held]?.focus({ preventScroll: true });
    this.#move(event);
  }

  #move(event: PointerEvent): void {
    const shown = this.#shown;
    if (!shown || this.#held === undefined) return;
    const [px, py] = this.#place(event);
    const to = (scale: Scale, at: number, axis: Axis): number => inside(scale.invert(at), axis.range);
    const [x, y] = [to(this.#x, px, shown.x), to(this.#y, py, shown.y)];
    if (this.#held === "place") this.onPlace?.(x, y);
    else this.#moved(this.#held, x, y);
  }

  #moved(index: number, x: number, y: number): void {
    const handles = this.#shown?.handles;
    const handle = handles?.[index];
    if (!this.#shown || !handles || !handle) return;
    const moved = { ...handle, x: handle.axes === "y" ? handle.x : x, y: handle.axes === "x" ? handle.y : y };
    this.#shown = { ...this.#shown, handles: handles.map((each, i) => (i === index ? moved : each)) }; // at once; what follows from it comes
    this.#grasp(this.#shown.handles ?? []);
    this.onMove(index, moved.x, moved.y);
  }

  #press(index: number, event: KeyboardEvent): void {
    const [shown, handle] = [this.#shown, this.#shown?.handles?.[index]];
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!shown || !handle || !way) return;
    event.preventDefault();
    const step = (axis: Axis, at: number, by: number): number => {
      const [low, high] = axis.range;
      return inside(axis.log ? at * (high / low) ** (by / NUDGE) : at + (by * (high - low)) / NUDGE, axis.range);
    };
    this.#moved(index, step(shown.x, handle.x, way[0] ?? 0), step(shown.y, handle.y, way[1] ?? 0));
  }

  #draw(): void {
    const shown = this.#shown;
    const { width, height } = this.element.getBoundingClientRect();
    if (!shown || width === 0) return;
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#svg.setAttribute("aria-label", shown.label);
    const scaled = ({ range, log }: Axis, room: [number, number]): Scale =>
      (log ? scaleLog(range, room) : scaleLinear(range, room)).clamp(true);
    this.#x = scaled(shown.x, [this.#margin.left, width - this.#margin.right]);
    this.#y = scaled(shown.y, [height - this.#margin.bottom, this.#margin.top]);
    this.#paint(shown.levels, width, height);
    this.#back.replaceChildren(...this.#axes(shown, width, height), ...this.#marks(shown));
    this.#grasp(shown.handles ?? []);
  }

  #paint(levels: NumberArray | undefined, width: number, height: number): void {
    this.#ground.hidden = !levels;
    if (!levels) return;
    paintLevels(this.#ground, levels);
    const size = { left: this.#margin.left, top: this.#margin.top, width: width - this.#margin.left - this.#margin.right, height: height - this.#margin.top - this.#margin.bottom };
    for (const [name, value] of Object.entries(size)) this.#ground.style.setProperty(name, `${value}px`);
  }

  #axes(shown: Drawing, width: number, height: number): Node[] {
    const [left, right, top, bottom] = [this.#margin.left, width - this.#margin.right, this.#margin.top, height - this.#margin.bottom];
    const marks = (axis: Axis, scale: Scale, n: number): readonly number[] => {
      if (typeof axis.ticks === "object") return axis.ticks;
      const found = scale.ticks(axis.ticks ?? n);
      return axis.log ? found.filter((v) => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-9) : found;
    };
    const free = (values: readonly number[], axis: Axis, scale: Scale): number[] => {
      let end = -Infinity; // labels that would lie on the one before are left out
      return values.filter((v) => {
        const half = 3.6 * name(axis, v).length + 2;
        if (scale(v) - half < end) return false;
        end = scale(v) + half;
        return true;
      });
    };
    const name = (axis: Axis, v: number): string => axis.name?.(v) ?? (axis.log && (v < 0.01 || v > 9999) ? `1e${Math.round(Math.log10(v))}` : String(v));
    const across = marks(shown.x, this.#x, width > 420 ? 7 : 4);
    return [
      ...marks(shown.y, this.#y, height > 220 ? 5 : 3).flatMap((v) => [
        svg("line", { class: "grid", x1: left, x2: right, y1: this.#y(v), y2: this.#y(v) }),
        svg("text", { class: "tick", x: left - 7, y: this.#y(v) + 4, "text-anchor": "end" }, name(shown.y, v)),
      ]),
      ...across.map((v) => svg("line", { class: "grid", x1: this.#x(v), x2: this.#x(v), y1: top, y2: bottom })),
      ...free(across, shown.x, this.#x).map((v) => svg("text", { class: "tick", x: this.#x(v), y: bottom + 16, "text-anchor": "middle" }, name(shown.x, v))),
      svg("text", { class: "axis", x: (left + right) / 2, y: height - 4, "text-anchor": "middle" }, shown.x.label),
      svg("text", { class: "axis", x: 4, y: 12 }, shown.y.label),
    ];
  }

  #marks(shown: Drawing): Node[] {
    const [x, y] = [this.#x, this.#y];
    const known = (curve: Curve): [number, number][] =>
      curve.x.flatMap((at, i): [number, number][] => (typeof curve.y[i] === "number" ? [[at, curve.y[i]]] : []));
    const path = line().x(([at]) => x(at)).y(([, v]) => y(v));
    return [
      ...(shown.bars ?? []).flatMap((bars) =>
        known(bars).map(([at, v]) => {
          const [left = 0, right = 0] = x.range();
          const width = (bars.width * (right - left)) / (shown.x.range[1] - shown.x.range[0]);
          const [from, to] = [y(shown.y.log ? shown.y.range[0] : 0), y(v)];
          return svg("rect", { class: `bar ${bars.look}`, x: x(at) - width / 2, width, y: Math.min(from, to), height: Math.abs(from - to) });
        }),
      ),
      ...(shown.links ?? []).map(({ from, to, look }) => svg("line", { class: `link ${look}`, x1: x(from[0]), y1: y(from[1]), x2: x(to[0]), y2: y(to[1]) })),
      ...(shown.lines ?? []).map((curve) => svg("path", { class: `line ${curve.look}`, d: path(known(curve)) })),
      ...(shown.dots ?? []).flatMap((dots) => known(dots).map(([at, v]) => svg("circle", { class: `dot ${dots.look}`, cx: x(at), cy: y(v), r: dots.r ?? 4 }))),
      ...(shown.names ?? []).map((name) => svg("text", { class: `name ${name.look}`, x: x(name.x), y: y(name.y) }, name.text)),
    ];
  }

  /** The handles stay the same elements while they are dragged, so that focus stays where it is. */
  #grasp(handles: readonly Handle[]): void {
    while (this.#handles.length > handles.length) this.#handles.pop()?.remove();
    handles.forEach((handle, i) => {
      let circle = this.#handles[i];
      if (!circle) {
        circle = svg("circle", { tabindex: 0, role: "slider", "data-handle": i, r: 9 });
        circle.addEventListener("keydown", (event) => {
          this.#press(i, event);
        });
        this.#handles.push(circle);
        this.#front.append(circle);
      }
      const now = handle.axes === "x" ? handle.x : handle.y;
      const told = handle.axes === "xy" ? `${handle.x.toFixed(2)}, ${handle.y.toFixed(2)}` : now.toPrecision(3);
      const attributes = { class: `handle ${handle.look} along-${handle.axes}`, cx: this.#x(handle.x), cy: this.#y(handle.y), "aria-label": handle.label, "aria-valuenow": now, "aria-valuetext": told };
      for (const [name, value] of Object.entries(attributes)) circle.setAttribute(name, String(value));
    });
  }
}

function inside(value: number, [low, high]: readonly [number, number]): number {
  return Math.min(high, Math.max(low, value));
}
