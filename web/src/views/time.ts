// Time: a scrubber through training: the picture, its error, and the spectrum of what is missing.

import { Chart } from "../chart";
import { button, h } from "../dom";
import { showFault } from "../fault";
import { formula, prose, rich } from "../formula";
import type { Answer, Link } from "../link";
import { Picture } from "../paint";
import { ladder, oneOf } from "../subject";
import { measurePixels } from "../timing";
import type { View } from "../view";
import { decibels, steps, t } from "../words";

interface Course {
  bandwidth: number;
  steps: (number | null)[];
  held_out: (number | null)[];
  train: (number | null)[];
  baseline: number | null;
  frequency: number[];
  power: number[];
}

interface Said {
  moment: number;
  bandwidth: number;
  held_out: number | null;
  train: number | null;
  power: number[];
}

const MODES = String.raw`y - f(t) = \sum_i e^{-t\lambda_i}\, \langle v_i, y \rangle\, v_i`;
const BANDWIDTHS = [1, 2, 4, 6, 8.5, 10, 12, 14, 17, 20, 28, 40];
const RATES = { adam: "0.001", sgd: "0.3" } as const;
const FRAME = 180; // milliseconds between two moments while it plays

const USUAL = 6;

const chosen = { optimiser: "adam" as keyof typeof RATES, bandwidth: USUAL, moment: 18 };

