// Step 9: Fourier features.

import { keys, Player, Slider, timeSlider } from "../controls";
import { button, h } from "../dom";
import { Plot } from "../plot";
import type { Stage, Teller } from "../tale";
import { t } from "../words";

interface Side {
  function: number[];
  heights: number[];
  frequency: number[];
  rate: number[];
  shape: number[];
}

interface Said {
  turns: number[];
  target: number[];
  cycles: number[];
  time: number;
  drawn: number[];
  plain: Side;
  features: Side;
}

export const FORMULA = String.raw`\begin{gathered} \gamma(x) = \big(\cos 2\pi b_j x,\; \sin 2\pi b_j x\big)_{j=1}^{m} \\ b_j \sim \mathcal N(0, \sigma^2) \end{gathered}`;

const TIMES = Array.from({ length: 33 }, (_, i) => 10 ** (-2 + i / 8));
const BANDWIDTHS = [0.5, 1, 1.5, 2, 3, 4, 6, 8, 11, 16];
const COUNTS = [2, 4, 8, 16, 32, 64, 128, 256];
const HEIGHTS = [0.5, 0.4, 0.3, 0.3, 0.3];
const now = { time: 16, bandwidth: 1, count: 6, seed: 0 };

export function make(teller: Teller): Stage {
  const plot = new Plot();
  const shape = new Plot("low");
  const rates = new Plot("low");
  const said = h("p", { class: "said", "data-said": "fourier" });
  const ladder = (name: "bandwidth" | "count", values: readonly number[], symbol: string): Slider =>
    new Slider({
      id: `fourier-${name}`,
      label: t(`story.fourier.${name}`),
      max: values.length - 1,
      at: now[name],
      text: (at) => `${symbol} = ${values[at] ?? 0}`,
      on: (at) => {
        now[name] = at;
        ask();
      },
    });
  const bandwidth = ladder("bandwidth", BANDWIDTHS, "σ");
  const count = ladder("count", COUNTS, "m");
  const time = timeSlider("fourier-time", TIMES, now, ask);
  const player = new Player(bandwidth, 350);

  function ask(): void {
    const values = { heights: HEIGHTS, time: TIMES[now.time], bandwidth: BANDWIDTHS[now.bandwidth], count: COUNTS[now.count], seed: now.seed };
    teller.ask("compare", values, ({ content }) => {
      draw(content as unknown as Said);
    });
  }

  function draw({ turns, target, cycles, drawn, plain, features, time: when }: Said): void {
    plot.show({
      x: { range: [0, 1], label: t("story.fourier.turns") },
      y: { range: [-1.8, 1.8], label: "f" },
      label: t("story.fourier.plot"),
      lines: [
        { x: turns, y: target, look: "c" },
        { x: turns, y: plain.function, look: "a" },
        { x: turns, y: features.function, look: "b thick" },
      ],
    });
    const shifted = turns.map((turn) => turn - 0.5);
    const half = turns.length / 2;
    const centred = (values: readonly number[]): number[] => [...values.slice(half), ...values.slice(0, half)];
    shape.show({
      x: { range: [-0.5, 0.5], label: t("story.fourier.lag") },
      y: { range: [Math.min(0, ...plain.shape, ...features.shape), 1], label: "K / K(0)" },
      label: t("story.fourier.shapes"),
      lines: [
        { x: shifted, y: centred(plain.shape), look: "a" },
        { x: shifted, y: centred(features.shape), look: "b thick" },
      ],
    });
    const rate = (side: Side, k: number): number => side.rate[k - 1] ?? 0;
    rates.show({
      x: { range: [1, 32], label: t("story.bias.frequency"), log: true, ticks: [...cycles, 32] },
      y: { range: [0.01, 100], label: t("story.bias.rate"), log: true },
      label: t("story.fourier.rates"),
      lines: [
        { x: plain.frequency, y: plain.rate, look: "a" },
        { x: features.frequency, y: features.rate, look: "b thick" },
        { x: [1, 32], y: [1 / when, 1 / when], look: "ink dashed" },
      ],
      dots: [{ x: drawn.filter((b) => b >= 1 && b <= 32), y: drawn.filter((b) => b >= 1 && b <= 32).map(() => 0.012), look: "b", r: 3 }],
    });
    const gain = Math.max(0, rate(features, 16) / rate(plain, 16));
    const slow = rate(plain, 1) / rate(features, 1);
    const isLearned = slow > 0 && slow < 1e9; // else the rate is zero but for rounding
    said.textContent = t("story.fourier.said", { gain: gain.toPrecision(2), slow: isLearned ? slow.toPrecision(2) : "∞" });
    said.dataset["gain"] = String(gain);
    const sigma = BANDWIDTHS[now.bandwidth] ?? 0;
    if (sigma >= 6 && gain > 5 && now.count >= 4) teller.found(1);
    if (sigma >= 11 && now.count >= 4) teller.found(2);
    if (now.count <= 1 && now.seed > 0) teller.found(3);
  }

  return {
    element: h(
      "div",
      { class: "stage-parts" },
      plot.element,
      keys(["c", t("story.modes.target")], ["a", t("story.fourier.plain")], ["b", t("story.fourier.features")]),
      h("div", { class: "played" }, bandwidth.element, player.button),
      h("div", { class: "halves" }, time.element, h("div", { class: "played" }, count.element, button(t("story.again"), () => {
        now.seed += 1;
        ask();
      }))),
      said,
      h("div", { class: "halves" }, shape.element, rates.element),
    ),
    start: ask,
    leave: () => {
      player.stop();
    },
  };
}
