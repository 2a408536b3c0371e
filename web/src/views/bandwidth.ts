// Bandwidth: drag along predicted PSNR, and see the picture that is predicted there.

import { Chart } from "../chart";
import { button, h } from "../dom";
import { showFault } from "../fault";
import { formula, prose, rich } from "../formula";
import type { NumberArray } from "../frame";
import { Honest } from "../honest";
import type { Answer, Link } from "../link";
import { type Lens, Picture } from "../paint";
import { kind } from "../subject";
import { nearest } from "../ticks";
import { measurePixels } from "../timing";
import type { Signal, View } from "../view";
import { decibels, steps, t } from "../words";

interface Curve {
  bandwidths: number[];
  steps: (number | null)[];
  psnr: (number | null)[][];
  flat: ([number, number] | null)[];
  baseline: { name: string; psnr: number } | null;
  known: number;
  all: number;
}

interface Said {
  bandwidth: number;
  budget: number;
  held_out: number | null;
  train: number | null;
}

const BUDGETS = [200, 500, 1000, 2000, 5000, 10000];
const RATES = { adam: "0.001", sgd: "0.3" } as const;
const ENCODING = String.raw`\begin{gathered} \gamma(x) = \big(\cos 2\pi b_j{\cdot}x,\ \sin 2\pi b_j{\cdot}x\big)_j \\ b_j \sim \mathcal N(0, \sigma^2 I) \end{gathered}`;
const FLOW = String.raw`f(t) = K_* K^{-1}\big(I - e^{-tK}\big)\,y`;
const CLOSE = { image: 4, slice: 4, audio: 32 } as const;
const FAR = 4; // times the best bandwidth, or twice past the flat range: what "too small" and "too large" go to

/** What was chosen, kept while the language or the view changes. */
const chosen = {
  optimiser: "adam" as keyof typeof RATES,
  goal: "generalise" as "generalise" | "fit",
  steps: 2000,
  budget: 2,
  bandwidth: 0, // 0: the best, once it is known
};

class Bandwidth implements View {
  readonly element = h("section", { class: "view bandwidth", "aria-labelledby": "view-title" });
  #link: Link;
  #chart = new Chart();
  #curve: Curve | undefined;
  #lens: Lens = { x: 0.5, y: 0.5, zoom: 1 };
  #asked = 0; // an animation frame
  #since = 0; // when the control moved that is not on the screen yet
  #here = new Picture(t("bandwidth.picture.here", { b: "", steps: "" }));
  #honest = new Honest();
  #hereCaption = h("figcaption");
  #quality = h("p", { class: "quality", "data-said": "quality" });
  #verdict = h("p", { class: "verdict", role: "status" });
  #budgets = h("fieldset", { class: "choices budgets" });
  #slider = h("input", { type: "range", min: 0, max: 1, step: 1, id: "bandwidth-slider" });
  #value = h("output", { for: "bandwidth-slider" });
  #progress = h("progress", { max: 1, value: 0 });
  #progressText = h("span");
  #status = h("div", { class: "progress", role: "status" });
  #error = h("p", { class: "error", role: "alert", hidden: true });
  #limits = h("div");

