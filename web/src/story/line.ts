// Step 1: a line fitted by gradient descent, whose kernel stays as it is.

import { keys, Player, Slider } from "../controls";
import { h } from "../dom";
import { Matrix } from "../matrix";
import { Plot } from "../plot";
import type { Stage, Teller } from "../tale";
import { steps, t } from "../words";

interface Said {
  steps: number;
  ends: [number, number];
  line: number[];
  foretold_line: number[];
  loss: number;
  foretold: number;
  shown: number[];
  losses: number[];
  foretold_losses: number[];
  kernel: number[][];
  eigenvalues: number[];
}

export const FORMULA = String.raw`\begin{gathered} \dot r = -K r, \qquad K_{ij} = 1 + x_i x_j \\ r(t) = e^{-Kt}\, r(0) \end{gathered}`;

const MOMENTS = [...Array.from({ length: 16 }, (_, i) => i), 16, 20, 24, 28, 32, 36, 40, 50, 60, 70, 80, 90, 100];
const FIRST = { x: [-0.9, -0.5, -0.1, 0.3, 0.6, 1], y: [-0.7, -0.8, 0.1, 0.2, 0.9, 0.5] };
const now = { x: [...FIRST.x], y: [...FIRST.y], at: 4, chosen: 5 };

export function make(teller: Teller): Stage {
  const plot = new Plot();
  const loss = new Plot("low");
  const matrix = new Matrix();
  const said = h("p", { class: "said", "data-said": "line" });
  const time = new Slider({
    id: "line-time",
    label: t("story.line.time"),
    max: MOMENTS.length - 1,
    at: now.at,
    text: (at) => steps(MOMENTS[at] ?? 0),
    on: (at) => {
      now.at = at;
      ask();
    },
  });
  const player = new Player(time);
  plot.onMove = (i, x, y) => {
    [now.x[i], now.y[i], now.chosen] = [x, y, i];
    ask();
  };

  function ask(): void {
    teller.ask("fit", { x: now.x, y: now.y, at: now.at }, ({ content }) => {
      draw(content as unknown as Said);
    });
  }

  function draw(found: Said): void {
    plot.show({
      x: { range: [-1.25, 1.25], label: "x" },
      y: { range: [-1.5, 1.5], label: "y" },
      label: t("story.line.plot"),
      lines: [
        { x: found.ends, y: found.line, look: "b thick" },
        { x: found.ends, y: found.foretold_line, look: "ink dashed" },
      ],
      handles: now.x.map((x, i) => ({ x, y: now.y[i] ?? 0, look: i === now.chosen ? "c chosen" : "c", label: t("story.point", { i: i + 1 }), axes: "xy" as const })),
    });
    const most = Math.max(...found.losses);
    loss.show({
      x: { range: [0, 100], label: t("story.line.steps") },
      y: { range: [0, most * 1.05], label: t("story.line.loss") },
      label: t("story.line.losses"),
      lines: [
        { x: found.shown, y: found.foretold_losses, look: "ink dashed" },
        { x: [found.steps, found.steps], y: [0, most], look: "faint" },
      ],
      dots: [
        { x: found.shown, y: found.losses, look: "b", r: 3 },
        { x: [found.steps], y: [found.loss], look: "b", r: 6 },
      ],
    });
    matrix.show(t("story.line.kernel"), found.kernel, now.chosen);
    said.textContent = t("story.line.said", { loss: found.loss.toFixed(3), foretold: found.foretold.toFixed(3), fast: (found.eigenvalues[0] ?? 0).toFixed(2), slow: (found.eigenvalues[1] ?? 0).toFixed(2) });
    const far = (here: readonly number[], first: readonly number[], by: number): boolean => here.some((v, i) => Math.abs(v - (first[i] ?? 0)) > by);
    if (far(now.y, FIRST.y, 0.5) && !far(now.x, FIRST.x, 0.1)) teller.found(1);
    if (far(now.x, FIRST.x, 0.4)) teller.found(2);
    if (found.steps === found.shown.at(-1)) teller.found(3);
    said.dataset["loss"] = String(found.loss);
    said.dataset["steps"] = String(found.steps);
  }

  return {
    element: h(
      "div",
      { class: "stage-parts" },
      plot.element,
      keys(["b", t("story.line.trained")], ["ink dashed", t("story.line.foretold")]),
      h("div", { class: "played" }, time.element, player.button),
      said,
      h("div", { class: "halves" }, h("div", { class: "scrolled" }, matrix.element), loss.element),
    ),
    start: ask,
    leave: () => {
      player.stop();
    },
  };
}
