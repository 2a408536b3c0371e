// Curves over a logarithmic axis, with a marker that is dragged along one of them.

import { scaleLinear, scaleLog } from "d3-scale";
import { curveMonotoneX, line } from "d3-shape";
import { svg } from "./dom";
import { nearest, spaced } from "./ticks";

export interface Curves {
  readonly x: readonly number[];
  readonly curves: readonly (readonly (number | null)[])[];
  readonly chosen: number; // which curve is looked at
  readonly marked: number; // which of x
  readonly band: readonly [number, number] | null;
  readonly level: { readonly label: string; readonly value: number } | null;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly label: string;
  readonly linear?: boolean; // x is a distance, and y a share that begins at 0
  readonly powers?: boolean; // x is linear, y a power: logarithmic, six decades of it
  readonly decades?: boolean; // both axes are logarithmic
  readonly name?: (x: number) => string; // of a mark on the axis
  readonly dots?: number; // which curve is points, on top of the others
}

type Scale = ReturnType<typeof scaleLinear<number>> | ReturnType<typeof scaleLog<number>>;

const CAP = 60; // decibels: nobody sees more, and a curve beyond runs along the top
const MARGIN = { top: 30, right: 14, bottom: 40, left: 46 };

export class Chart {
  readonly element: SVGSVGElement;
  onDrag: (index: number) => void = () => undefined;
  #shown: Curves | undefined;
  #left = 0;
  #width = 0;

  constructor() {
    this.element = svg("svg", { class: "chart", role: "img" });
    new ResizeObserver(() => {
      this.#draw();
    }).observe(this.element);
    const move = (event: PointerEvent): void => {
      if (event.buttons !== 0 || event.type === "pointerdown") this.#drag(event);
    };
    this.element.addEventListener("pointerdown", (event) => {
      this.element.setPointerCapture(event.pointerId);
      move(event);
    });
    this.element.addEventListener("pointermove", move);
  }

  show(curves: Curves): void {
    this.#shown = curves;
    this.#draw();
  }

  #scaleX({ x, linear, powers }: Curves): Scale {
    const room = [MARGIN.left, this.#width - MARGIN.right];
    const [first, last] = [x[0] ?? 1, x.at(-1) ?? 10];
    return (linear ?? powers) ? scaleLinear([first, last], room) : scaleLog([first / 1.04, last * 1.04], room);
  }

  #drag(event: PointerEvent): void {
    const shown = this.#shown;
    if (!shown || shown.x.length === 0) return;
    this.#left = this.element.getBoundingClientRect().left;
    this.onDrag(nearest(shown.x, this.#scaleX(shown).invert(event.clientX - this.#left)));
  }

  #draw(): void {
    const shown = this.#shown;
    const { width, height } = this.element.getBoundingClientRect();
    if (!shown || width === 0) return;
    this.#width = width;
    this.element.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.element.setAttribute("aria-label", shown.label);
    const x = this.#scaleX(shown);
    const known = shown.curves.flat().filter((v): v is number => v !== null && v < CAP && (!(shown.powers ?? shown.decades) || v > 0));
    const levels = shown.level ? [...known, shown.level.value] : known;
    const [low, high] = [Math.min(...levels), Math.max(...levels)];
    const domain = shown.linear ? [Math.min(0, low), 1] : [low - 0.5, Math.min(CAP, high + 0.7)];
    const range = [height - MARGIN.bottom, MARGIN.top];
    const y = shown.powers
      ? scaleLog([Math.max(low, high * 1e-6), high], range).clamp(true)
      : shown.decades
        ? scaleLog([low / 1.15, high * 1.15], range)
        : scaleLinear(domain, range).nice(5).clamp(true);
    this.element.replaceChildren(
      ...this.#axes(shown, x, y, height),
      ...this.#lines(shown, x, y, height),
      ...this.#marker(shown, x, y, height),
    );
  }

  #axes(shown: Curves, x: Scale, y: Scale, height: number): Node[] {
    const bottom = height - MARGIN.bottom;
    const right = this.#width - MARGIN.right;
    const decades = y.ticks(5).filter((v) => {
      if (!(shown.powers ?? shown.decades)) return true;
      const mantissa = Math.round(v / 10 ** Math.floor(Math.log10(v * 1.0001)));
      return mantissa === 1 || (shown.decades && (mantissa === 2 || mantissa === 5));
    });
    const ticks = decades.map((v) =>
      svg(
        "g",
        {},
        svg("line", { class: "grid", x1: MARGIN.left, x2: right, y1: y(v), y2: y(v) }),
        svg("text", { class: "tick", x: MARGIN.left - 8, y: y(v) + 4, "text-anchor": "end" }, shown.powers ? `1e${Math.round(Math.log10(v))}` : String(v)),
      ),
    );
    const marks = ((shown.linear ?? shown.powers) ? x.ticks(6) : spaced(shown.x, x, 34)).map((v) =>
      svg("text", { class: "tick", x: x(v), y: bottom + 17, "text-anchor": "middle" }, shown.name?.(v) ?? String(v)),
    );
    const middle = (MARGIN.left + right) / 2;
    return [
      ...ticks,
      ...marks,
      svg("text", { class: "axis", x: middle, y: height - 4, "text-anchor": "middle" }, shown.xLabel),
      svg("text", { class: "axis", x: 6, y: 9, "dominant-baseline": "middle" }, shown.yLabel),
    ];
  }

  #lines(shown: Curves, x: (v: number) => number, y: (v: number) => number, height: number): Node[] {
    const drawn: Node[] = [];
    if (shown.band) {
      const [from, to] = [x(shown.band[0] / 1.05), x(shown.band[1] * 1.05)];
      const size = { x: from, width: Math.max(2, to - from), y: MARGIN.top, height: height - MARGIN.bottom - MARGIN.top };
      drawn.push(svg("rect", { class: "band", ...size }));
    }
    if (shown.level) {
      const at = y(shown.level.value);
      drawn.push(
        svg("line", { class: "level", x1: MARGIN.left, x2: this.#width - MARGIN.right, y1: at, y2: at }),
        svg("text", { class: "level-label", x: this.#width - MARGIN.right, y: at - 5, "text-anchor": "end" }, shown.level.label),
      );
    }
    shown.curves.forEach((curve, i) => {
      if (i === shown.dots) return;
      const path = line<[number, number | null]>()
        .defined(([, v]) => v !== null)
        .x(([b]) => x(b))
        .y(([, v]) => y(v ?? 1))
        .curve(curveMonotoneX);
      const points = shown.x.map((b, j): [number, number | null] => [b, curve[j] ?? null]);
      drawn.push(svg("path", { class: i === shown.chosen ? "curve chosen" : "curve", "data-curve": i, d: path(points) }));
    });
    shown.curves[shown.dots ?? -1]?.forEach((value, j) => {
      const at = shown.x[j];
      if (value !== null && at !== undefined) drawn.push(svg("circle", { class: "dot", "data-curve": shown.dots ?? 0, cx: x(at), cy: y(value), r: 4.5 }));
    });
    return drawn;
  }

  #marker(shown: Curves, x: (v: number) => number, y: (v: number) => number, height: number): Node[] {
    const at = shown.x[shown.marked];
    const value = shown.curves[shown.chosen]?.[shown.marked];
    if (at === undefined || value === null || value === undefined) return [];
    return [
      svg("line", { class: "cursor", x1: x(at), x2: x(at), y1: MARGIN.top, y2: height - MARGIN.bottom }),
      svg("circle", { class: "handle", "data-curve": shown.chosen, cx: x(at), cy: y(value), r: 8 }),
    ];
  }
}
