// Step 7: gradient flow mode by mode.

import { keys, Player, timeSlider } from "../controls";
import { button, h } from "../dom";
import { Plot } from "../plot";
import type { Stage, Teller } from "../tale";
import { t } from "../words";

interface Said {
  x: number[];
  left: number[];
  learned: number[];
  eigenvalues: number[];
  before: number[];
  after: number[];
}

export const FORMULA = String.raw`u(t) = e^{-Kt}\, u(0) = \sum_i e^{-\lambda_i t}\, \langle v_i, u(0) \rangle\, v_i`;

const TIMES = [0, ...Array.from({ length: 49 }, (_, i) => 10 ** (-2 + i / 8))];
const FIRST = [-0.2, -0.9, -0.5, 0.4, 1.1, 0.6, -0.3, 0.2, 0.9, 0.3, -0.7, -0.4];
const now = { target: [...FIRST], time: 0, mode: -1 };

export function make(teller: Teller): Stage {
  const plot = new Plot();
  const bars = new Plot("low");
  const said = h("p", { class: "said", "data-said": "modes" });
  let modes: number[][] = [];
  const time = timeSlider("modes-time", TIMES, now, ask);
  const player = new Player(time);
  const pick = h("div", { class: "presets", role: "group", "aria-label": t("story.modes.pick") });
  plot.onMove = (i, _, y) => {
    now.target[i] = y;
    now.mode = -1;
    ask();
  };

  function choose(mode: number): void {
    now.mode = mode;
    now.target = mode < 0 ? [...FIRST] : (modes[mode] ?? []).map((v) => Math.min(2, Math.max(-2, 0.7 * v)));
    ask();
  }

  function ask(): void {
    teller.ask("fade", { time: TIMES[now.time], target: now.target }, ({ content }) => {
      draw(content as unknown as Said);
    });
  }

  function draw(found: Said): void {
    plot.show({
      x: { range: [-1.08, 1.08], label: "x", ticks: [-1, -0.5, 0, 0.5, 1] },
      y: { range: [-2, 2], label: "y" },
      label: t("story.modes.plot"),
      lines: [
        { x: found.x, y: found.learned, look: "b thick" },
        { x: found.x, y: found.left, look: "a" },
      ],
      handles: now.target.map((y, i) => ({ x: found.x[i] ?? 0, y, look: "c", label: t("story.point", { i: i + 1 }), axes: "y" as const })),
    });
    const n = found.before.length;
    const at = found.before.map((_, i) => i + 1);
    const most = 1.1 * Math.max(0.5, ...found.before.map(Math.abs));
    bars.show({
      x: { range: [0.4, n + 0.6], label: t("story.modes.mode"), ticks: at, name: (i) => label(found.eigenvalues[i - 1] ?? 0) },
      y: { range: [0, most], label: t("story.modes.part") },
      label: t("story.modes.bars"),
      bars: [
        { x: at, y: found.before.map(Math.abs), look: "faint hollow", width: 0.6 },
        { x: at, y: found.after.map(Math.abs), look: "a", width: 0.6 },
      ],
    });
    const share = (i: number): number => Math.abs((found.after[i] ?? 0) / (found.before[i] ?? 1));
    const gone = found.before.filter((_, i) => share(i) < 0.05).length;
    said.textContent = t("story.modes.said", { gone, all: n });
    said.dataset["gone"] = String(gone);
    said.dataset["mode"] = String(now.mode);
    if (gone >= 2 && gone < n) teller.found(1);
    if (now.mode >= 2 && now.time > 0 && share(now.mode) < 0.9) teller.found(2);
    if (now.mode < 0 && now.target.some((y, i) => Math.abs(y - (FIRST[i] ?? 0)) > 0.5)) teller.found(3);
  }

  return {
    element: h(
      "div",
      { class: "stage-parts" },
      plot.element,
      keys(["b", t("story.modes.learned")], ["a", t("story.modes.left")], ["c round", t("story.modes.target")]),
      h("div", { class: "played" }, time.element, player.button),
      said,
      bars.element,
      h("p", { class: "said" }, t("story.modes.pick")),
      pick,
    ),
    start: () => {
      teller.ask("shapes", {}, ({ content }) => {
        modes = (content as { modes: number[][] }).modes;
        const choices = [0, 1, 2, 3, 4, 5].map((i) => {
          const made = button("", () => {
            choose(i);
          }, { class: "mode", "aria-label": t("story.modes.alone", { i: i + 1 }), "data-mode": i });
          const small = new Plot("tiny");
          small.show({ x: { range: [0, 11], label: "", ticks: [] }, y: { range: [-2.6, 2.6], label: "", ticks: [] }, label: "", lines: [{ x: (modes[i] ?? []).map((_, k) => k), y: modes[i] ?? [], look: "a" }] });
          made.append(small.element, h("span", {}, String(i + 1)));
          return made;
        });
        pick.replaceChildren(...choices, button(t("story.modes.mixed"), () => {
          choose(-1);
        }));
      });
      ask();
    },
    leave: () => {
      player.stop();
    },
  };
}

function label(eigenvalue: number): string {
  return eigenvalue >= 1 ? eigenvalue.toFixed(1) : eigenvalue.toPrecision(1);
}
