// Step 4: a network and its first-order Taylor expansion in the weights.

import { keys, Player, Slider } from "../controls";
import { button, h } from "../dom";
import { Plot } from "../plot";
import type { Stage, Teller } from "../tale";
import { t } from "../words";

interface Said {
  places: number[];
  start: number[];
  network: number[];
  expansion: number[];
  gap: number;
  half: number;
  shares: number[];
  gaps: number[];
  width: number;
  share: number;
}

export const FORMULA = String.raw`f(x; \theta) \approx f(x; \theta_0) + \nabla_\theta f(x; \theta_0) \cdot (\theta - \theta_0)`;

const WIDTHS = [4, 16, 64, 256, 1024];
const STEPS = 26; // to 1.3 of the way
const now = { x: [-1, -0.5, 0, 0.5, 1], y: [0.5, -0.7, -0.2, 0.9, 0.3], width: 0, share: 0.5, seed: 0 };

export function make(teller: Teller): Stage {
  const plot = new Plot();
  const gaps = new Plot("low");
  const said = h("p", { class: "said", "data-said": "taylor" });
  const seen = new Map<number, number>();
  const share = new Slider({
    id: "taylor-share",
    label: t("story.taylor.share"),
    max: STEPS,
    at: now.share * 20,
    text: (at) => `${at * 5} %`,
    on: (at) => {
      now.share = at / 20;
      ask();
    },
  });
  const width = new Slider({
    id: "taylor-width",
    label: t("story.width"),
    max: WIDTHS.length - 1,
    at: now.width,
    text: (at) => String(WIDTHS[at]),
    on: (at) => {
      now.width = at;
      ask();
    },
  });
  const player = new Player(share);
  plot.onMove = (i, x, y) => {
    [now.x[i], now.y[i]] = [x, y];
    seen.clear();
    ask();
  };

  function ask(): void {
    teller.ask("expand", { x: now.x, y: now.y, width: WIDTHS[now.width], share: now.share, seed: now.seed }, ({ content }) => {
      draw(content as unknown as Said);
    });
  }

  function draw(found: Said): void {
    plot.show({
      x: { range: [-1.25, 1.25], label: "x" },
      y: { range: [-2, 2], label: "f(x)" },
      label: t("story.taylor.plot"),
      lines: [
        { x: found.places, y: found.start, look: "faint" },
        { x: found.places, y: found.network, look: "b thick" },
        { x: found.places, y: found.expansion, look: "ink dashed" },
      ],
      handles: now.x.map((x, i) => ({ x, y: now.y[i] ?? 0, look: "c", label: t("story.point", { i: i + 1 }), axes: "xy" as const })),
    });
    gaps.show({
      x: { range: [0.01, 1.3], label: t("story.taylor.way"), log: true, ticks: [0.01, 0.03, 0.1, 0.3, 1], name: (v) => `${100 * v} %` },
      y: { range: [1e-6, 4], label: t("story.taylor.gap"), log: true },
      label: t("story.taylor.gaps"),
      lines: [{ x: found.shares, y: found.gaps, look: "a" }],
      dots: [
        { x: found.shares, y: found.gaps, look: "a", r: 3 },
        { x: found.share < 0.01 ? [] : [found.share], y: [found.gap], look: "a", r: 6 },
      ],
    });
    const ratio = found.gap / found.half;
    said.textContent = t("story.taylor.said", { gap: found.gap.toPrecision(2), half: found.half.toPrecision(2), ratio: Number.isFinite(ratio) ? ratio.toFixed(1) : "–" });
    said.dataset["gap"] = String(found.gap);
    said.dataset["width"] = String(found.width);
    if (found.share > 0 && found.share <= 0.2) teller.found(1);
    if (found.share === 1) seen.set(found.width, found.gap);
    if (seen.has(4) && seen.has(1024)) teller.found(2);
  }

  return {
    element: h(
      "div",
      { class: "stage-parts" },
      plot.element,
      keys(["faint", t("story.taylor.start")], ["b", t("story.taylor.network")], ["ink dashed", t("story.taylor.expansion")]),
      h("div", { class: "played" }, share.element, player.button),
      h("div", { class: "played" }, width.element, button(t("story.again"), () => {
        now.seed += 1;
        seen.clear();
        ask();
      })),
      said,
      gaps.element,
    ),
    start: ask,
    leave: () => {
      player.stop();
    },
  };
}
