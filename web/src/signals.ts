// What is looked at: a dropped file, a chosen one, or an example.

import { button, h, svg } from "./dom";
import { sound, volume } from "./examples";
import type { Heard, Link } from "./link";
import type { Signal } from "./view";
import { t, type Key } from "./words";

const EXAMPLES = ["parrots", "houses", "alps"] as const;
const MADE = { sound: { name: "voice.wav", make: sound }, slice: { name: "head.npy", make: volume } } as const;
const ICONS = {
  sound: "M2 14h4l2-7 3 14 3-18 3 20 3-14 2 5h8",
  slice: "M16 2c7 0 11 5 11 12s-4 12-11 12S5 21 5 14 9 2 16 2zm-4 8c2 0 3 2 3 4s-1 5-3 5-3-2-3-5 1-4 3-4zm8 0c2 0 3 2 3 4s-1 5-3 5-3-2-3-5 1-4 3-4z",
} as const;

let example: { name: string; file: Blob } | undefined;

/** The example that is looked at, if it is one: whoever wants to save it has it nowhere else. */
export function taken(): { name: string; file: Blob } | undefined {
  return example;
}

export class Signals {
  readonly element = h("div", { class: "signal" });
  onSignal: (signal: Signal, isNew: boolean) => void = () => undefined;
  mostBytes = Number.POSITIVE_INFINITY;
  #link: Link;
  #signal: Signal | undefined;
  #begin: ((isNew: boolean) => void) | undefined; // reads what is looked at, once more
  #status = h("p", { class: "signal-status", role: "status" });
  #error = h("p", { class: "error", role: "alert", hidden: true });

  constructor(link: Link) {
    this.#link = link;
    for (const name of ["dragover", "drop", "dragleave"]) {
      document.addEventListener(name, (event) => {
        event.preventDefault();
        document.body.classList.toggle("dropping", name === "dragover");
        if (name !== "drop" || !(event instanceof DragEvent)) return;
        const file = event.dataTransfer?.files[0];
        if (file) this.take(file, file.name);
      });
    }
    this.dress();
  }

  /** Write everything again: the language has changed. */
  dress(): void {
    const input = h("input", { type: "file", id: "signal-file", class: "visually-hidden" });
    input.addEventListener("change", () => {
      const file = input.files?.[0];
      if (file) this.take(file, file.name);
    });
    const label = h("label", { for: "signal-file", class: "choose" }, t("signal.choose"));
    const examples = EXAMPLES.map((name) => {
      const picture = h("img", { src: `/examples/${name}.jpg`, alt: "", width: 40, height: 28, loading: "lazy" });
      const made = button("", () => void this.takeExample(name), { class: "example", "data-example": name });
      made.append(picture, h("span", {}, t(`signal.${name}` satisfies Key)));
      return made;
    });
    const made = (["sound", "slice"] as const).map((name) => {
      const icon = svg("svg", { viewBox: "0 0 32 28", width: 36, height: 28, "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));
      const pick = button("", () => {
        this.take(MADE[name].make(), MADE[name].name, true);
      }, { class: "example", "data-example": name });
      pick.append(icon, h("span", {}, t(`signal.${name}`)));
      return pick;
    });
    this.element.replaceChildren(
      h("p", { class: "drop-hint" }, t("signal.drop")),
      h("div", { class: "pick" }, input, label, h("span", { class: "or" }, t("signal.examples")), ...examples, ...made),
      this.#status,
      this.#error,
    );
    if (this.#signal) this.#describe(this.#signal);
  }

  async takeExample(name: (typeof EXAMPLES)[number]): Promise<void> {
    const response = await fetch(`/examples/${name}.jpg`);
    const file = await response.blob();
    this.take(file, `${name}.jpg`, true);
  }

  take(file: Blob, name: string, isExample = false): void {
    this.#error.hidden = true;
    if (file.size > this.mostBytes) {
      this.#fail(t("signal.too_large", { name, most: Math.floor(this.mostBytes / 2 ** 20) }));
      return;
    }
    example = isExample ? { name, file } : undefined;
    this.#read(name, (heard) => this.#link.upload(file, name, heard));
  }

  takeOffered(name: string): void {
    this.#read(name, (heard) => {
      this.#link.takeOffered(heard);
    });
  }

  /** The work on the signal has ended by itself: begin it once more. False where it was, or the file is not at hand. */
  again(): boolean {
    const begin = this.#begin;
    this.#begin = undefined;
    begin?.(false);
    return begin !== undefined;
  }

  #read(name: string, send: (heard: Heard) => unknown): void {
    this.#begin = (isNew) => {
      this.#error.hidden = true;
      this.#status.textContent = t("signal.reading", { name });
      send(this.#heard(isNew));
    };
    this.#begin(true);
  }

  /** Look at what was read now, or at what the server still has of this tab. */
  keep(signal: Signal, isNew = false): void {
    this.#signal = signal;
    this.#describe(signal);
    this.onSignal(signal, isNew);
  }

  #heard(isNew: boolean): Heard {
    return {
      answer: ({ content }) => {
        this.keep(content as unknown as Signal, isNew);
      },
      error: (message) => {
        this.#fail(`${t("state.error")} ${message}`);
      },
    };
  }

  #fail(message: string): void {
    this.#status.textContent = "";
    if (this.#signal) this.#describe(this.#signal);
    this.#error.hidden = false;
    this.#error.textContent = message;
  }

  #describe(signal: Signal): void {
    this.#status.replaceChildren(h("strong", {}, signal.name), ` ${this.#inWords(signal)}`);
  }

  #inWords(signal: Signal): string {
    const { rate, start, stop, slice, slices } = signal.about;
    if (signal.kind === "audio") {
      const n = (signal.preview[0] ?? 0).toLocaleString("en");
      if (!rate) return t("signal.line", { n, all: (signal.size[0] ?? 0).toLocaleString("en") });
      const all = ((signal.size[0] ?? 0) / rate).toFixed(2);
      return t("signal.stretch", { n, all, rate: rate.toLocaleString("en"), start: (start ?? 0).toFixed(2), stop: (stop ?? 0).toFixed(2) });
    }
    const [height, width] = signal.size;
    const [h2, w2] = signal.preview;
    const key: Key = signal.downscale > 1 ? "signal.small" : "signal.what";
    const size = t(key, { width: width ?? 0, height: height ?? 0, w: w2 ?? 0, h: h2 ?? 0 });
    return slices ? `${t("signal.of_slices", { slice: (slice ?? 0) + 1, slices })} ${size}` : size;
  }
}
