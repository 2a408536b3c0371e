// Step 5: lazy training: the weight matrices at three widths, frame by frame.

import { keys, Player, Slider } from "../controls";
import { h } from "../dom";
import { paintLevels } from "../matrix";
import { Plot } from "../plot";
import type { Stage, Teller } from "../tale";
import { steps, t } from "../words";

interface Film {
  widths: number[];
  frames: number[];
  places: number[];
  losses: number[][];
  functions: number[][][];
  movement: number[][];
  kernel_change: number[][];
}

export const FORMULA = String.raw`\frac{\lVert \theta(t) - \theta(0) \rVert}{\lVert \theta(0) \rVert} \to 0, \qquad K_t \approx K_0 \qquad (m \to \infty)`;

const LOOKS = ["c", "b", "d"];
const now = { x: [-1, -0.6, -0.2, 0.2, 0.6, 1], y: [0.8, -0.9, 0.6, -0.7, 0.9, -0.6], at: 0, change: false };

export function make(teller: Teller): Stage {
  const plot = new Plot("low");
  const moved = new Plot("low");
  const canvases = LOOKS.map(() => h("canvas", { class: "weights", role: "img" }));
  const captions = LOOKS.map((look) => h("figcaption", { class: look }));
  const change = h("input", { type: "checkbox", id: "lazy-change" });
  change.checked = now.change;
  let film: Film | undefined;
  let waiting = 0;
  const time = new Slider({
    id: "lazy-time",
    label: t("story.time"),
    max: 20,
    at: now.at,
    text: (at) => steps(film?.frames[at] ?? 0),
    on: (at) => {
      now.at = at;
      draw();
    },
  });
  const player = new Player(time, 160);
  change.addEventListener("change", () => {
    now.change = change.checked;
    draw();
  });
  plot.onMove = (i, x, y) => {
    [now.x[i], now.y[i]] = [x, y];
    clearTimeout(waiting);
    waiting = window.setTimeout(train, 300); // once the point rests: it takes a second
  };

  function train(): void {
    teller.askLong("train", { x: now.x, y: now.y }, ({ content }) => {
      film = content as unknown as Film;
      time.bound(film.frames.length - 1);
      draw();
    });
  }

  function draw(): void {
    if (!film) return;
    const at = Math.min(now.at, film.frames.length - 1);
    const { widths, frames, places, functions, movement } = film;
    teller.ask("frame", { at, change: now.change ? 1 : 0 }, ({ arrays, content }) => {
      widths.forEach((width, i) => {
        const found = arrays.get(`weights${width}`);
        const canvas = canvases[i];
        if (found && canvas) paintLevels(canvas, found);
      });
      canvases[0]?.setAttribute("data-at", String(content["at"]));
      if (functions.length < widths.length) return;
      if (at === frames.length - 1) teller.found(1);
      if (at === frames.length - 1 && now.change) teller.found(2);
    });
    widths.forEach((width, i) => {
      const share = movement[i] ? (100 * (movement[i][at] ?? 0)).toPrecision(2) : "…";
      captions[i]?.replaceChildren(h("b", {}, t("story.lazy.width", { m: width })), h("br"), t("story.lazy.moved", { share }));
      canvases[i]?.setAttribute("aria-label", t("story.lazy.matrix", { m: width, share }));
    });
    plot.show({
      x: { range: [-1.25, 1.25], label: "x" },
      y: { range: [-2, 2], label: "f(x)" },
      label: t("story.lazy.plot"),
      lines: functions.map((each, i) => ({ x: places, y: each[at] ?? [], look: LOOKS[i] ?? "" })),
      handles: now.x.map((x, i) => ({ x, y: now.y[i] ?? 0, look: "ink", label: t("story.point", { i: i + 1 }), axes: "xy" as const })),
    });
    moved.show({
      x: { range: [1, frames.at(-1) ?? 300], label: t("story.line.steps"), log: true, ticks: [1, 10, 100, 300] },
      y: { range: [1e-4, 1], label: t("story.lazy.movement"), log: true, name: (v) => `${100 * v} %` },
      label: t("story.lazy.movements"),
      lines: [
        ...movement.map((each, i) => ({ x: frames.slice(1), y: each.slice(1), look: LOOKS[i] ?? "" })),
        { x: [Math.max(1, frames[at] ?? 1), Math.max(1, frames[at] ?? 1)], y: [1e-4, 1], look: "faint" },
      ],
    });
  }

  return {
    element: h(
      "div",
      { class: "stage-parts" },
      h("div", { class: "three" }, ...canvases.map((canvas, i) => h("figure", {}, canvas, captions[i] ?? ""))),
      h("label", { class: "check", for: "lazy-change" }, change, t("story.lazy.change")),
      h("div", { class: "played" }, time.element, player.button),
      h("div", { class: "halves" }, plot.element, moved.element),
      keys(["c", "m = 8"], ["b", "m = 64"], ["d", "m = 256"]),
    ),
    start: train,
    leave: () => {
      player.stop();
      clearTimeout(waiting);
      teller.cancel("train");
    },
  };
}
