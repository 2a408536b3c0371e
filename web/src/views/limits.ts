// Error map and limits: where the recommended network is wrong, how seeds differ, and files to take along.

import "../styles/limits.css";
import { save } from "../copy";
import { button, h } from "../dom";
import { showFault } from "../fault";
import { prose, rich } from "../formula";
import type { NumberArray } from "../frame";
import type { Answer, Link } from "../link";
import { Picture } from "../paint";
import { measurePixels } from "../timing";
import type { View } from "../view";
import { decibels, steps, t, type Key } from "../words";

interface Row {
  which: number; // -1: as predicted; else a seed
  step: number;
  train: number | null;
  held_out: number | null;
}

interface Said {
  which: number;
  steps: number;
  choice: { name: string; bandwidth: number | null };
  flat: [number, number] | null;
  rows: Row[];
  verdict?: "under" | "over" | "between";
  share?: number;
}

const BUDGETS = [100, 300, 1000, 2000];
const GOALS = ["generalise", "fit"] as const;
const SEEDS = [1, 2, 3] as const;
const DARKEST = 0.2; // root mean square error that the lightest colour stands for
const TYPES = { report: "text/html", weights: "application/octet-stream", code: "text/x-python" } as const;

const chosen = { goal: "generalise" as (typeof GOALS)[number], steps: 300, seeds: 2, which: -1 };

