// Step 2: circles lifted until a plane separates them.

import { keys, Player, Slider, timeSlider } from "../controls";
import { h } from "../dom";
import type { Answer } from "../link";
import { Plot } from "../plot";
import { Space } from "../space";
import type { Stage, Teller } from "../tale";
import { t } from "../words";

interface Said {
  points: number[][];
  labels: number[];
  plane: number[];
  right: number;
  all: number;
}

export const FORMULA = String.raw`\begin{gathered} (x_1, x_2) \mapsto \big(x_1,\, x_2,\, h\,(x_1^2 + x_2^2)\big) \\ f(x) = w_0 + w_1 x_1 + w_2 x_2 + w_3\, h\, |x|^2 \end{gathered}`;

const REACH = 1.4;
const TIMES = Array.from({ length: 25 }, (_, i) => 10 ** ((i - 16) / 8));
const now = { height: 0, time: 16, x: 0.1, y: 0 };

export function make(teller: Teller): Stage {
  const space = new Space();
  const flat = new Plot("square");
  const said = h("p", { class: "said", "data-said": "lift" });
  const height = new Slider({
    id: "lift-height",
    label: t("story.lift.height"),
    max: 20,
    at: 20 * now.height,
    text: (at) => `h = ${(at / 20).toFixed(2)}`,
    on: (at) => {
      now.height = at / 20;
      ask();
    },
  });
  const time = timeSlider("lift-time", TIMES, now, ask);
  const player = new Player(height);
  flat.onMove = (_, x, y) => {
    [now.x, now.y] = [x, y];
    ask();
  };

  function ask(): void {
    teller.ask("plane", { height: now.height, time: TIMES[now.time], x: now.x, y: now.y }, draw);
  }

  function draw({ content, arrays }: Answer): void {
    const found = content as unknown as Said;
    const looks = found.labels.map((label) => (label > 0 ? "b" : "c"));
    space.show({ label: t("story.lift.space"), points: found.points, looks, plane: found.plane, reach: REACH, big: 0 });
    const of = (kind: number): number[][] => found.points.filter((_, i) => i > 0 && found.labels[i] === kind);
    const dots = (kind: number, look: string): { x: number[]; y: number[]; look: string } => ({ x: of(kind).map((p) => p[0] ?? 0), y: of(kind).map((p) => p[1] ?? 0), look });
    flat.show({
      x: { range: [-REACH, REACH], label: "x₁", ticks: [-1, 0, 1] },
      y: { range: [-REACH, REACH], label: "x₂", ticks: [-1, 0, 1] },
      label: t("story.lift.flat"),
      levels: arrays.get("cut"),
      dots: [dots(1, "b"), dots(-1, "c")],
      handles: [{ x: now.x, y: now.y, look: "b chosen", label: t("story.lift.point"), axes: "xy" }],
    });
    said.textContent = t("story.lift.said", { right: found.right, all: found.all });
    said.dataset["right"] = String(found.right);
    const isWhole = found.right === found.all;
    if (isWhole && now.height > 0) teller.found(1);
    if (isWhole && now.height > 0 && now.height <= 0.25 && now.time > 16) teller.found(2);
    if (!isWhole && now.height > 0.4 && now.time > 16 && Math.hypot(now.x, now.y) > 0.7) teller.found(3);
  }

  return {
    element: h(
      "div",
      { class: "stage-parts" },
      h("div", { class: "halves even" }, h("figure", {}, space.element, h("figcaption", {}, t("story.lift.lifted"))), h("figure", {}, flat.element, h("figcaption", {}, t("story.lift.cut")))),
      keys(["b round", t("story.lift.inner")], ["c round", t("story.lift.outer")]),
      h("div", { class: "played" }, height.element, player.button),
      time.element,
      said,
    ),
    start: ask,
    leave: () => {
      player.stop();
    },
  };
}
