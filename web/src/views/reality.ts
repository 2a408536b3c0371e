// Theory against reality: a network is trained live beside what the kernel of infinite width says of it.

import "../styles/reality.css";
import { Chart } from "../chart";
import { button, h } from "../dom";
import { showFault } from "../fault";
import { formula, prose, rich } from "../formula";
import type { Answer, Link } from "../link";
import { Picture } from "../paint";
import { measurePixels } from "../timing";
import type { View } from "../view";
import { steps, t } from "../words";

interface Shown {
  step: number;
  distance: number;
  movement: number;
  kernel: number;
}

interface Course {
  width: number;
  step: number;
  steps: number;
  predicted: number[];
  trained: number[];
  looked: number[];
  samples: number;
  lr: number;
  past: { width: number[]; distance: number[]; movement: number[]; kernel: number[] };
  shown: Shown;
}

const RULE = String.raw`\begin{gathered} f_k(x) = K(x, X)\, K^{-1} \big( I - (I - \eta K)^k \big)\, y \\ \lVert f_k^{\text{network}} - f_k \rVert \;\sim\; \text{width}^{-1/2} \end{gathered}`;
const WIDTHS = [64, 128, 256, 512, 1024, 2048];
const BANDWIDTHS = [1, 2, 3, 4, 6, 8.5];
const STEPS = [30, 100, 300];

const chosen = { width: 64, bandwidth: 2, steps: 100 };

