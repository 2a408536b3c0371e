// Encodings side by side: each at its best bandwidth by the kernel; networks of other kinds, trained on request.

import "../styles/encodings.css";
import { button, h } from "../dom";
import { showFault } from "../fault";
import { formula, prose, rich } from "../formula";
import type { NumberArray } from "../frame";
import type { Answer, Link } from "../link";
import { Picture, type Lens } from "../paint";
import type { View } from "../view";
import { decibels, steps, t, type Key } from "../words";

interface Row {
  name: string;
  bandwidth: number | null;
  held_out: number | null;
  train: number | null;
}

interface Trained extends Row {
  width: number;
  step: number;
  steps: number;
  seen?: number;
}

type Side = "picture" | "error";

const ENCODINGS = ["identity", "basic", "positional", "gaussian"] as const;
const NETWORKS = ["mlp", "siren", "finer", "wire", "hash"] as const;
const STEPS = [100, 300, 1000];
const FEATURES = [32, 128, 512, 1024];
const ZOOMS = [1, 3, 6];
const MAPS = String.raw`\begin{gathered} (\cos 2\pi x_i,\ \sin 2\pi x_i) \\ (\cos 2\pi k_j x_i,\ \sin 2\pi k_j x_i),\ k_j = k_{\max}^{\,j/m} \\ (\cos 2\pi b_j^\top x,\ \sin 2\pi b_j^\top x),\ b_j \sim \mathcal N(0, \sigma^2 I) \end{gathered}`;

const chosen = { steps: 300, features: 512, zoom: 3, side: "picture" as Side, x: 0.5, y: 0.4 };

/** A picture with its name and numbers. */
class Tile {
  readonly element: HTMLElement;
  readonly picture: Picture;
  readonly said = h("p", { class: "quality" });
  readonly more = h("p", { class: "more" });
  readonly act = h("div", { class: "act" });
  #sides: Partial<Record<Side, NumberArray | undefined>> = {};

  constructor(name: string, label: string) {
    this.picture = new Picture(label);
    this.element = h("figure", { class: "tile", "data-name": name }, this.picture.canvas, h("figcaption", {}, label), this.said, this.more, this.act);
    this.look();
  }

  take(picture: NumberArray | undefined, error: NumberArray | undefined): void {
    this.#sides = { picture, error };
    this.turn();
  }

  turn(): void {
    this.picture.show(this.#sides[chosen.side]);
  }

  look(): void {
    const lens: Lens = { x: chosen.x, y: chosen.y, zoom: chosen.zoom };
    this.picture.look(lens);
  }

  tell(row: Row): void {
    this.said.textContent = decibels(row.held_out);
    Object.assign(this.said.dataset, { heldOut: String(row.held_out), train: String(row.train), bandwidth: String(row.bandwidth) });
    const bandwidth = row.bandwidth === null ? "" : t("encodings.at", { b: Number(row.bandwidth.toPrecision(3)) });
    this.more.textContent = [bandwidth, t("encodings.fitted", { train: decibels(row.train) })].filter((s) => s !== "").join(" · ");
  }
}

class Encodings implements View {
  readonly element = h("section", { class: "view encodings", "aria-labelledby": "view-title" });
  #link: Link;
  #whole = new Picture(t("encodings.where"));
  #frame = h("div", { class: "frame", "aria-hidden": "true" });
  #true = new Tile("true", t("time.picture.true"));
  #bicubic = new Tile("bicubic", t("bandwidth.picture.bicubic"));
  #tiles = new Map<string, Tile>();
  #networks = new Map<string, Tile>();
  #running = "";
  #bar = h("progress", { max: ENCODINGS.length, value: 0, "aria-label": t("encodings.progress") });
  #error = h("p", { class: "error", role: "alert", hidden: true });

  constructor(link: Link) {
    this.#link = link;
    for (const name of ENCODINGS) this.#tiles.set(name, new Tile(name, t(`encodings.${name}`)));
    for (const name of NETWORKS) this.#networks.set(name, new Tile(`trained-${name}`, t(`encodings.${name}`)));
    this.element.append(this.#head(), this.#work(), this.#predicted(), this.#trained(), this.#texts());
    this.#watch();
    this.#look();
  }

  show(): void {
    this.#link.ask("bandwidth", "honest", {}, {
      answer: ({ content, arrays }) => {
        this.#whole.show(arrays.get("picture"));
        this.#true.take(arrays.get("picture"), undefined);
        this.#bicubic.take(arrays.get("bicubic"), undefined);
        this.#bicubic.said.textContent = decibels(content["bicubic"] as number | null);
        this.#look();
      },
    });
    this.#ask();
  }

