// What went wrong, said in the place that a view keeps for it.

import type { Values } from "./frame";
import { t, TEXTS, type Key } from "./words";

/** A refusal of the server in the reader's language: by its code where there is a text for that, else in its own English. */
export function told(content: Values): string {
  const key = `error.${String(content["code"])}`;
  if (!(key in TEXTS.en)) return String(content["message"]);
  return t(key as Key, (content["values"] ?? {}) as Record<string, string | number>);
}

export function showFault(place: HTMLElement, message: string): void {
  place.hidden = false;
  place.textContent = `${t("state.error")} ${message}`;
}
