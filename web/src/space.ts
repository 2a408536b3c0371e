// Points and a plane in space, turned by hand.

import { h, svg } from "./dom";

export interface Scene {
  readonly label: string;
  readonly points: readonly (readonly number[])[]; // x, y, z
  readonly looks: readonly string[];
  readonly plane: readonly number[]; // of x, y, z and 1: it lies where they sum to 0
  readonly reach: number;
  readonly big: number; // the point that is drawn larger
}

export class Space {
  readonly element = h("div", { class: "plot space" });
  #svg = svg("svg", { role: "img", tabindex: 0 });
  #scene: Scene | undefined;
  #turn = 0.5;
  #rise = 0.35;

  constructor() {
    this.element.append(this.#svg);
    new ResizeObserver(() => {
      this.#draw();
    }).observe(this.element);
    this.#svg.addEventListener("pointerdown", (event) => {
      this.#svg.setPointerCapture(event.pointerId);
    });
    this.#svg.addEventListener("pointermove", (event) => {
      if (event.buttons !== 0) this.#rotate(event.movementX / 120, event.movementY / 160);
    });
    this.#svg.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.06], ArrowDown: [0, -0.06] }[event.key];
      if (!way) return;
      event.preventDefault();
      event.stopPropagation();
      this.#rotate(way[0] ?? 0, way[1] ?? 0);
    });
  }

  show(scene: Scene): void {
    this.#scene = scene;
    this.#draw();
  }

  #rotate(turn: number, rise: number): void {
    this.#turn += turn;
    this.#rise = Math.min(1.5, Math.max(0, this.#rise + rise));
    this.#draw();
  }

  #draw(): void {
    const scene = this.#scene;
    const { width, height } = this.element.getBoundingClientRect();
    if (!scene || width === 0) return;
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#svg.setAttribute("aria-label", scene.label);
    const scale = Math.min(width / 4.1, height / 3.4);
    const seen = (x: number, y: number, z: number): [number, number, number] => {
      const [across, depth] = [x * Math.cos(this.#turn) - y * Math.sin(this.#turn), x * Math.sin(this.#turn) + y * Math.cos(this.#turn)];
      const up = z * Math.cos(this.#rise) + depth * Math.sin(this.#rise);
      return [width / 2 + scale * across, 0.62 * height - scale * (up - 0.25 * Math.cos(this.#rise)), depth * Math.cos(this.#rise) - z * Math.sin(this.#rise)];
    };
    const { reach: r } = scene;
    const corners = [[-r, -r], [r, -r], [r, r], [-r, r]] as const;
    const polygon = (look: string, heights: readonly number[]): SVGElement =>
      svg("polygon", { class: look, points: corners.map(([x, y], i) => seen(x, y, heights[i] ?? 0).slice(0, 2).join(",")).join(" ") });
    const [a = 0, b = 0, c = 0, one = 0] = scene.plane;
    const heights = corners.map(([x, y]) => -(a * x + b * y + one) / c);
    const isSeen = Math.abs(c) > 1e-9 && heights.every((z) => z > -0.4 && z < 2.6);
    const dots = scene.points
      .map(([x = 0, y = 0, z = 0], i) => ({ at: seen(x, y, z), below: a * x + b * y + c * z + one > 0, look: scene.looks[i] ?? "", r: i === scene.big ? 8 : 5 }))
      .sort((one, other) => other.at[2] - one.at[2]);
    const drawn = (isBelow: boolean): SVGElement[] =>
      dots.filter((dot) => dot.below === isBelow).map(({ at, look, r }) => svg("circle", { class: `dot ${look}`, cx: at[0], cy: at[1], r }));
    this.#svg.replaceChildren(
      polygon("floor", [0, 0, 0, 0]),
      ...drawn(true),
      ...(isSeen ? [polygon("plane", heights)] : []),
      ...drawn(false),
    );
  }
}