  leave(): void {
    this.#link.cancel("encodings", "kernels");
    this.#link.cancel("encodings", "network");
  }

  #head(): HTMLElement {
    return h("header", {}, h("h1", { id: "view-title" }, t("encodings.title")), h("p", { class: "lead" }, t("encodings.lead")));
  }

  #work(): HTMLElement {
    const stage = h("div", { class: "stage", tabindex: 0, role: "group", "aria-label": t("encodings.where.keys") }, this.#whole.canvas, this.#frame);
    return h(
      "div",
      { class: "card work" },
      this.#error,
      stage,
      h(
        "div",
        { class: "options-of-view" },
        h("p", { class: "hint" }, t("encodings.where")),
        h(
          "div",
          { class: "settings" },
          this.#select("steps", STEPS),
          this.#select("features", FEATURES),
          this.#select("zoom", ZOOMS, (zoom) => `${zoom}×`),
        ),
        this.#sides(),
        h("div", { class: "progress" }, this.#bar),
      ),
    );
  }

  #select(name: "steps" | "features" | "zoom", values: readonly number[], label: (v: number) => string = String): HTMLElement {
    const made = h("select", { name }, ...values.map((v) => h("option", { value: v, selected: v === chosen[name] }, label(v))));
    made.addEventListener("change", () => {
      chosen[name] = Number(made.value);
      if (name === "zoom") this.#look();
      else this.#ask();
    });
    return h("label", { class: "setting" }, h("span", {}, t(`encodings.${name}`)), made);
  }

  #sides(): HTMLElement {
    const choice = (side: Side): HTMLElement => {
      const input = h("input", { type: "radio", name: "side", value: side, checked: chosen.side === side });
      input.addEventListener("change", () => {
        chosen.side = side;
        for (const tile of this.#all()) tile.turn();
      });
      return h("label", {}, input, t(`encodings.side.${side}`));
    };
    return h("fieldset", { class: "choices" }, h("legend", {}, t("encodings.side")), choice("picture"), choice("error"));
  }

  #predicted(): HTMLElement {
    return h(
      "div",
      { class: "card row-of-tiles" },
      h("h2", {}, t("encodings.predicted")),
      h("div", { class: "tiles large" }, this.#true.element, this.#bicubic.element, ...[...this.#tiles.values()].map((tile) => tile.element)),
    );
  }

  #trained(): HTMLElement {
    for (const [name, tile] of this.#networks) {
      tile.act.append(
        button(t("encodings.train"), () => {
          this.#train(name);
        }, { "data-train": name }),
      );
    }
    return h(
      "div",
      { class: "card row-of-tiles" },
      h("h2", {}, t("encodings.trained")),
      h("p", { class: "hint" }, t("encodings.trained.hint")),
      h("div", { class: "tiles" }, ...[...this.#networks.values()].map((tile) => tile.element)),
    );
  }

  #texts(): HTMLElement {
    return h(
      "div",
      { class: "texts" },
      h("div", {}, h("h2", {}, t("encodings.what.title")), prose(t("encodings.what.1")), formula(MAPS, t("encodings.formula")), prose(t("encodings.what.2"))),
      h(
        "div",
        {},
        h("h2", {}, t("encodings.try.title")),
        h("ol", {}, ...([1, 2, 3] as const).map((i) => h("li", {}, ...rich(t(`encodings.try.${i}`))))),
        h("h2", {}, t("encodings.limits.title")),
        prose(t("encodings.limits.1")),
      ),
    );
  }

  #all(): Tile[] {
    return [this.#true, this.#bicubic, ...this.#tiles.values(), ...this.#networks.values()];
  }

  #settings(): { steps: number; features: number } {
    return { steps: chosen.steps, features: chosen.features };
  }

  #ask(): void {
    this.#error.hidden = true;
    this.#stop();
    this.#bar.value = 0;
    for (const tile of this.#all().slice(2)) {
      tile.element.classList.add("waits");
      tile.element.classList.remove("best");
    }
    for (const tile of this.#networks.values()) {
      tile.said.textContent = "";
      tile.more.textContent = "";
    }
    this.element.setAttribute("aria-busy", "true");
    this.#link.ask("encodings", "kernels", this.#settings(), {
      answer: (answer) => {
        this.#take(answer);
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

  #take({ content, arrays }: Answer): void {
    const rows = content["rows"] as Row[];
    this.#bar.value = rows.length;
    const best = Math.max(...rows.map((row) => row.held_out ?? 0));
    for (const row of rows) {
      const tile = this.#tiles.get(row.name);
      tile?.take(arrays.get(`picture.${row.name}`), arrays.get(`error.${row.name}`));
      tile?.look();
      tile?.tell(row);
      tile?.element.classList.remove("waits");
      tile?.element.classList.toggle("best", rows.length === ENCODINGS.length && row.held_out === best);
    }
  }

  /** Train one, or stop it; another that is under way is given up. */
  #train(name: string): void {
    const goesOn = this.#running !== name;
    this.#stop();
    if (!goesOn) return;
    const tile = this.#networks.get(name);
    const act = tile?.act.querySelector("button");
    if (!tile || !act) return;
    this.#running = name;
    act.textContent = t("reality.stop");
    tile.said.textContent = t("encodings.begins");
    this.#link.ask("encodings", "network", { ...this.#settings(), name }, {
      answer: ({ content, arrays }) => {
        const now = content as unknown as Trained;
        if (now.seen !== undefined) {
          tile.take(arrays.get("picture"), arrays.get("error"));
          tile.look();
          tile.element.classList.remove("waits");
          tile.tell(now);
        }
        tile.said.dataset["step"] = String(now.step);
        if (now.step < now.steps) tile.said.textContent = `${tile.said.dataset["heldOut"] && now.seen !== undefined ? `${decibels(now.held_out)} · ` : ""}${t("reality.progress.said", { step: now.step, steps: now.steps })}`;
        tile.picture.canvas.setAttribute("aria-label", `${t(`encodings.${name}` as Key)}, ${steps(now.seen ?? 0)}`);
      },
      done: () => {
        this.#running = "";
        act.textContent = t("encodings.train");
      },
      error: (message) => {
        this.#stop();
        showFault(this.#error, message);
      },
    });
  }

  #stop(): void {
    if (this.#running !== "") this.#link.cancel("encodings", "network");
    this.#running = "";
    for (const tile of this.#networks.values()) {
      const act = tile.act.querySelector("button");
      if (act) act.textContent = t("encodings.train");
    }
  }

  /** All pictures at the same place; the frame shows it in the whole one. */
  #look(): void {
    const half = 0.5 / chosen.zoom;
    chosen.x = Math.min(1 - half, Math.max(half, chosen.x));
    chosen.y = Math.min(1 - half, Math.max(half, chosen.y));
    for (const tile of this.#all()) tile.look();
    const part = `${100 / chosen.zoom}%`;
    Object.assign(this.#frame.style, { left: `${100 * (chosen.x - half)}%`, top: `${100 * (chosen.y - half)}%`, width: part, height: part });
  }

  #watch(): void {
    const stage = this.element.querySelector<HTMLElement>(".stage");
    if (!stage) return;
    const move = (event: PointerEvent): void => {
      const box = this.#whole.canvas.getBoundingClientRect();
      chosen.x = (event.clientX - box.left) / box.width;
      chosen.y = (event.clientY - box.top) / box.height;
      this.#look();
    };
    stage.addEventListener("pointerdown", (event) => {
      stage.setPointerCapture(event.pointerId);
      move(event);
    });
    stage.addEventListener("pointermove", (event) => {
      if (event.buttons !== 0) move(event);
    });
    stage.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!way) return;
      event.preventDefault();
      chosen.x += 0.04 * (way[0] ?? 0);
      chosen.y += 0.04 * (way[1] ?? 0);
      this.#look();
    });
  }
}

export const PICTURES = true;

export function make(link: Link): View {
  return new Encodings(link);
}