  constructor(link: Link) {
    this.#link = link;
    this.#chart.onDrag = (index) => {
      this.#go(index);
    };
    this.#slider.addEventListener("input", () => {
      this.#go(Number(this.#slider.value));
    });
    this.#status.append(this.#progress, this.#progressText);
    this.element.append(this.#head(), this.#work(), this.#pictures(), this.#texts());
    this.#watchLens();
  }

  show(): void {
    chosen.bandwidth = 0;
    this.#curve = undefined;
    this.#honest.ask(this.#link);
    this.#askCurve();
  }

  leave(): void {
    this.#link.cancel("bandwidth", "curve");
    cancelAnimationFrame(this.#asked);
  }

  #head(): HTMLElement {
    return h("header", {}, h("h1", { id: "view-title" }, t("bandwidth.title")), h("p", { class: "lead" }, t("bandwidth.lead")));
  }

  #work(): HTMLElement {
    const jump = h(
      "div",
      { class: "jump", role: "group", "aria-label": t("bandwidth.jump") },
      ...(["under", "best", "over"] as const).map((name) =>
        button(t(`bandwidth.${name}`), () => {
          this.#jump(name);
        }, { "data-jump": name }),
      ),
    );
    const label = h("label", { for: "bandwidth-slider" }, t("bandwidth.slider"));
    return h(
      "div",
      { class: "card work" },
      this.#error,
      this.#chart.element,
      this.#status,
      h("div", { class: "slider" }, label, this.#value, this.#slider),
      jump,
      this.#budgets,
      h("div", { class: "settings" }, this.#stepsControl(), this.#optimiserControl(), this.#goalControl()),
    );
  }

  #stepsControl(): HTMLElement {
    return this.#select("steps", t("bandwidth.steps"), BUDGETS.map((n) => [String(n), steps(n)]), String(chosen.steps), (value) => {
      chosen.steps = Number(value);
    });
  }

  #optimiserControl(): HTMLElement {
    const options = (["adam", "sgd"] as const).map((name): [string, string] => [name, t(`bandwidth.${name}`)]);
    return this.#select("optimiser", t("bandwidth.optimiser"), options, chosen.optimiser, (value) => {
      chosen.optimiser = value === "sgd" ? "sgd" : "adam";
    });
  }

  #goalControl(): HTMLElement {
    const options = (["generalise", "fit"] as const).map((name): [string, string] => [name, t(`bandwidth.${name}`)]);
    return this.#select("goal", t("bandwidth.goal"), options, chosen.goal, (value) => {
      chosen.goal = value === "fit" ? "fit" : "generalise";
    });
  }

  #select(name: string, label: string, options: readonly (readonly [string, string])[], value: string, set: (value: string) => void): HTMLElement {
    const made = h("select", { name }, ...options.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
    made.addEventListener("change", () => {
      set(made.value);
      chosen.bandwidth = name === "goal" ? chosen.bandwidth : 0;
      this.#askCurve();
    });
    return h("label", { class: "setting" }, h("span", {}, label), made);
  }

  #pictures(): HTMLElement {
    const zoom = h("input", { type: "checkbox", name: "zoom" });
    zoom.addEventListener("change", () => {
      this.#look({ ...this.#lens, zoom: zoom.checked ? CLOSE[kind()] : 1 });
    });
    const here = h("figure", { class: "here" }, this.#here.canvas, this.#hereCaption);
    const two = h(
      "div",
      { class: "two" },
      ...this.#honest.figures,
    );
    return h("div", { class: "card pictures" }, here, this.#quality, this.#verdict, h("label", { class: "check" }, zoom, t("bandwidth.zoom")), two);
  }

  #texts(): HTMLElement {
    return h(
      "div",
      { class: "texts" },
      h(
        "div",
        {},
        h("h2", {}, t("bandwidth.what.title")),
        prose(t("bandwidth.what.1")),
        formula(ENCODING, t("bandwidth.formula.encoding")),
        prose(t("bandwidth.what.2")),
        formula(FLOW, t("bandwidth.formula.flow")),
      ),
      h(
        "div",
        {},
        h("h2", {}, t("bandwidth.try.title")),
        h("ol", {}, ...([1, 2, 3, 4] as const).map((i) => h("li", {}, ...rich(t(`bandwidth.try.${i}`))))),
        h("h2", {}, t("bandwidth.limits.title")),
        this.#limits,
      ),
    );
  }

  #settings(): { optimiser: string; steps: number; goal: string } {
    return { optimiser: chosen.optimiser, steps: chosen.steps, goal: chosen.goal };
  }

  #askCurve(): void {
    this.#error.hidden = true;
    this.#limits.replaceChildren(prose(t("bandwidth.limits.1", { lr: RATES[chosen.optimiser] })));
    this.element.setAttribute("aria-busy", "true");
    this.#link.ask("bandwidth", "curve", this.#settings(), {
      answer: ({ content }) => {
        this.#take(content as unknown as Curve);
      },
      done: () => {
        this.element.setAttribute("aria-busy", "false");
      },
      error: (message) => {
        this.element.setAttribute("aria-busy", "false");
        showFault(this.#error, message);
      },
    });
  }

  #take(curve: Curve): void {
    this.#curve = curve;
    chosen.budget = Math.min(chosen.budget, curve.steps.length - 1);
    this.#progress.value = curve.known / curve.all;
    this.#status.hidden = curve.known === curve.all;
    this.#progressText.textContent = t("bandwidth.progress", { known: curve.known, all: curve.all });
    this.#slider.max = String(curve.bandwidths.length - 1);
    this.#listBudgets(curve);
    this.#refresh();
  }

  #listBudgets(curve: Curve): void {
    const key = JSON.stringify(curve.steps);
    if (this.#budgets.dataset["steps"] === key) return;
    this.#budgets.dataset["steps"] = key;
    const options = curve.steps.map((n, i) => {
      const radio = h("input", { type: "radio", name: "budget", value: i, checked: i === chosen.budget });
      radio.addEventListener("change", () => {
        chosen.budget = i;
        this.#refresh();
      });
      return h("label", { "data-curve": i }, radio, h("span", { class: "swatch" }), steps(n));
    });
    this.#budgets.replaceChildren(h("legend", {}, t("bandwidth.budget")), ...options);
  }

  /** Where the marker stands: at what was chosen, or at the best so far. */
  #marked(): number {
    const { bandwidths } = this.#curve ?? { bandwidths: [] };
    return chosen.bandwidth > 0 ? nearest(bandwidths, chosen.bandwidth) : this.#best();
  }

  #best(): number {
    const row = (this.#curve?.psnr[chosen.budget] ?? []).map((v) => v ?? Number.POSITIVE_INFINITY);
    return row.indexOf(Math.max(...row));
  }

  #jump(where: "under" | "best" | "over"): void {
    const curve = this.#curve;
    const best = curve?.bandwidths[this.#best()];
    if (!curve || best === undefined) return;
    const [low, high] = curve.flat[chosen.budget] ?? [best, best];
    if (where === "best") {
      chosen.bandwidth = 0;
      this.#refresh();
    } else if (where === "under") this.#go(nearest(curve.bandwidths, Math.min(best / FAR, low / 2)));
    else this.#go(nearest(curve.bandwidths, Math.max(best * FAR, high * 2)));
  }

  #go(index: number): void {
    const wanted = this.#curve?.bandwidths[index];
    if (wanted === undefined || wanted === chosen.bandwidth) return;
    chosen.bandwidth = wanted;
    this.#refresh();
  }

  #refresh(): void {
    const curve = this.#curve;
    if (!curve) return;
    const marked = this.#marked();
    const at = curve.bandwidths[marked] ?? 1;
    this.#slider.value = String(marked);
    this.#slider.setAttribute("aria-valuetext", t("bandwidth.value", { b: at }));
    this.#value.textContent = t("bandwidth.value", { b: at });
    this.#chart.show({
      x: curve.bandwidths,
      curves: curve.psnr,
      chosen: chosen.budget,
      marked,
      band: curve.flat[chosen.budget] ?? null,
      level: chosen.goal === "generalise" && curve.baseline ? { label: t("bandwidth.bicubic"), value: curve.baseline.psnr } : null,
      xLabel: t("bandwidth.x"),
      yLabel: t(chosen.goal === "fit" ? "bandwidth.y.train" : "bandwidth.y.held_out"),
      label: t("bandwidth.chart"),
    });
    this.#judge(curve, at);
    if (this.#since === 0) this.#since = performance.now();
    cancelAnimationFrame(this.#asked);
    this.#asked = requestAnimationFrame(() => {
      this.#askPicture(at);
    });
  }

  #judge(curve: Curve, at: number): void {
    const band = curve.flat[chosen.budget];
    const where = !band ? null : at < band[0] ? "under" : at > band[1] ? "over" : "best";
    this.#verdict.dataset["where"] = where ?? "";
    this.#verdict.textContent = where ? t(`bandwidth.verdict.${where}`) : "";
  }

  #askPicture(bandwidth: number): void {
    const since = this.#since;
    this.#since = 0;
    this.#link.follow("bandwidth", "picture", { ...this.#settings(), bandwidth, budget: chosen.budget }, {
      answer: (answer) => {
        this.#paint(answer);
        measurePixels(since);
      },
      error: (message) => {
        showFault(this.#error, message);
      },
    });
  }

  #paint({ content, arrays }: Answer): void {
    const said = content as unknown as Said;
    this.#here.show(arrays.get("picture") satisfies NumberArray | undefined);
    const after = steps(this.#curve?.steps[said.budget] ?? null);
    const title = t("bandwidth.picture.here", { b: said.bandwidth, steps: after });
    this.#hereCaption.textContent = title;
    this.#here.canvas.setAttribute("aria-label", title);
    this.#quality.textContent = t("bandwidth.quality", { held_out: decibels(said.held_out), train: decibels(said.train) });
    this.#quality.dataset["heldOut"] = String(said.held_out);
    this.#quality.dataset["train"] = String(said.train);
    this.#quality.dataset["bandwidth"] = String(said.bandwidth);
  }

  #look(lens: Lens): void {
    this.#lens = lens;
    for (const picture of [this.#here, ...this.#honest.pictures]) picture.look(lens);
  }

  #watchLens(): void {
    for (const { canvas } of [this.#here, ...this.#honest.pictures]) {
      canvas.addEventListener("pointermove", (event) => {
        if (this.#lens.zoom === 1) return;
        const box = canvas.getBoundingClientRect();
        this.#look({ ...this.#lens, x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height });
      });
    }
  }
}

export function make(link: Link): View {
  return new Bandwidth(link);
}

export type { Signal };
