// What is looked at: a dropped file, a chosen one, or an example.

import { button, h } from "./dom";
import type { Link } from "./link";
import type { Signal } from "./view";
import { t, type Key } from "./words";

const EXAMPLES = ["parrots", "houses", "alps"] as const;

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
        if (file) void this.take(file, file.name);
      });
    }
    this.dress();
  }

  /** Write everything again: the language has changed. */
  dress(): void {
    const input = h("input", { type: "file", id: "signal-file", class: "visually-hidden" });
    input.addEventListener("change", () => {
      const file = input.files?.[0];
      if (file) void this.take(file, file.name);
    });
    const label = h("label", { for: "signal-file", class: "choose" }, t("signal.choose"));
    const examples = EXAMPLES.map((name) => {
      const picture = h("img", { src: `/examples/${name}.jpg`, alt: "", width: 40, height: 28, loading: "lazy" });
      const made = button("", () => void this.takeExample(name), { class: "example", "data-example": name });
      made.append(picture, h("span", {}, t(`signal.${name}` satisfies Key)));
      return made;
    });
    this.element.replaceChildren(
      h("p", { class: "drop-hint" }, t("signal.drop")),
      h("div", { class: "pick" }, input, label, h("span", { class: "or" }, t("signal.examples")), ...examples),
      this.#status,
      this.#error,
    );
    if (this.#signal) this.#describe(this.#signal);
  }

  async takeExample(name: (typeof EXAMPLES)[number]): Promise<void> {
    const response = await fetch(`/examples/${name}.jpg`);
    const file = await response.blob();
    await this.take(file, `${name}.jpg`, true);
  }

  async take(file: Blob, name: string, isExample = false): Promise<void> {
    this.#error.hidden = true;
    if (file.size > this.mostBytes) {
      this.#fail(t("signal.too_large", { name, most: Math.floor(this.mostBytes / 2 ** 20) }));
      return;
    }
    this.#status.textContent = t("signal.reading", { name });
    example = isExample ? { name, file } : undefined;
    await this.#link.upload(file, name, this.#heard());
  }

  takeOffered(name: string): void {
    this.#status.textContent = t("signal.reading", { name });
    this.#link.takeOffered(this.#heard());
  }

  /** Look at what was read now, or at what the server still has of this tab. */
  keep(signal: Signal, isNew = false): void {
    this.#signal = signal;
    this.#describe(signal);
    this.onSignal(signal, isNew);
  }

  #heard(): { answer: (answer: { content: unknown }) => void; error: (message: string) => void } {
    return {
      answer: ({ content }) => {
        this.keep(content as Signal, true);
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
    const [height, width] = signal.size;
    const [h2, w2] = signal.preview;
    const key: Key = signal.downscale > 1 ? "signal.small" : "signal.what";
    this.#status.replaceChildren(h("strong", {}, signal.name), ` ${t(key, { width, height, w: w2, h: h2 })}`);
  }
}
