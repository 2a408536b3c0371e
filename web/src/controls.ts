// Sliders with their names and values, and the button that plays one through.

import { button, h } from "./dom";
import { rich } from "./formula";
import { t } from "./words";

interface Choice {
  readonly id: string;
  readonly label: string;
  readonly max: number; // positions 0..max
  readonly at: number;
  readonly text: (at: number) => string;
  readonly on: (at: number) => void;
}

export class Slider {
  readonly element: HTMLElement;
  #input: HTMLInputElement;
  #value: HTMLOutputElement;
  #choice: Choice;

  constructor(choice: Choice) {
    this.#choice = choice;
    this.#input = h("input", { type: "range", id: choice.id, min: 0, max: choice.max, step: 1, value: choice.at });
    this.#value = h("output", { for: choice.id });
    this.element = h("div", { class: "slider" }, h("label", { for: choice.id }, choice.label), this.#value, this.#input);
    this.#input.addEventListener("input", () => {
      this.#tell();
      choice.on(this.at);
    });
    this.#tell();
  }

  get at(): number {
    return Number(this.#input.value);
  }

  get max(): number {
    return Number(this.#input.max);
  }

  /** Another last position. */
  bound(max: number): void {
    this.#input.max = String(max);
    this.#tell();
  }

  go(at: number): void {
    this.#input.value = String(at);
    this.#tell();
    this.#choice.on(this.at);
  }

  #tell(): void {
    const text = this.#choice.text(this.at);
    this.#value.textContent = text;
    this.#input.setAttribute("aria-valuetext", text);
  }
}

/** A slider through times, whose place is kept. */
export function timeSlider(id: string, times: readonly number[], kept: { time: number }, moved: () => void): Slider {
  return new Slider({
    id,
    label: t("story.time"),
    max: times.length - 1,
    at: kept.time,
    text: (at) => `t = ${(times[at] ?? 0).toPrecision(2)}`,
    on: (at) => {
      kept.time = at;
      moved();
    },
  });
}

/** Plays a slider to its end; from its beginning where it stands there. */
export class Player {
  readonly button: HTMLButtonElement;
  #slider: Slider;
  #timer = 0;
  #pause: number;

  constructor(slider: Slider, pause = 110) {
    this.#slider = slider;
    this.#pause = pause;
    this.button = button(t("story.play"), () => {
      if (this.#timer === 0) this.#start();
      else this.stop();
    }, { class: "play" });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.button.textContent = t("story.play");
  }

  #start(): void {
    if (this.#slider.at >= this.#slider.max) this.#slider.go(0);
    this.button.textContent = t("story.stop");
    this.#timer = window.setInterval(() => {
      if (this.#slider.at >= this.#slider.max) this.stop();
      else this.#slider.go(this.#slider.at + 1);
    }, this.#pause);
  }
}

/** What the colours of a picture stand for. */
export function keys(...entries: readonly (readonly [look: string, text: string])[]): HTMLElement {
  return h("p", { class: "keys" }, ...entries.map(([look, text]) => h("span", {}, h("span", { class: `swatch ${look}` }), " ", ...rich(text))));
}