class Reality implements View {
  readonly element = h("section", { class: "view reality", "aria-labelledby": "view-title" });
  #link: Link;
  #course: Course | undefined;
  #loss = new Chart();
  #widths = new Chart();
  #pictures = {
    predicted: new Picture(t("reality.predicted")),
    trained: new Picture(t("reality.trained")),
    difference: new Picture(t("reality.difference")),
    true: new Picture(t("time.picture.true")),
  };
  #trainedCaption = h("span");
  #named = h("p", { class: "quality", "data-said": "reality" });
  #width = h("input", { type: "range", min: 0, max: WIDTHS.length - 1, step: 1, id: "reality-width", value: WIDTHS.indexOf(chosen.width) });
  #widthValue = h("output", { for: "reality-width" });
  #moment = h("input", { type: "range", min: 0, max: 0, step: 1, id: "reality-step" });
  #momentValue = h("output", { for: "reality-step" });
  #bar = h("progress", { max: 1, value: 0, "aria-label": t("reality.progress") });
  #said = h("span");
  #stop = button(t("reality.stop"), () => {
    this.#end();
  }, { class: "stop" });
  #again = button(t("reality.again"), () => {
    this.#train();
  }, { class: "again", hidden: true });
  #error = h("p", { class: "error", role: "alert", hidden: true });
  #follows = true; // whether the pictures are those of the newest step
  #asked = 0;

  constructor(link: Link) {
    this.#link = link;
    this.#width.addEventListener("input", () => {
      chosen.width = WIDTHS[Number(this.#width.value)] ?? chosen.width;
      this.#train();
    });
    this.#moment.addEventListener("input", () => {
      this.#look(Number(this.#moment.value));
    });
    this.#loss.onDrag = (index) => {
      const looked = this.#course?.looked ?? [];
      let best = 0;
      looked.forEach((step, i) => {
        if (Math.abs(step - index - 1) < Math.abs((looked[best] ?? 0) - index - 1)) best = i;
      });
      this.#look(best);
    };
    this.element.append(this.#head(), this.#work(), this.#seen(), this.#texts());
  }

  show(): void {
    this.#train();
  }

  leave(): void {
    this.#link.cancel("reality", "train");
    cancelAnimationFrame(this.#asked);
  }

  #head(): HTMLElement {
    return h("header", {}, h("h1", { id: "view-title" }, t("reality.title")), h("p", { class: "lead" }, t("reality.lead")));
  }

  #work(): HTMLElement {
    return h(
      "div",
      { class: "card work" },
      this.#error,
      h("div", { class: "slider" }, h("label", { for: "reality-width" }, t("reality.width")), this.#widthValue, this.#width),
      h("div", { class: "progress" }, this.#bar, this.#said, this.#stop, this.#again),
      this.#loss.element,
      h("p", { class: "keys" }, key(1, t("reality.key.predicted")), key(2, t("reality.key.trained"))),
      h(
        "div",
        { class: "settings" },
        this.#select("bandwidth", BANDWIDTHS),
        this.#select("steps", STEPS),
      ),
    );
  }

  #select(name: "bandwidth" | "steps", values: readonly number[]): HTMLElement {
    const made = h("select", { name }, ...values.map((v) => h("option", { value: v, selected: v === chosen[name] }, String(v))));
    made.addEventListener("change", () => {
      chosen[name] = Number(made.value);
      this.#train();
    });
    return h("label", { class: "setting" }, h("span", {}, t(`reality.${name}`)), made);
  }

  #seen(): HTMLElement {
    const figure = (picture: Picture, ...caption: (Node | string)[]): HTMLElement =>
      h("figure", {}, picture.canvas, h("figcaption", {}, ...caption));
    const { predicted, trained, difference } = this.#pictures;
    return h(
      "div",
      { class: "card pictures" },
      h(
        "div",
        { class: "two first" },
        figure(predicted, t("reality.predicted")),
        figure(trained, this.#trainedCaption),
      ),
      h("div", { class: "slider" }, h("label", { for: "reality-step" }, t("reality.step")), this.#momentValue, this.#moment),
      this.#named,
      h(
        "div",
        { class: "two" },
        figure(difference, t("reality.difference"), h("small", {}, t("time.error.scale"))),
        figure(this.#pictures.true, t("time.picture.true")),
      ),
      h("h2", { class: "chart-title" }, t("reality.widths")),
      this.#widths.element,
      h("p", { class: "keys" }, key(2, t("reality.key.distance")), key(0, t("reality.key.kernel")), key(3, t("reality.key.weights"))),
    );
  }

  #texts(): HTMLElement {
    return h(
      "div",
      { class: "texts" },
      h("div", {}, h("h2", {}, t("reality.what.title")), prose(t("reality.what.1")), formula(RULE, t("reality.formula")), prose(t("reality.what.2"))),
      h(
        "div",
        {},
        h("h2", {}, t("reality.try.title")),
        h("ol", {}, ...([1, 2, 3] as const).map((i) => h("li", {}, ...rich(t(`reality.try.${i}`))))),
        h("h2", {}, t("reality.limits.title")),
        prose(t("reality.limits.1")),
      ),
    );
  }

  /** Begin: whatever was under way is given up by the server. */
  #train(): void {
    this.#error.hidden = true;
    this.#follows = true;
    this.#course = undefined;
    this.#widthValue.textContent = t("reality.units", { n: chosen.width.toLocaleString("en") });
    this.#width.setAttribute("aria-valuetext", this.#widthValue.textContent);
    this.#trainedCaption.textContent = t("reality.trained.width", { n: chosen.width.toLocaleString("en") });
    this.#bar.value = 0;
    this.#said.textContent = t("reality.begins");
    this.#running(true);
    this.element.setAttribute("aria-busy", "true");
    this.#link.ask("reality", "train", { ...chosen }, {
      answer: (answer) => {
        this.#take(answer);
      },
      done: () => {
        this.#running(false);
        this.element.setAttribute("aria-busy", "false");
      },
      error: (message) => {
        this.#end();
        showFault(this.#error, message);
      },
    });
  }

  #end(): void {
    this.#link.cancel("reality", "train");
    this.#running(false);
    this.#again.hidden = false;
    this.element.setAttribute("aria-busy", "false");
  }

  #running(is: boolean): void {
    this.#stop.hidden = !is;
    if (is) this.#again.hidden = true;
  }

  #take(answer: Answer): void {
    const course = answer.content as unknown as Course;
    this.#course = course;
    this.#bar.max = course.steps;
    this.#bar.value = course.step;
    this.#said.textContent = t("reality.progress.said", { step: course.step, steps: course.steps });
    this.#moment.max = String(course.looked.length - 1);
    if (this.#follows) {
      this.#moment.value = this.#moment.max;
      this.#paint(answer, course.shown);
    }
    this.#plot();
  }

  /** Look at a step that is past. */
  #look(frame: number): void {
    const course = this.#course;
    if (!course) return;
    const since = performance.now();
    this.#follows = frame === course.looked.length - 1;
    this.#moment.value = String(frame);
    cancelAnimationFrame(this.#asked);
    this.#asked = requestAnimationFrame(() => {
      this.#link.follow("reality", "frame", { ...chosen, frame }, {
        answer: (answer) => {
          this.#paint(answer, answer.content["shown"] as Shown);
          this.#plot();
          measurePixels(since);
        },
        error: (message) => {
          showFault(this.#error, message);
        },
      });
    });
  }

  #paint({ arrays }: Answer, shown: Shown): void {
    for (const name of ["predicted", "trained", "difference", "true"] as const) this.#pictures[name].show(arrays.get(name));
    const after = steps(shown.step);
    this.#momentValue.textContent = after;
    this.#moment.setAttribute("aria-valuetext", after);
    this.#named.textContent = t("reality.named", { distance: percent(shown.distance), kernel: percent(shown.kernel), weights: percent(shown.movement) });
    Object.assign(this.#named.dataset, {
      step: String(shown.step),
      width: String(chosen.width),
      distance: String(shown.distance),
      kernel: String(shown.kernel),
      movement: String(shown.movement),
    });
  }

  #plot(): void {
    const course = this.#course;
    if (!course) return;
    const x = course.predicted.slice(1).map((_, i) => i + 1);
    const shown = Number(this.#named.dataset["step"] ?? 0);
    this.#loss.show({
      x,
      curves: [[], course.predicted.slice(1), course.trained.slice(1)],
      chosen: 2,
      marked: shown - 1,
      band: null,
      level: null,
      xLabel: t("time.x"),
      yLabel: t("reality.loss"),
      label: t("reality.loss.chart"),
      decades: true,
    });
    const { past } = course;
    const at = (values: number[]): (number | null)[] => WIDTHS.map((width) => values[past.width.indexOf(width)] ?? null);
    this.#widths.show({
      x: WIDTHS,
      curves: [at(past.kernel), rateOf(past), at(past.distance), at(past.movement)],
      chosen: 2,
      marked: past.width.includes(course.width) ? WIDTHS.indexOf(course.width) : -1,
      band: null,
      level: null,
      xLabel: t("reality.widths.x"),
      yLabel: t("reality.widths.y"),
      label: t("reality.widths.chart"),
      decades: true,
    });
  }
}

function key(curve: number, text: string): HTMLElement {
  return h("span", { "data-curve": curve }, h("span", { class: "swatch" }), ` ${text}`);
}

/** What `width^-1/2` would be, through the distance of the narrowest network. */
function rateOf({ width, distance }: Course["past"]): (number | null)[] {
  const [narrow, apart] = [width[0], distance[0]];
  if (narrow === undefined || apart === undefined) return [];
  return WIDTHS.map((w) => apart * Math.sqrt(narrow / w));
}

function percent(share: number): string {
  const value = 100 * share;
  return `${value.toFixed(value < 10 ? 1 : 0)}\u00a0%`;
}

export const PICTURES = true;

export function make(link: Link): View {
  return new Reality(link);
}
