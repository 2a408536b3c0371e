// Answer: which encoding and bandwidth, at once by the kernel, then by scale models; what was compared; lines to copy.

import "../styles/answer.css";
import { Chart } from "../chart";
import { Copied, save } from "../copy";
import { button, h } from "../dom";
import { showFault } from "../fault";
import { prose, rich } from "../formula";
import { Honest } from "../honest";
import type { Answer as Answered, Link } from "../link";
import { Picture } from "../paint";
import { taken } from "../signals";
import { nearest } from "../ticks";
import { measurePixels } from "../timing";
import type { View } from "../view";
import { decibels, steps, t, type Key } from "../words";

interface Row {
  name: "identity" | "basic" | "positional" | "gaussian";
  bandwidth: number | null;
  psnr: number | null;
}

interface Said {
  choice: Row;
  flat: [number, number] | null;
  unit: string;
  compared: Row[];
  bandwidths: number[];
  psnr: (number | null)[];
  scores: (number | null)[];
  baseline: { name: string; psnr: number } | null;
  trained: number;
  is_whole: boolean;
  modelled: number;
  python: string;
  command: string;
}

const BUDGETS = [200, 500, 1000, 2000, 5000];
const GOALS = ["generalise", "fit"] as const;

const chosen = {
  goal: "generalise" as (typeof GOALS)[number],
  steps: 2000,
  looked: undefined as Row | undefined, // undefined: the recommended one
};

