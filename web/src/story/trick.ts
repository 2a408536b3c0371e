// Step 3: the polynomial kernel, as features and without them.

import { Slider } from "../controls";
import { h } from "../dom";
import type { Answer } from "../link";
import { Plot } from "../plot";
import type { Stage, Teller } from "../tale";
import { t } from "../words";

interface Said {
  names: string[];
  features: number[][];
  products: number[];
  summed: number;
  kernel: number;
  counts: [number, number];
  points: number[][];
  labels: number[];
  right: number;
  all: number;
}

export const FORMULA = String.raw`k(p, q) = (p \cdot q + 1)^d = \sum_{j} \varphi_j(p)\, \varphi_j(q)`;

const REACH = 1.4;
const now = { degree: 1, points: [0.9, 0.5, 0.4, 1] };
const first = [...now.points];

export function make(teller: Teller): Stage {
  const flat = new Plot("square");
  const bars = new Plot();
  const sums = h("p", { class: "sums", "data-said": "trick" });
  const said = h("p", { class: "said" });
  const counts = h("p", { class: "said" });
  const degree = new Slider({
    id: "trick-degree",
    label: t("story.trick.degree"),
    max: 7,
    at: now.degree - 1,
    text: (at) => `d = ${at + 1}`,
    on: (at) => {
      now.degree = at + 1;
      ask();
    },
  });
  flat.onMove = (i, x, y) => {
    [now.points[2 * i], now.points[2 * i + 1]] = [x, y];
    ask();
  };

  function ask(): void {
    const [x1, y1, x2, y2] = now.points;
    teller.ask("pair", { degree: now.degree, x1, y1, x2, y2 }, draw);
  }

  function draw({ content, arrays }: Answer): void {
    const found = content as unknown as Said;
    const of = (kind: number): number[][] => found.points.filter((_, i) => found.labels[i] === kind);
    const dots = (kind: number, look: string): { x: number[]; y: number[]; look: string; r: number } => ({ x: of(kind).map((p) => p[0] ?? 0), y: of(kind).map((p) => p[1] ?? 0), look, r: 3 });
    const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = now.points;
    flat.show({
      x: { range: [-REACH, REACH], label: "x₁", ticks: [-1, 0, 1] },
      y: { range: [-REACH, REACH], label: "x₂", ticks: [-1, 0, 1] },
      label: t("story.trick.flat"),
      levels: arrays.get("cut"),
      dots: [dots(1, "b"), dots(-1, "c")],
      links: [
        { from: [0, 0], to: [x1, y1], look: "ink" },
        { from: [0, 0], to: [x2, y2], look: "ink" },
      ],
      names: [
        { x: x1 + 0.1, y: y1 + 0.1, text: "p", look: "ink" },
        { x: x2 + 0.1, y: y2 + 0.1, text: "q", look: "ink" },
      ],
      handles: [
        { x: x1, y: y1, look: "a chosen", label: "p", axes: "xy" },
        { x: x2, y: y2, look: "a chosen", label: "q", axes: "xy" },
      ],
    });
    const n = found.products.length;
    const most = Math.max(...found.products.map(Math.abs), 0.1) * 1.1;
    const low = Math.min(0, ...found.products) < 0 ? -most : 0;
    bars.show({
      x: { range: [-0.6, n - 0.4], label: t("story.trick.features"), ticks: n <= 10 ? found.names.map((_, i) => i) : [], name: (i) => pretty(found.names[i] ?? "") },
      y: { range: [low, most], label: "φ(p) φ(q)" },
      label: t("story.trick.bars"),
      bars: [{ x: found.products.map((_, i) => i), y: found.products, look: "a", width: 0.8 }],
    });
    sums.replaceChildren(
      h("span", {}, t("story.trick.summed", { n })),
      h("b", {}, found.summed.toPrecision(10)),
      h("span", {}, `(p·q + 1)${superscript(now.degree)} =`),
      h("b", {}, found.kernel.toPrecision(10)),
    );
    sums.dataset["summed"] = String(found.summed);
    sums.dataset["kernel"] = String(found.kernel);
    counts.textContent = t("story.trick.counts", { n: found.counts[0].toLocaleString("en"), many: many(found.counts[1]) });
    said.textContent = t("story.lift.said", { right: found.right, all: found.all });
    if (now.points.some((v, i) => Math.abs(v - (first[i] ?? 0)) > 0.3)) teller.found(1);
    if (now.degree >= 2 && found.right === found.all) teller.found(2);
    if (now.degree === 8) teller.found(3);
  }

  return {
    element: h(
      "div",
      { class: "stage-parts" },
      h("div", { class: "halves even" }, h("figure", {}, flat.element, h("figcaption", {}, t("story.trick.cut")), said), h("figure", {}, bars.element, h("figcaption", {}, t("story.trick.products")))),
      sums,
      degree.element,
      counts,
    ),
    start: ask,
    leave: () => undefined,
  };
}

/** A count, as people write it. */
function many(n: number): string {
  if (n < 1e15) return n.toLocaleString("en");
  const power = Math.floor(Math.log10(n));
  return `${(n / 10 ** power).toFixed(1)} × 10${superscript(power)}`;
}

function superscript(n: number): string {
  return String(n).replace(/\d/g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)] ?? "");
}

/** `x1^2 x2` as it is written. */
function pretty(name: string): string {
  return name.replace(/x(\d)(?:\^(\d))?/g, (_, i: string, k: string | undefined) => `x${"₀₁₂₃₄"[Number(i)] ?? ""}${k === undefined ? "" : superscript(Number(k))}`);
}
