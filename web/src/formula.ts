// Formulas, set by KaTeX: loaded when the first is shown.

import { h } from "./dom";

/** A formula; `spoken` is what is read aloud, and shown until it is set. */
export function formula(tex: string, spoken: string): HTMLElement {
  const made = h("div", { class: "formula", role: "math", "aria-label": spoken }, spoken);
  void Promise.all([import("katex"), import("katex/dist/katex.min.css")]).then(([{ default: katex }]) => {
    katex.render(tex, made, { displayMode: true, output: "html", throwOnError: false });
  });
  return made;
}

/** A text with `$formulas$`, `code` and *stress* in it. */
export function rich(text: string): (Node | string)[] {
  return text.split(/(\$[^$]+\$|`[^`]+`|\*[^*]+\*)/).map((part) => {
    if (part.startsWith("`")) return h("code", {}, part.slice(1, -1));
    if (part.startsWith("*")) return h("em", {}, part.slice(1, -1));
    if (!part.startsWith("$")) return part;
    const tex = part.slice(1, -1);
    const inline = h("span", {}, tex);
    void Promise.all([import("katex"), import("katex/dist/katex.min.css")]).then(([{ default: katex }]) => {
      katex.render(tex, inline, { output: "html", throwOnError: false });
    });
    return inline;
  });
}

export function prose(text: string): HTMLParagraphElement {
  return h("p", {}, ...rich(text));
}
