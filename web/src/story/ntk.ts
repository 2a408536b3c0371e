// Step 6: the kernel of one hidden layer, in two parts, and its expectation.

import { keys, Player, Slider } from "../controls";
import { button, h } from "../dom";
import { Plot, type Drawing } from "../plot";
import type { Stage, Teller } from "../tale";
import { t } from "../words";

interface Parts {
  a: number[];
  b: number[];
}

interface Said {
  width: number;
  angles: number[];
  measured: Parts;
  expected: Parts;
}

interface Rate {
  widths: number[];
  distances: number[];
}

export const FORMULA = String.raw`\begin{gathered} f(x) = \tfrac{1}{\sqrt m} \sum_{j=1}^{m} b_j\, \sigma(a_j \cdot x), \quad K = K_a + K_b \\[4pt] \mathbb E K_a = \cos\vartheta\, \frac{\pi - \vartheta}{2\pi} \\[4pt] \mathbb E K_b = \frac{\sin\vartheta + (\pi - \vartheta)\cos\vartheta}{2\pi} \end{gathered}`;

const now = { width: 2, seed: 0, angle: 50 };

export function make(teller: Teller): Stage {
  const plot = new Plot();
  const circle = new Plot("square");
  const rates = new Plot("square");
  const said = h("p", { class: "said", "data-said": "ntk" });
  let found: Said | undefined;
  let rate: Rate | undefined;
  let draws = 0;
  const width = new Slider({
    id: "ntk-width",
    label: t("story.ntk.width"),
    max: 12,
    at: now.width,
    text: (at) => `m = ${(2 ** at).toLocaleString("en")}`,
    on: (at) => {
      now.width = at;
      ask();
    },
  });
  const player = new Player(width, 600);
  circle.onMove = (_, x, y) => {
    now.angle = Math.abs((180 / Math.PI) * Math.atan2(y, x));
    teller.found(3);
    draw();
  };

  function ask(): void {
    teller.ask("measured", { width: now.width, seed: now.seed }, ({ content }) => {
      found = content as unknown as Said;
      if (now.width <= 4 && draws > 2) teller.found(1);
      if (found.width === 4096) teller.found(2);
      draw();
    });
  }

  function askRate(): void {
    teller.askLong("rate", { seed: now.seed }, ({ content }) => {
      rate = content as unknown as Rate;
      draw();
    });
  }

  function draw(): void {
    if (!found) return;
    const { angles, measured, expected } = found;
    const at = Math.round((now.angle / 180) * (angles.length - 1));
    const here = angles[at] ?? 0;
    const value = ({ a, b }: Parts): number => (a[at] ?? 0) + (b[at] ?? 0);
    const both = ({ a, b }: Parts): number[] => a.map((v, i) => v + (b[i] ?? 0));
    plot.show({
      x: { range: [0, 180], label: t("story.ntk.angle"), ticks: [0, 45, 90, 135, 180], name: (v) => `${v}°` },
      y: { range: [-0.3, 2], label: "K" },
      label: t("story.ntk.plot"),
      lines: [
        { x: [here, here], y: [-0.3, 2], look: "faint" },
        { x: angles, y: measured.a, look: "c" },
        { x: angles, y: measured.b, look: "d" },
        { x: angles, y: both(measured), look: "b thick" },
        { x: angles, y: expected.a, look: "ink dashed" },
        { x: angles, y: expected.b, look: "ink dashed" },
        { x: angles, y: both(expected), look: "ink dashed" },
      ],
      dots: [{ x: [here], y: [value(measured)], look: "b", r: 6 }],
    });
    drawCircle(here);
    drawRate(found.width);
    said.textContent = t("story.ntk.said", { angle: Math.round(here), measured: value(measured).toFixed(3), expected: value(expected).toFixed(3) });
    said.dataset["measured"] = String(value(measured));
    said.dataset["width"] = String(found.width);
  }

  function drawCircle(angle: number): void {
    const turn = Array.from({ length: 73 }, (_, i) => (i * Math.PI) / 36);
    const [x, y] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
    const drawing: Drawing = {
      x: { range: [-1.3, 1.3], label: "x₁", ticks: [-1, 0, 1] },
      y: { range: [-1.3, 1.3], label: "x₂", ticks: [-1, 0, 1] },
      label: t("story.ntk.circle"),
      lines: [{ x: turn.map(Math.cos), y: turn.map(Math.sin), look: "faint" }],
      links: [
        { from: [0, 0], to: [1, 0], look: "ink" },
        { from: [0, 0], to: [x, y], look: "a" },
      ],
      names: [
        { x: 1.06, y: 0.08, text: "x", look: "ink" },
        { x: 1.2 * x - 0.04, y: 1.2 * y - 0.04, text: "x′", look: "a" },
      ],
      dots: [{ x: [1], y: [0], look: "ink", r: 6 }],
      handles: [{ x, y, look: "a", label: "x′", axes: "xy" }],
    };
    circle.show(drawing);
  }

  function drawRate(width: number): void {
    if (!rate) return;
    const shown = rate.widths.indexOf(width);
    rates.show({
      x: { range: [0.8, 5000], label: t("story.ntk.m"), log: true, ticks: [1, 10, 100, 1000] },
      y: { range: [0.003, 10], label: t("story.ntk.distance"), log: true, name: (v) => `${100 * v} %` },
      label: t("story.ntk.rates"),
      lines: [{ x: [1, 4096], y: [1, 1 / 64], look: "ink dashed" }],
      dots: [
        { x: rate.widths, y: rate.distances, look: "b", r: 4 },
        { x: [width], y: [rate.distances[shown] ?? null], look: "b", r: 7 },
      ],
    });
  }

  return {
    element: h(
      "div",
      { class: "stage-parts" },
      plot.element,
      keys(["c", t("story.ntk.a")], ["d", t("story.ntk.b")], ["b", t("story.ntk.sum")], ["ink dashed", t("story.ntk.expected")]),
      h(
        "div",
        { class: "played" },
        width.element,
        player.button,
        button(t("story.again"), () => {
          now.seed += 1;
          draws += 1;
          ask();
          askRate();
        }),
      ),
      said,
      h("div", { class: "halves even" }, circle.element, rates.element),
    ),
    start: () => {
      ask();
      askRate();
    },
    leave: () => {
      player.stop();
      teller.cancel("rate");
    },
  };
}
