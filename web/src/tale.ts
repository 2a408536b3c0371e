// The story: steps that are files of story/, found by their names, each a picture to move beside a short text.

import { button, h } from "./dom";
import { showFault } from "./fault";
import { formula, prose, rich } from "./formula";
import type { Values } from "./frame";
import type { Answer, Link } from "./link";
import { measurePixels } from "./timing";
import { t, TEXTS, type Key } from "./words";

/** What a step shows, and moves. */
export interface Stage {
  readonly element: HTMLElement;
  /** Ask for the first picture. */
  start(): void;
  /** Stop whatever is under way. */
  leave(): void;
}

/** What a step may ask of the frame around it. */
export interface Teller {
  /** Ask the step's other half as a control moves. */
  ask(name: string, values: Values, draw: (answer: Answer) => void): void;
  /** Ask for what takes long; draw each answer on the way. */
  askLong(name: string, values: Values, draw: (answer: Answer) => void, done?: () => void): void;
  cancel(name: string): void;
  /** The reader has found what "Try this" asks for. */
  found(number: number): void;
}

interface StepModule {
  readonly FORMULA: string;
  make(teller: Teller): Stage;
}

const FILES = import.meta.glob<StepModule>("./story/*.ts");

/** The text of a key that may not be there. */
function text(key: string): string | null {
  return key in TEXTS.en ? t(key as Key) : null;
}

/** `story.NAME.KIND.1`, 2, ... as far as there are any. */
function numbered(name: string, kind: string): string[] {
  const found: string[] = [];
  for (let next = text(`story.${name}.${kind}.1`); next !== null; next = text(`story.${name}.${kind}.${found.length + 1}`)) found.push(next);
  return found;
}

export class Story {
  readonly element = h("div", { class: "story" });
  steps: readonly string[] = [];
  #link: Link;
  #stage: Stage | undefined;
  #name = "";

  constructor(link: Link) {
    this.#link = link;
    document.addEventListener("keydown", (event) => {
      const at = event.target instanceof Element ? event.target : null;
      if (!this.#stage || event.altKey || event.ctrlKey || event.metaKey || at?.closest("input, select, [role=slider]")) return;
      if (event.key === "ArrowRight") this.#go(1);
      if (event.key === "ArrowLeft") this.#go(-1);
    });
  }

  /** The step that an address means: the first where it means none. */
  wanted(hash: string): string {
    const asked = hash.split("/")[1] ?? "";
    return this.steps.includes(asked) ? asked : (this.steps[0] ?? "");
  }

  async open(name: string): Promise<void> {
    if (name === this.#name || name === "") return;
    this.leave();
    this.#name = name;
    const load = FILES[`./story/${name}.ts`];
    if (!load) throw new Error(`there is no story/${name}.ts`);
    const module = await load();
    if (this.#name !== name) return;
    const error = h("p", { class: "error", role: "alert", hidden: true });
    const tries = this.#tries(name);
    this.#stage = module.make(this.#teller(name, error, tries));
    const stage = h("div", { class: "card stage-of-step", "aria-busy": "true" }, error, this.#stage.element);
    const steps = this.#steps(name);
    this.element.replaceChildren(steps, this.#article(name, stage, module.FORMULA, tries));
    requestAnimationFrame(() => {
      const [row, here] = [steps.querySelector("ol"), steps.querySelector("[aria-current]")];
      if (!row || !here) return;
      const [all, one] = [row.getBoundingClientRect(), here.getBoundingClientRect()];
      row.scrollLeft += one.left + one.width / 2 - all.left - all.width / 2; // in sight where not all have room
    });
    this.#stage.start();
  }

  leave(): void {
    this.#stage?.leave();
    this.#stage = undefined;
    this.#name = "";
  }

  #go(by: number): void {
    const next = this.steps[this.steps.indexOf(this.#name) + by];
    if (next !== undefined) location.hash = `#story/${next}`;
  }

  #steps(name: string): HTMLElement {
    const link = (step: string, i: number): HTMLElement =>
      h("li", {}, h("a", { href: `#story/${step}`, "aria-current": step === name ? "step" : null }, h("b", {}, String(i + 1)), h("span", {}, t(`story.${step}.name` as Key))));
    return h("nav", { class: "steps", "aria-label": t("story.steps") }, h("ol", {}, ...this.steps.map(link)));
  }

  #article(name: string, stage: HTMLElement, tex: string, tries: readonly HTMLElement[]): HTMLElement {
    const at = this.steps.indexOf(name);
    const [first, ...others] = numbered(name, "what").map((told) => prose(told));
    const turn = (by: number): HTMLElement | null => {
      const step = this.steps[at + by];
      if (step === undefined) return null;
      const title = t(`story.${step}.title` as Key);
      return h("a", { href: `#story/${step}`, class: by < 0 ? "previous" : "next", rel: by < 0 ? "prev" : "next" }, h("small", {}, t(by < 0 ? "story.previous" : "story.next")), title);
    };
    return h(
      "article",
      { class: "step", "data-step": name, "aria-labelledby": "step-title" },
      h(
        "div",
        { class: "sides" },
        h(
          "header",
          {},
          h("p", { class: "where" }, t("story.where", { step: at + 1, all: this.steps.length })),
          h("h1", { id: "step-title" }, t(`story.${name}.title` as Key)),
          h("p", { class: "lead" }, ...rich(t(`story.${name}.lead` as Key))),
        ),
        stage,
        h("div", { class: "told" }, first ?? null, formula(tex, t(`story.${name}.formula` as Key)), ...others, h("h2", {}, t("story.try")), ...tries),
      ),
      h("footer", { class: "turns" }, turn(-1), turn(1) ?? h("a", { href: "#", class: "next" }, h("small", {}, t("story.end")), t("story.workbench"))),
    );
  }

  /** What to try; what there is to find in it is told once it is found, or asked for. */
  #tries(name: string): HTMLDetailsElement[] {
    const why = numbered(name, "why");
    return numbered(name, "try").map((told, i) => h("details", { class: "try", "data-try": i + 1 }, h("summary", {}, ...rich(told)), prose(why[i] ?? "")));
  }

  #teller(name: string, error: HTMLElement, tries: readonly HTMLDetailsElement[]): Teller {
    const place = `story.${name}`;
    const drawn = (draw: (answer: Answer) => void, since: number) => (answer: Answer) => {
      if (this.#name !== name) return;
      error.hidden = true;
      draw(answer);
      measurePixels(since, () => error.parentElement?.setAttribute("aria-busy", "false"));
    };
    const failed = (message: string): void => {
      showFault(error, message);
    };
    return {
      ask: (ask, values, draw) => {
        this.#link.follow(place, ask, values, { answer: drawn(draw, performance.now()), error: failed });
      },
      askLong: (ask, values, draw, done) => {
        this.#link.ask(place, ask, values, { answer: drawn(draw, performance.now()), error: failed, done: done ?? (() => undefined) });
      },
      cancel: (ask) => {
        this.#link.cancel(place, ask);
      },
      found: (number) => {
        const made = tries[number - 1];
        if (!made || made.classList.contains("found")) return;
        made.classList.add("found");
        made.open = true;
        made.querySelector("summary")?.prepend(h("span", { class: "found-mark" }, `✓ ${t("story.found")} `));
      },
    };
  }
}

/** A button that sets several controls at once. */
export function preset(label: string, click: () => void): HTMLButtonElement {
  return button(label, click, { class: "preset" });
}
