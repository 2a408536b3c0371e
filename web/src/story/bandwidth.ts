// Step 10: which bandwidth; the signal is drawn by hand.

import { keys, Slider, timeSlider } from "../controls";
import { h } from "../dom";
import { Plot } from "../plot";
import { preset, type Stage, type Teller } from "../tale";
import { t } from "../words";

interface Fit {
  at: number;
  place: number[];
  function: number[];
  trained: number;
  unseen: number;
}

interface Sweep {
  bandwidths: number[];
  trained: number[];
  unseen: number[];
}

export const FORMULA = String.raw`f_t(x) = K_\sigma(x, X)\, K_\sigma^{-1} \big(I - e^{-K_\sigma t}\big)\, y`;

const N = 128;
const BANDWIDTHS = [0.5, 1, 2, 3, 4, 6, 8, 11, 16, 23, 32];
const TIMES = Array.from({ length: 25 }, (_, i) => 10 ** (-2 + i / 4));
const SIGNALS = {
  edges: (x: number): number => 0.6 * Math.sin(6 * Math.PI * x) * Math.exp(-x) + 0.3 * Math.sign(Math.sin(14 * Math.PI * x + 0.01)),
  smooth: (x: number): number => 0.8 * Math.sin(4 * Math.PI * x) + 0.3 * Math.cos(6 * Math.PI * x),
  fine: (x: number): number => 0.5 * Math.sin(2 * Math.PI * x) + 0.6 * Math.sin(40 * Math.PI * x),
};
const sampled = (of: (x: number) => number): number[] => Array.from({ length: N }, (_, i) => of(i / N));
const now = { signal: sampled(SIGNALS.edges), at: 1, time: 8 };

export function make(teller: Teller): Stage {
  const plot = new Plot();
  const curve = new Plot("low");
  const said = h("p", { class: "said", "data-said": "bandwidth" });
  let fit: Fit | undefined;
  let sweep: Sweep | undefined;
  let last: number | undefined; // sample that the pen was at
  let waiting = 0;
  const seen = new Set<number>();
  const bandwidth = new Slider({
    id: "story-bandwidth",
    label: t("view.bandwidth"),
    max: BANDWIDTHS.length - 1,
    at: now.at,
    text: (at) => `σ = ${BANDWIDTHS[at] ?? 0}`,
    on: (at) => {
      now.at = at;
      ask();
    },
  });
  const time = timeSlider("story-bandwidth-time", TIMES, now, () => {
    ask();
    askAll();
  });
  plot.onPlace = (x, y) => {
    const at = Math.min(N - 1, Math.round(x * N));
    const from = last === undefined || Math.abs(last - at) > 24 ? at : last;
    const before = now.signal[from] ?? y;
    const steps = Math.max(1, Math.abs(at - from));
    for (let i = 0; i <= steps; i++) {
      const share = i / steps;
      now.signal[Math.round(from + share * (at - from))] = from === at ? y : before + share * (y - before);
    }
    last = at;
    teller.found(3);
    ask();
    askAll();
  };
  plot.element.addEventListener("pointerup", () => {
    last = undefined;
  });
  curve.onMove = (_, x) => {
    const nearest = BANDWIDTHS.reduce((best, b, i) => (Math.abs(Math.log(b / x)) < Math.abs(Math.log((BANDWIDTHS[best] ?? 1) / x)) ? i : best), 0);
    bandwidth.go(nearest);
  };

  function ask(): void {
    teller.ask("fit", { signal: now.signal, time: TIMES[now.time], at: now.at }, ({ content }) => {
      fit = content as unknown as Fit;
      draw();
    });
  }

  /** All bandwidths, once the hand rests. */
  function askAll(): void {
    clearTimeout(waiting);
    waiting = window.setTimeout(() => {
      teller.askLong("sweep", { signal: now.signal, time: TIMES[now.time] }, ({ content }) => {
        sweep = content as unknown as Sweep;
        draw();
      });
    }, 150);
  }

  function draw(): void {
    if (!fit) return;
    const odd = (values: readonly number[], rest: number): number[] => values.filter((_, i) => i % 2 === rest);
    plot.show({
      x: { range: [0, 1], label: "x" },
      y: { range: [-1.5, 1.5], label: "y" },
      label: t("story.bandwidth.plot"),
      lines: [{ x: fit.place, y: fit.function, look: "b thick" }],
      dots: [
        { x: odd(fit.place, 0), y: odd(now.signal, 0), look: "c", r: 3.4 },
        { x: odd(fit.place, 1), y: odd(now.signal, 1), look: "hollow d", r: 3.4 },
      ],
    });
    said.textContent = t("story.bandwidth.said", { trained: fit.trained.toFixed(1), unseen: fit.unseen.toFixed(1) });
    said.dataset["unseen"] = String(fit.unseen);
    said.dataset["at"] = String(fit.at);
    drawCurve(fit);
  }

  function drawCurve(here: Fit): void {
    if (!sweep) return;
    const { trained, unseen } = sweep;
    const x = sweep.bandwidths.slice(0, unseen.length);
    const top = Math.min(40, Math.max(20, ...trained)) + 2;
    curve.show({
      x: { range: [0.45, 36], label: t("story.bandwidth.x"), log: true, ticks: [0.5, 1, 2, 4, 8, 16, 32] },
      y: { range: [Math.min(0, ...unseen), top], label: t("story.bandwidth.y") },
      label: t("story.bandwidth.curves"),
      lines: [
        { x, y: trained, look: "c" },
        { x, y: unseen, look: "d thick" },
      ],
      handles: [{ x: BANDWIDTHS[here.at] ?? 1, y: here.unseen, look: "d", label: t("view.bandwidth"), axes: "x" }],
    });
    if (unseen.length < BANDWIDTHS.length) return;
    const best = unseen.indexOf(Math.max(...unseen));
    said.dataset["best"] = String(best);
    if (here.at === best) {
      teller.found(1);
      seen.add(now.time);
    }
    if (seen.size > 1 && Math.max(...seen) - Math.min(...seen) >= 4) teller.found(2);
  }

  const take = (of: (x: number) => number) => () => {
    now.signal = sampled(of);
    ask();
    askAll();
  };
  return {
    element: h(
      "div",
      { class: "stage-parts drawn" },
      plot.element,
      keys(["c round", t("story.bandwidth.trained")], ["d round", t("story.bandwidth.unseen")], ["b", t("story.modes.learned")]),
      h("div", { class: "presets" }, preset(t("story.bandwidth.edges"), take(SIGNALS.edges)), preset(t("story.bandwidth.smooth"), take(SIGNALS.smooth)), preset(t("story.bandwidth.fine"), take(SIGNALS.fine))),
      h("div", { class: "halves" }, bandwidth.element, time.element),
      said,
      curve.element,
    ),
    start: () => {
      ask();
      askAll();
    },
    leave: () => {
      clearTimeout(waiting);
      teller.cancel("sweep");
    },
  };
}
