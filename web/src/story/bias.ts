// Step 8: spectral bias on a circle.

import { keys, Player, timeSlider } from "../controls";
import { h } from "../dom";
import { Plot, type Curve } from "../plot";
import { preset, type Stage, type Teller } from "../tale";
import { t } from "../words";

interface Said {
  turns: number[];
  target: number[];
  function: number[];
  cycles: number[];
  heights: number[];
  frequency: number[];
  rate: number[];
  time: number;
}

export const FORMULA = String.raw`\begin{gathered} K(\vartheta, \vartheta') = \kappa(\vartheta - \vartheta') \;\Rightarrow\; v_k = e^{i k \vartheta} \\ \dot u_k = -\lambda_k\, u_k \end{gathered}`;

const TIMES = [0, ...Array.from({ length: 41 }, (_, i) => 10 ** (-2.5 + i / 8))];
const now = { heights: [0.5, 0.4, 0.3, 0.3, 0.3], time: 0 };

/** A function on the circle, drawn around it. */
function around(turns: readonly number[], values: readonly number[], look: string): Curve {
  const closed = [...turns.map((turn, i) => [turn, values[i] ?? 0] as const), [turns[0] ?? 0, values[0] ?? 0] as const];
  const radius = (v: number): number => 1 + 0.28 * v;
  return { x: closed.map(([turn, v]) => radius(v) * Math.cos(2 * Math.PI * turn)), y: closed.map(([turn, v]) => radius(v) * Math.sin(2 * Math.PI * turn)), look };
}

export function make(teller: Teller): Stage {
  const circle = new Plot("square bare");
  const bars = new Plot("square");
  const rates = new Plot("low");
  const said = h("p", { class: "said", "data-said": "bias" });
  const time = timeSlider("bias-time", TIMES, now, ask);
  const player = new Player(time);
  bars.onMove = (i, _, y) => {
    now.heights[i] = y;
    ask();
  };

  function ask(): void {
    teller.ask("learn", { heights: now.heights, time: TIMES[now.time] }, ({ content }) => {
      draw(content as unknown as Said);
    });
  }

  function draw(found: Said): void {
    const turn = Array.from({ length: 73 }, (_, i) => (i * Math.PI) / 36);
    const axis = (label: string): { range: [number, number]; label: string; ticks: number[] } => ({ range: [-1.55, 1.55], label, ticks: [] });
    circle.show({
      x: axis(""),
      y: axis(""),
      label: t("story.bias.circle"),
      lines: [{ x: turn.map(Math.cos), y: turn.map(Math.sin), look: "faint" }, around(found.turns, found.target, "c"), around(found.turns, found.function, "b thick")],
    });
    const at = found.cycles.map((_, i) => i);
    bars.show({
      x: { range: [-0.5, 4.5], label: t("story.bias.cycles"), ticks: at, name: (i) => String(found.cycles[i] ?? "") },
      y: { range: [0, 1], label: t("story.bias.height") },
      label: t("story.bias.bars"),
      bars: [{ x: at, y: found.heights, look: "b", width: 0.45 }],
      handles: now.heights.map((y, i) => ({ x: i, y, look: "c", label: t("story.bias.wave", { k: found.cycles[i] ?? 0 }), axes: "y" as const })),
    });
    const rate = (k: number): number => found.rate[k - 1] ?? 0;
    rates.show({
      x: { range: [1, 32], label: t("story.bias.frequency"), log: true, ticks: found.cycles.concat(32) },
      y: { range: [0.01, 100], label: t("story.bias.rate"), log: true },
      label: t("story.bias.rates"),
      lines: [
        { x: found.frequency, y: found.rate, look: "a" },
        ...(found.time > 0 ? [{ x: [1, 32], y: [1 / found.time, 1 / found.time], look: "ink dashed" }] : []),
      ],
      dots: [{ x: found.cycles, y: found.cycles.map(rate), look: "a" }],
    });
    said.textContent = t("story.bias.said", { ratio: Math.round(rate(1) / rate(16)) });
    found.heights.forEach((height, i) => (said.dataset[`height${found.cycles[i] ?? 0}`] = String(height)));
    said.dataset["time"] = String(found.time);
    const share = (i: number): number => (found.heights[i] ?? 0) / Math.max(1e-6, now.heights[i] ?? 0);
    const isOn = (i: number): boolean => (now.heights[i] ?? 0) > 0.15;
    if (isOn(0) && isOn(4) && share(0) > 0.95 && share(4) < 0.2) teller.found(1);
    if (isOn(4) && share(4) > 0.95) teller.found(2);
    if (isOn(4) && !at.slice(0, 4).some(isOn)) teller.found(3);
  }

  const mix = (heights: readonly number[]) => () => {
    now.heights = [...heights];
    ask();
  };
  return {
    element: h(
      "div",
      { class: "stage-parts" },
      h("div", { class: "halves even" }, circle.element, bars.element),
      keys(["c", t("story.modes.target")], ["b", t("story.modes.learned")]),
      h("div", { class: "played" }, time.element, player.button),
      h("div", { class: "presets" }, preset(t("story.bias.slow"), mix([0.9, 0, 0, 0, 0])), preset(t("story.bias.fast"), mix([0, 0, 0, 0, 0.9])), preset(t("story.bias.all"), mix([0.5, 0.4, 0.3, 0.3, 0.3]))),
      said,
      rates.element,
    ),
    start: ask,
    leave: () => {
      player.stop();
    },
  };
}
