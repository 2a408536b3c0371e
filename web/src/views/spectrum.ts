// Spectrum: the rate of each frequency, the power of the picture over it, and a front that moves with time.

import { Chart, type Curves } from "../chart";
import { h } from "../dom";
import { showFault } from "../fault";
import { formula, prose, rich } from "../formula";
import type { Link } from "../link";
import { ladder, oneOf } from "../subject";
import { measurePixels } from "../timing";
import type { View } from "../view";
import { steps, t } from "../words";

interface Rates {
  bandwidth: number;
  frequency: number[];
  rate: number[];
  power: number[];
}

interface Left {
  steps: number;
  threshold: number;
  front: number;
  left: number[];
}

const FADE = String.raw`\hat r_k(t) = e^{-t\lambda_k}\, \hat r_k(0)`;
const BANDWIDTHS = [1, 1.4, 2, 2.8, 4, 6, 8.5, 10, 14, 20, 28, 40];
const QUARTERS = 4; // of a decade, a position of the slider
const DECADES = 9;

const USUAL = 4;

const chosen = { bandwidth: USUAL, time: 16 };

class Spectrum implements View {
  readonly element = h("section", { class: "view spectra", "aria-labelledby": "view-title" });
  #link: Link;
  #bandwidths = ladder(BANDWIDTHS);
  #rates: Rates | undefined;
  #rateChart = new Chart();
  #powerChart = new Chart();
  #slider = h("input", { type: "range", min: 0, max: QUARTERS * DECADES, step: 1, id: "spectrum-slider", value: chosen.time });
  #value = h("output", { for: "spectrum-slider" });
  #bandwidth = h("input", { type: "range", min: 0, max: BANDWIDTHS.length - 1, step: 1, id: "spectrum-bandwidth" });
  #bandwidthValue = h("output", { for: "spectrum-bandwidth" });
  #said = h("p", { class: "quality", "data-said": "front", role: "status" });
  #error = h("p", { class: "error", role: "alert", hidden: true });
  #asked = 0;
  #since = 0;

  constructor(link: Link) {
    this.#link = link;
    chosen.bandwidth = oneOf(this.#bandwidths, chosen.bandwidth, USUAL);
    this.#bandwidth.value = String(this.#bandwidths.indexOf(chosen.bandwidth));
    this.#slider.addEventListener("input", () => {
      chosen.time = Number(this.#slider.value);
      this.#refresh();
    });
    this.#bandwidth.addEventListener("input", () => {
      chosen.bandwidth = this.#bandwidths[Number(this.#bandwidth.value)] ?? chosen.bandwidth;
      this.#askRates();
    });
    this.element.append(this.#head(), this.#work(), this.#other(), this.#texts());
  }

  show(): void {
    this.#askRates();
  }

  leave(): void {
    this.#link.cancel("spectrum", "rates");
    cancelAnimationFrame(this.#asked);
  }

  #head(): HTMLElement {
    return h("header", {}, h("h1", { id: "view-title" }, t("spectrum.title")), h("p", { class: "lead" }, t("spectrum.lead")));
  }

  #work(): HTMLElement {
    return h(
      "div",
      { class: "card work" },
      this.#error,
      this.#rateChart.element,
      h("div", { class: "slider" }, h("label", { for: "spectrum-slider" }, t("spectrum.slider")), this.#value, this.#slider),
      h("div", { class: "slider" }, h("label", { for: "spectrum-bandwidth" }, t("spectrum.bandwidth")), this.#bandwidthValue, this.#bandwidth),
    );
  }

  #other(): HTMLElement {
    const key = (curve: number, text: string): HTMLElement => h("span", { "data-curve": curve }, h("span", { class: "swatch" }), ` ${text}`);
    return h(
      "div",
      { class: "card pictures" },
      this.#powerChart.element,
      h("p", { class: "keys" }, key(0, t("spectrum.signal")), key(1, t("spectrum.left"))),
      this.#said,
    );
  }

  #texts(): HTMLElement {
    return h(
      "div",
      { class: "texts" },
      h("div", {}, h("h2", {}, t("spectrum.what.title")), prose(t("spectrum.what.1")), formula(FADE, t("spectrum.formula")), prose(t("spectrum.what.2"))),
      h(
        "div",
        {},
        h("h2", {}, t("spectrum.try.title")),
        h("ol", {}, ...([1, 2] as const).map((i) => h("li", {}, ...rich(t(`spectrum.try.${i}`))))),
        h("h2", {}, t("spectrum.limits.title")),
        prose(t("spectrum.limits.1")),
      ),
    );
  }

  #steps(): number {
    return Math.round(10 ** (chosen.time / QUARTERS));
  }

  #fail(message: string): void {
    this.element.setAttribute("aria-busy", "false");
    showFault(this.#error, message);
  }

  #askRates(): void {
    this.#error.hidden = true;
    this.#bandwidthValue.textContent = String(chosen.bandwidth);
    this.#bandwidth.setAttribute("aria-valuetext", String(chosen.bandwidth));
    this.element.setAttribute("aria-busy", "true");
    this.#link.ask("spectrum", "rates", { bandwidth: chosen.bandwidth }, {
      answer: ({ content }) => {
        this.#rates = content as unknown as Rates;
        this.#refresh();
      },
      error: (message) => {
        this.#fail(message);
      },
    });
  }

  #refresh(): void {
    const rates = this.#rates;
    if (!rates) return;
    const after = t("spectrum.time", { steps: steps(this.#steps()) });
    this.#value.textContent = after;
    this.#slider.setAttribute("aria-valuetext", after);
    if (this.#since === 0) this.#since = performance.now();
    cancelAnimationFrame(this.#asked);
    this.#asked = requestAnimationFrame(() => {
      this.#askLeft(rates);
    });
  }

  #askLeft(rates: Rates): void {
    const since = this.#since;
    this.#since = 0;
    this.#link.follow("spectrum", "left", { bandwidth: rates.bandwidth, steps: this.#steps() }, {
      answer: ({ content }) => {
        this.#draw(rates, content as unknown as Left);
        this.element.setAttribute("aria-busy", "false");
        measurePixels(since);
      },
      error: (message) => {
        this.#fail(message);
      },
    });
  }

  #draw(rates: Rates, left: Left): void {
    const x = rates.frequency.slice(1);
    const common = { x, marked: -1, xLabel: t("spectrum.x"), powers: true } as const;
    const band: Curves["band"] = [x[0] ?? 1, left.front];
    this.#rateChart.show({
      ...common,
      curves: [[], [], rates.rate.slice(1)],
      chosen: 2,
      band,
      level: { label: t("spectrum.level"), value: left.threshold },
      yLabel: t("spectrum.rates.y"),
      label: t("spectrum.rates"),
    });
    this.#powerChart.show({
      ...common,
      curves: [rates.power.slice(1), left.left.slice(1)],
      chosen: 1,
      band,
      level: null,
      yLabel: t("spectrum.power.y"),
      label: t("spectrum.power"),
    });
    this.#said.textContent = t("spectrum.front", { front: left.front });
    this.#said.dataset["front"] = String(left.front);
    this.#said.dataset["bandwidth"] = String(rates.bandwidth);
    this.#said.dataset["steps"] = String(left.steps);
  }
}

export function make(link: Link): View {
  return new Spectrum(link);
}
