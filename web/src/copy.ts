// Lines to copy, with a button.

import { button, h } from "./dom";
import { t } from "./words";

const SHOWN = 1600; // milliseconds that the button says so

export class Copied {
  readonly element: HTMLElement;
  #code = h("code");
  #block: HTMLElement;

  constructor(label: string, name: string) {
    this.#block = h("pre", { tabindex: 0, "aria-label": label, "data-code": name }, this.#code);
    const copy = button(t("answer.copy"), () => {
      void this.#copy(copy);
    }, { "data-copy": name, "aria-label": `${t("answer.copy")}: ${label}` });
    this.element = h("div", { class: "copied" }, h("div", { class: "copied-head" }, h("h3", {}, label), copy), this.#block);
  }

  show(text: string): void {
    this.#code.textContent = text.trimEnd();
  }

  async #copy(from: HTMLButtonElement): Promise<void> {
    const text = `${this.#code.textContent}\n`;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      getSelection()?.selectAllChildren(this.#code); // where the page may not: it is chosen, to be copied by hand
      return;
    }
    from.textContent = t("answer.copied");
    setTimeout(() => {
      from.textContent = t("answer.copy");
    }, SHOWN);
  }
}

/** Have the browser save what the page holds. */
export function save(name: string, content: Blob): void {
  const at = URL.createObjectURL(content);
  h("a", { href: at, download: name }).click();
  setTimeout(() => {
    URL.revokeObjectURL(at);
  }, 1000);
}