class Time implements View {
  readonly element = h("section", { class: "view time", "aria-labelledby": "view-title" });
  #link: Link;
  #bandwidths = ladder(BANDWIDTHS);
  #course: Course | undefined;
  #chart = new Chart();
  #spectrum = new Chart();
  #here = new Picture(t("time.picture.here", { steps: "" }));
  #wrong = new Picture(t("time.picture.error"));
  #true = new Picture(t("time.picture.true"));
  #hereCaption = h("figcaption");
  #quality = h("p", { class: "quality", "data-said": "quality" });
  #slider = h("input", { type: "range", min: 0, max: 1, step: 1, id: "time-slider" });
  #value = h("output", { for: "time-slider" });
  #error = h("p", { class: "error", role: "alert", hidden: true });
  #limits = h("div");
  #play = button(t("time.play"), () => {
    this.#toggle();
  }, { class: "play" });
  #timer = 0;
  #since = 0;

  constructor(link: Link) {
    this.#link = link;
    chosen.bandwidth = oneOf(this.#bandwidths, chosen.bandwidth, USUAL);
    this.#chart.onDrag = (index) => {
      this.#go(index);
    };
    this.#slider.addEventListener("input", () => {
      this.#go(Number(this.#slider.value));
    });
    this.element.append(this.#head(), this.#work(), this.#pictures(), this.#texts());
  }

  show(): void {
    this.#link.ask("bandwidth", "honest", {}, {
      answer: ({ arrays }) => {
        this.#true.show(arrays.get("picture"));
      },
    });
    this.#askCourse();
  }

  leave(): void {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#link.cancel("time", "course");
  }

  #head(): HTMLElement {
    return h("header", {}, h("h1", { id: "view-title" }, t("time.title")), h("p", { class: "lead" }, t("time.lead")));
  }

  #work(): HTMLElement {
    const label = h("label", { for: "time-slider" }, t("time.slider"));
    const key = (curve: number, text: string): HTMLElement => h("span", { "data-curve": curve }, h("span", { class: "swatch" }), ` ${text}`);
    return h(
      "div",
      { class: "card work" },
      this.#error,
      this.#chart.element,
      h("p", { class: "keys" }, key(2, t("time.held_out")), key(1, t("time.train"))),
      h("div", { class: "slider" }, label, this.#value, this.#slider),
      h("div", { class: "jump" }, this.#play),
      h(
        "div",
        { class: "settings" },
        this.#select("bandwidth", this.#bandwidths.map((b) => [String(b), String(b)]), String(chosen.bandwidth), (value) => {
          chosen.bandwidth = Number(value);
        }),
        this.#select("optimiser", [["adam", t("bandwidth.adam")], ["sgd", t("bandwidth.sgd")]], chosen.optimiser, (value) => {
          chosen.optimiser = value === "sgd" ? "sgd" : "adam";
        }),
      ),
      h(
        "div",
        { class: "spectrum" },
        this.#spectrum.element,
        h("p", { class: "keys" }, key(0, t("time.spectrum.signal")), key(1, t("time.spectrum.missing"))),
      ),
    );
  }

  #select(name: "bandwidth" | "optimiser", options: readonly (readonly [string, string])[], value: string, set: (value: string) => void): HTMLElement {
    const made = h("select", { name }, ...options.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
    made.addEventListener("change", () => {
      set(made.value);
      this.#askCourse();
    });
    return h("label", { class: "setting" }, h("span", {}, t(`time.${name}`)), made);
  }

  #pictures(): HTMLElement {
    return h(
      "div",
      { class: "card pictures" },
      h("figure", { class: "here" }, this.#here.canvas, this.#hereCaption),
      this.#quality,
      h(
        "div",
        { class: "two" },
        h("figure", {}, this.#wrong.canvas, h("figcaption", {}, t("time.picture.error"), h("small", {}, t("time.error.scale")))),
        h("figure", {}, this.#true.canvas, h("figcaption", {}, t("time.picture.true"))),
      ),
    );
  }

  #texts(): HTMLElement {
    return h(
      "div",
      { class: "texts" },
      h("div", {}, h("h2", {}, t("time.what.title")), prose(t("time.what.1")), formula(MODES, t("time.formula")), prose(t("time.what.2"))),
      h(
        "div",
        {},
        h("h2", {}, t("time.try.title")),
        h("ol", {}, ...([1, 2, 3] as const).map((i) => h("li", {}, ...rich(t(`time.try.${i}`))))),
        h("h2", {}, t("time.limits.title")),
        this.#limits,
      ),
    );
  }

  #settings(): { optimiser: string; bandwidth: number } {
    return { optimiser: chosen.optimiser, bandwidth: chosen.bandwidth };
  }

  #askCourse(): void {
    this.#error.hidden = true;
    this.#limits.replaceChildren(prose(t("time.limits.1", { lr: RATES[chosen.optimiser] })));
    this.element.setAttribute("aria-busy", "true");
    this.#link.ask("time", "course", this.#settings(), {
      answer: ({ content }) => {
        this.#course = content as unknown as Course;
        this.#slider.max = String(this.#course.steps.length - 1);
        chosen.moment = Math.min(chosen.moment, this.#course.steps.length - 1);
        this.#refresh();
      },
      error: (message) => {
        this.element.setAttribute("aria-busy", "false");
        showFault(this.#error, message);
      },
    });
  }

  /** Through all moments to the end; from the beginning where it stands there. */
  #toggle(): void {
    if (this.#timer !== 0) {
      this.#stop();
      return;
    }
    const last = Number(this.#slider.max);
    if (chosen.moment >= last) this.#go(0);
    this.#play.textContent = t("time.stop");
    this.#timer = window.setInterval(() => {
      if (chosen.moment >= last) this.#stop();
      else this.#go(chosen.moment + 1);
    }, FRAME);
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#play.textContent = t("time.play");
  }

  #go(index: number): void {
    if (index === chosen.moment) return;
    chosen.moment = index;
    this.#refresh();
  }

  #refresh(): void {
    const course = this.#course;
    if (!course) return;
    const after = steps(course.steps[chosen.moment] ?? null);
    this.#slider.value = String(chosen.moment);
    this.#slider.setAttribute("aria-valuetext", after);
    this.#value.textContent = after;
    const last = course.steps.at(-2) ?? 1;
    this.#chart.show({
      x: course.steps.map((n) => n ?? 2 * last),
      curves: [[], course.train, course.held_out],
      chosen: 2,
      marked: chosen.moment,
      band: null,
      level: course.baseline === null ? null : { label: t("bandwidth.bicubic"), value: course.baseline },
      xLabel: t("time.x"),
      yLabel: t("time.y"),
      label: t("time.chart"),
      name: (n) => (n > last ? "∞" : n >= 1000 ? `${n / 1000}k` : String(n)),
    });
    if (this.#since === 0) this.#since = performance.now();
    this.#askMoment();
  }

  #askMoment(): void {
    const since = this.#since;
    this.#since = 0;
    this.#link.follow("time", "moment", { ...this.#settings(), moment: chosen.moment }, {
      answer: (answer) => {
        this.#paint(answer);
        this.element.setAttribute("aria-busy", "false");
        measurePixels(since);
      },
      error: (message) => {
        showFault(this.#error, message);
      },
    });
  }

  #paint({ content, arrays }: Answer): void {
    const said = content as unknown as Said;
    const course = this.#course;
    if (!course) return;
    this.#here.show(arrays.get("picture"));
    this.#wrong.show(arrays.get("error"));
    const title = t("time.picture.here", { steps: steps(course.steps[said.moment] ?? null) });
    this.#hereCaption.textContent = title;
    this.#here.canvas.setAttribute("aria-label", title);
    this.#quality.textContent = t("bandwidth.quality", { held_out: decibels(said.held_out), train: decibels(said.train) });
    this.#quality.dataset["heldOut"] = String(said.held_out);
    this.#quality.dataset["train"] = String(said.train);
    this.#quality.dataset["moment"] = String(said.moment);
    this.#quality.dataset["bandwidth"] = String(said.bandwidth);
    this.#spectrum.show({
      x: course.frequency.slice(1),
      curves: [course.power.slice(1), said.power.slice(1)],
      chosen: 1,
      marked: -1,
      band: null,
      level: null,
      xLabel: t("time.spectrum.x"),
      yLabel: t("time.spectrum.y"),
      label: t("time.spectrum"),
      powers: true,
    });
  }
}

export function make(link: Link): View {
  return new Time(link);
}