class Answer implements View {
  readonly element = h("section", { class: "view answer", "aria-labelledby": "view-title" });
  #link: Link;
  #said: Said | undefined;
  #stopped = false;
  #asked = 0;
  #since = 0;
  #name = h("strong", { class: "choice", "data-said": "choice" });
  #flat = h("span", { class: "flat" });
  #state = h("p", { class: "progress", role: "status" });
  #progress = h("progress", { max: 1, value: 0 });
  #stateText = h("span");
  #cancel = button(t("answer.cancel"), () => {
    this.#toggle();
  }, { class: "cancel" });
  #chart = new Chart();
  #table = h("tbody");
  #here = new Picture(t("answer.picture.here", { name: "" }));
  #honest = new Honest();
  #hereCaption = h("figcaption");
  #quality = h("p", { class: "quality", "data-said": "quality" });
  #error = h("p", { class: "error", role: "alert", hidden: true });
  #python = new Copied(t("answer.copy.python"), "python");
  #command = new Copied(t("answer.copy.command"), "command");
  #example = h("p");

  constructor(link: Link) {
    this.#link = link;
    this.#chart.onDrag = (index) => {
      const bandwidth = this.#said?.bandwidths[index];
      if (bandwidth !== undefined) this.#look({ name: "gaussian", bandwidth, psnr: null });
    };
    this.#state.append(this.#progress, this.#stateText, this.#cancel);
    this.element.append(this.#head(), this.#work(), this.#pictures(), this.#copies(), this.#texts());
  }

  show(): void {
    this.#said = undefined;
    chosen.looked = undefined;
    this.#honest.ask(this.#link);
    const example = taken();
    this.#example.replaceChildren();
    if (example) {
      const saved = button(t("answer.save", { name: example.name }), () => {
        save(example.name, example.file);
      });
      this.#example.replaceChildren(t("answer.copy.example"), " ", saved);
    }
    this.#ask();
  }

  leave(): void {
    this.#link.cancel("answer", "recommend");
    cancelAnimationFrame(this.#asked);
  }

  #head(): HTMLElement {
    return h("header", {}, h("h1", { id: "view-title" }, t("answer.title")), h("p", { class: "lead" }, t("answer.lead")));
  }

  #work(): HTMLElement {
    const goals = GOALS.map((goal) => {
      const radio = h("input", { type: "radio", name: "goal", value: goal, checked: goal === chosen.goal });
      radio.addEventListener("change", () => {
        chosen.goal = goal;
        this.#again();
      });
      return h("label", {}, radio, t(`answer.goal.${goal}`));
    });
    const budget = h("select", { name: "steps" }, ...BUDGETS.map((n) => h("option", { value: n, selected: n === chosen.steps }, steps(n))));
    budget.addEventListener("change", () => {
      chosen.steps = Number(budget.value);
      this.#again();
    });
    const key = (curve: number, text: string): HTMLElement => h("span", { "data-curve": curve }, h("span", { class: "swatch" }), ` ${text}`);
    const table = h(
      "table",
      { class: "compared" },
      h("caption", {}, t("answer.compared")),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("answer.compared.encoding")), h("th", { scope: "col" }, t("answer.compared.quality")))),
      this.#table,
    );
    return h(
      "div",
      { class: "card work" },
      this.#error,
      h(
        "div",
        { class: "settings first" },
        h("fieldset", { class: "choices" }, h("legend", {}, t("answer.goal")), ...goals),
        h("label", { class: "setting" }, h("span", {}, t("answer.steps")), budget),
      ),
      h("p", { class: "answered" }, h("span", {}, t("answer.take")), " ", this.#name, " ", this.#flat),
      this.#state,
      table,
      this.#chart.element,
      h("p", { class: "keys" }, key(2, t("answer.key.predicted")), key(0, t("answer.key.models"))),
    );
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
        ...this.#honest.figures,
      ),
    );
  }

  #copies(): HTMLElement {
    return h(
      "div",
      { class: "card copies" },
      h("h2", {}, t("answer.copy.title")),
      prose(t("answer.copy.where")),
      this.#example,
      this.#command.element,
      this.#python.element,
    );
  }

  #texts(): HTMLElement {
    return h(
      "div",
      { class: "texts" },
      h("div", {}, h("h2", {}, t("answer.what.title")), prose(t("answer.what.1")), prose(t("answer.what.2"))),
      h(
        "div",
        {},
        h("h2", {}, t("answer.try.title")),
        h("ol", {}, ...([1, 2, 3] as const).map((i) => h("li", {}, ...rich(t(`answer.try.${i}`))))),
        h("h2", {}, t("answer.limits.title")),
        prose(t("answer.limits.1")),
      ),
    );
  }

  #settings(): { goal: string; steps: number } {
    return { goal: chosen.goal, steps: chosen.steps };
  }

  #again(): void {
    chosen.looked = undefined;
    this.#said = undefined;
    this.#ask();
  }

  #ask(): void {
    this.#error.hidden = true;
    this.#stopped = false;
    this.#tell();
    this.element.setAttribute("aria-busy", "true");
    this.#link.ask("answer", "recommend", this.#settings(), {
      answer: ({ content }) => {
        this.#take(content as unknown as Said);
      },
      error: (message) => {
        this.#fail(message);
      },
    });
  }

  #fail(message: string): void {
    this.#stopped = true;
    this.element.setAttribute("aria-busy", "false");
    showFault(this.#error, message);
    this.#tell();
  }

  /** Stop the scale models, or go on with them. */
  #toggle(): void {
    if (this.#stopped) {
      this.#ask();
    } else {
      this.#stopped = true;
      this.#link.cancel("answer", "recommend");
      this.element.setAttribute("aria-busy", "false");
    }
    this.#tell();
  }

  #take(said: Said): void {
    const before = this.#said;
    this.#said = said;
    this.#tell();
    const same = before !== undefined && JSON.stringify({ ...before, trained: 0 }) === JSON.stringify({ ...said, trained: 0 });
    if (said.is_whole) this.element.setAttribute("aria-busy", "false");
    if (!same) this.#refresh();
  }

  #tell(): void {
    const said = this.#said;
    this.#cancel.textContent = t(!this.#stopped ? "answer.cancel" : said ? "answer.refine" : "answer.again");
    this.#cancel.hidden = said?.is_whole ?? false;
    this.#progress.hidden = this.#stopped || (said?.is_whole ?? false);
    if (!said) {
      this.#progress.removeAttribute("value");
      this.#stateText.textContent = "";
      return;
    }
    this.#progress.value = said.trained;
    this.#stateText.textContent = this.#state_of(said);
    this.#name.dataset["name"] = said.choice.name;
    this.#name.dataset["bandwidth"] = String(said.choice.bandwidth ?? "");
    this.#name.dataset["whole"] = String(said.is_whole);
    this.#name.textContent = this.#called(said.choice);
    const [low, high] = said.flat ?? [0, 0];
    const key: Key = said.flat === null ? "answer.flat.none" : low === high ? "answer.flat.one" : "answer.flat";
    this.#flat.textContent = t(key, { low, high }) + (said.unit ? ` (${said.unit})` : "");
  }

  #state_of(said: Said): string {
    if (said.is_whole) return said.modelled > 0 ? t("answer.state.whole", { n: said.modelled }) : t("answer.state.nomodels");
    if (this.#stopped) return t("answer.state.stopped");
    return t(said.trained > 0 ? "answer.state.models" : "answer.state.kernel");
  }

  #called(row: Row): string {
    const name = t(`answer.name.${row.name}`);
    return row.name === "gaussian" ? t("answer.name.bandwidth", { name, b: row.bandwidth ?? "" }) : name;
  }

  #look(row: Row): void {
    if (row.name === chosen.looked?.name && row.bandwidth === chosen.looked.bandwidth) return;
    chosen.looked = row;
    this.#refresh();
  }

  #refresh(): void {
    const said = this.#said;
    if (!said) return;
    const looked = chosen.looked ?? said.choice;
    this.#list(said, looked);
    const at = looked.name === "gaussian" && looked.bandwidth !== null ? nearest(said.bandwidths, looked.bandwidth) : -1;
    this.#chart.show({
      x: said.bandwidths,
      curves: [said.scores, [], said.psnr],
      chosen: 2,
      dots: 0,
      marked: at,
      band: said.flat,
      level: chosen.goal === "generalise" && said.baseline ? { label: t("bandwidth.bicubic"), value: said.baseline.psnr } : null,
      xLabel: t("bandwidth.x"),
      yLabel: t(chosen.goal === "fit" ? "answer.y.train" : "answer.y.held_out"),
      label: t("answer.chart"),
    });
    this.#python.show(said.python);
    this.#command.show(said.command);
    if (this.#since === 0) this.#since = performance.now();
    cancelAnimationFrame(this.#asked);
    this.#asked = requestAnimationFrame(() => {
      this.#askPicture(looked);
    });
  }

  /** What was compared, a bar each. */
  #list(said: Said, looked: Row): void {
    const values = said.compared.map((row) => row.psnr ?? 0);
    const [low, high] = [Math.min(...values) - 3, Math.max(...values)];
    const rows = said.compared.map((row) => {
      const isLooked = row.name === looked.name;
      const name = button(this.#called(row), () => {
        this.#look(row);
      }, { "aria-pressed": String(isLooked), "data-encoding": row.name });
      const share = Math.max(0.02, ((row.psnr ?? 0) - low) / (high - low));
      const bar = h("span", { class: "bar", style: `width: ${(100 * share).toFixed(1)}%` });
      const isBest = row.name === said.choice.name;
      return h("tr", { class: isBest ? "best" : "" }, h("th", { scope: "row" }, name), h("td", {}, h("span", { class: "bars" }, bar), h("span", { class: "number" }, decibels(row.psnr))));
    });
    const focused = document.activeElement?.getAttribute("data-encoding");
    this.#table.replaceChildren(...rows);
    if (focused) this.#table.querySelector<HTMLElement>(`[data-encoding=${focused}]`)?.focus();
  }

  #askPicture(row: Row): void {
    const since = this.#since;
    this.#since = 0;
    this.#link.follow("answer", "picture", { ...this.#settings(), name: row.name, bandwidth: row.bandwidth }, {
      answer: (answer) => {
        this.#paint(answer);
        measurePixels(since);
      },
      error: (message) => {
        showFault(this.#error, message);
      },
    });
  }

  #paint({ content, arrays }: Answered): void {
    const said = content as unknown as Row & { held_out: number; train: number };
    this.#here.show(arrays.get("picture"));
    const title = t("answer.picture.here", { name: this.#called(said) });
    this.#hereCaption.textContent = title;
    this.#here.canvas.setAttribute("aria-label", title);
    this.#quality.textContent = t("bandwidth.quality", { held_out: decibels(said.held_out), train: decibels(said.train) });
    this.#quality.dataset["heldOut"] = String(said.held_out);
    this.#quality.dataset["name"] = said.name;
    this.#quality.dataset["bandwidth"] = String(said.bandwidth ?? "");
  }
}

export function make(link: Link): View {
  return new Answer(link);
}