class Limits implements View {
  readonly element = h("section", { class: "view limits", "aria-labelledby": "view-title" });
  #link: Link;
  #said: Said | undefined;
  #isTraining = false;
  #since = 0;
  #name = h("strong", { class: "choice", "data-said": "choice" });
  #flat = h("span", { class: "flat" });
  #table = h("tbody");
  #go = button(t("limits.train"), () => {
    this.#toggle();
  }, { class: "train" });
  #progress = h("progress", { max: 1, value: 0, hidden: true });
  #state = h("span");
  #error = h("p", { class: "error", role: "alert", hidden: true });
  #here = new Picture(t("limits.picture"));
  #seen = new Picture(t("limits.seen"));
  #unseen = new Picture(t("limits.unseen"));
  #spread = new Picture(t("limits.spread"));
  #spreadFigure = h("figure", { hidden: true }, this.#spread.canvas, h("figcaption", {}, t("limits.spread")));
  #caption = h("figcaption");
  #quality = h("p", { class: "quality", "data-said": "quality" });
  #verdict = h("p", { class: "verdict", role: "status" });

  constructor(link: Link) {
    this.#link = link;
    this.element.append(this.#head(), this.#work(), this.#pictures(), this.#files(), this.#texts());
  }

  show(): void {
    this.#ask();
  }

  leave(): void {
    this.#link.cancel("limits", "recommended");
    this.#link.cancel("limits", "train");
  }

  #head(): HTMLElement {
    return h("header", {}, h("h1", { id: "view-title" }, t("limits.title")), h("p", { class: "lead" }, t("limits.lead")));
  }

  #work(): HTMLElement {
    const goal = this.#select("goal", t("answer.goal"), GOALS.map((g) => [g, t(`answer.goal.${g}`)]), chosen.goal, (value) => {
      chosen.goal = value === "fit" ? "fit" : "generalise";
      this.#ask();
    });
    const budget = this.#select("steps", t("answer.steps"), BUDGETS.map((n) => [String(n), steps(n)]), String(chosen.steps), (value) => {
      chosen.steps = Number(value);
      this.#ask();
    });
    const seeds = this.#select("seeds", t("limits.seeds"), SEEDS.map((n) => [String(n), String(n)]), String(chosen.seeds), (value) => {
      chosen.seeds = Number(value);
    });
    const head = (["limits.network", "limits.trained_on", "limits.held_out"] as const).map((key) => h("th", { scope: "col" }, t(key)));
    return h(
      "div",
      { class: "card work" },
      this.#error,
      h("p", { class: "answered" }, h("span", {}, t("answer.take")), " ", this.#name, " ", this.#flat),
      h("div", { class: "settings" }, goal, budget, seeds),
      h("p", { class: "progress", role: "status" }, this.#go, this.#progress, this.#state),
      h("table", { class: "seeds" }, h("thead", {}, h("tr", {}, ...head)), this.#table),
      this.#verdict,
    );
  }

  #select(name: string, label: string, options: readonly (readonly [string, string])[], value: string, set: (value: string) => void): HTMLElement {
    const made = h("select", { name }, ...options.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
    made.addEventListener("change", () => {
      set(made.value);
    });
    return h("label", { class: "setting" }, h("span", {}, label), made);
  }

  #pictures(): HTMLElement {
    const figure = (picture: Picture, key: Key): HTMLElement => h("figure", {}, picture.canvas, h("figcaption", {}, t(key)));
    return h(
      "div",
      { class: "card pictures" },
      h("figure", { class: "here" }, this.#here.canvas, this.#caption),
      this.#quality,
      h("div", { class: "two" }, figure(this.#seen, "limits.seen"), figure(this.#unseen, "limits.unseen"), this.#spreadFigure),
      h("p", { class: "scale" }, t("limits.scale")),
    );
  }

  #files(): HTMLElement {
    const files = (["report", "weights", "code"] as const).map((what) =>
      button(t(`limits.save.${what}`), () => {
        this.#save(what);
      }, { "data-save": what }),
    );
    return h("div", { class: "card copies" }, h("h2", {}, t("answer.copy.title")), prose(t("limits.save.about")), h("div", { class: "jump" }, ...files));
  }

  #texts(): HTMLElement {
    return h(
      "div",
      { class: "texts" },
      h("div", {}, h("h2", {}, t("limits.what.title")), prose(t("limits.what.1")), prose(t("limits.what.2"))),
      h(
        "div",
        {},
        h("h2", {}, t("limits.try.title")),
        h("ol", {}, ...([1, 2, 3] as const).map((i) => h("li", {}, ...rich(t(`limits.try.${i}`))))),
        h("h2", {}, t("limits.limits.title")),
        prose(t("limits.limits.1")),
      ),
    );
  }

  #settings(): { goal: string; steps: number } {
    return { goal: chosen.goal, steps: chosen.steps };
  }

  #ask(): void {
    this.#stop();
    this.#error.hidden = true;
    this.element.setAttribute("aria-busy", "true");
    this.#spreadFigure.hidden = true;
    chosen.which = -1;
    this.#link.ask("limits", "recommended", this.#settings(), {
      answer: (answer) => {
        this.#take(answer);
        this.element.setAttribute("aria-busy", "false");
      },
      error: (message) => {
        this.#fail(message);
      },
    });
  }

  #fail(message: string): void {
    this.#stop();
    this.element.setAttribute("aria-busy", "false");
    showFault(this.#error, message);
    this.#tell();
  }

  #toggle(): void {
    if (this.#isTraining) {
      this.#stop();
      this.#tell();
      return;
    }
    if (!this.#said) return;
    this.#isTraining = true;
    this.element.setAttribute("aria-busy", "true");
    this.#tell();
    this.#link.ask("limits", "train", { ...this.#settings(), seeds: chosen.seeds }, {
      answer: (answer) => {
        if (this.#isTraining) this.#take(answer);
      },
      done: () => {
        this.#isTraining = false;
        this.element.setAttribute("aria-busy", "false");
        this.#tell();
      },
      error: (message) => {
        this.#fail(message);
      },
    });
  }

  #stop(): void {
    if (!this.#isTraining) return;
    this.#isTraining = false;
    this.#link.cancel("limits", "train");
    this.element.setAttribute("aria-busy", "false");
  }

  #take({ content, arrays }: Answer): void {
    const said = content as unknown as Said;
    this.#said = said;
    if (arrays.size > 0) this.#paint(said, arrays);
    this.#tell();
  }

  #paint(said: Said, arrays: ReadonlyMap<string, NumberArray>): void {
    chosen.which = said.which;
    this.#here.show(arrays.get("picture"));
    const title = this.#called(said.which);
    this.#caption.textContent = title;
    this.#here.canvas.setAttribute("aria-label", title);
    this.#seen.map(scaled(arrays.get("seen")), 0);
    this.#unseen.map(scaled(arrays.get("unseen")), 0);
    const spread = scaled(arrays.get("spread"));
    this.#spreadFigure.hidden = !spread;
    this.#spread.map(spread, 0);
    const row = said.rows.find(({ which }) => which === said.which);
    this.#quality.textContent = t("bandwidth.quality", { held_out: decibels(row?.held_out), train: decibels(row?.train) });
    this.#quality.dataset["heldOut"] = String(row?.held_out ?? "");
    this.#quality.dataset["train"] = String(row?.train ?? "");
    this.#quality.dataset["which"] = String(said.which);
    this.#verdict.textContent = said.verdict ? t(`limits.verdict.${said.verdict}`, { share: ((said.share ?? 0) * 100).toFixed(0) }) : "";
    this.#verdict.dataset["verdict"] = said.verdict ?? "";
  }

  #called(which: number): string {
    return which < 0 ? t("limits.predicted") : t("limits.seed", { seed: which });
  }

  #tell(): void {
    const said = this.#said;
    this.#go.textContent = t(this.#isTraining ? "answer.cancel" : "limits.train");
    this.#progress.hidden = !this.#isTraining;
    if (!said) return;
    const name = t(`answer.name.${said.choice.name}` as Key);
    this.#name.textContent = said.choice.name === "gaussian" ? t("answer.name.bandwidth", { name, b: said.choice.bandwidth ?? "" }) : name;
    this.#name.dataset["bandwidth"] = String(said.choice.bandwidth ?? "");
    const [low, high] = said.flat ?? [0, 0];
    this.#flat.textContent = said.flat === null ? "" : t(low === high ? "answer.flat.one" : "answer.flat", { low, high });
    const taken = said.rows.filter(({ which }) => which >= 0 && which < chosen.seeds).reduce((sum, { step }) => sum + step, 0);
    this.#progress.value = taken / (said.steps * chosen.seeds);
    const last = said.rows.at(-1);
    this.#state.textContent = this.#isTraining && last && last.which >= 0 ? t("limits.state", { seed: last.which, step: last.step, steps: said.steps }) : "";
    this.#list(said);
  }

  #list(said: Said): void {
    const rows = said.rows.map((row) => {
      const look = button(this.#called(row.which), () => {
        this.#look(row.which);
      }, { "aria-pressed": String(row.which === chosen.which), "data-which": row.which });
      return h("tr", {}, h("th", { scope: "row" }, look), h("td", {}, decibels(row.train)), h("td", {}, decibels(row.held_out)));
    });
    const focused = document.activeElement?.getAttribute("data-which");
    this.#table.replaceChildren(...rows);
    if (focused) this.#table.querySelector<HTMLElement>(`[data-which="${focused}"]`)?.focus();
  }

  #look(which: number): void {
    this.#since = performance.now();
    this.#link.follow("limits", "look", { ...this.#settings(), which }, {
      answer: (answer) => {
        this.#take(answer);
        measurePixels(this.#since);
      },
      error: (message) => {
        showFault(this.#error, message);
      },
    });
  }

  #save(what: keyof typeof TYPES): void {
    this.#error.hidden = true;
    this.#link.ask("limits", "export", { ...this.#settings(), what }, {
      answer: ({ content, arrays }) => {
        const file = arrays.get("file");
        if (file) save(String(content["name"]), new Blob([file.data], { type: TYPES[what] }));
      },
      error: (message) => {
        showFault(this.#error, message);
      },
    });
  }
}

/** Errors as levels: 0.2 and more are 1. */
function scaled(errors: NumberArray | undefined): NumberArray | undefined {
  return errors && { shape: errors.shape, data: Float32Array.from(errors.data, (value) => Math.min(1, value / DARKEST)) };
}

export function make(link: Link): View {
  return new Limits(link);
}
