// The language of the page: all of its texts, one place a language.

import { kind } from "./subject";
import { en } from "./texts/en";
import { ko } from "./texts/ko";

export type Key = keyof typeof en;
export type Texts = Readonly<Record<Key, string>>;
export type Language = "en" | "ko";

export const TEXTS: Readonly<Record<Language, Texts>> = { en, ko };

const KEPT = "ntkit-studio-language";
let current: Language = first();

function first(): Language {
  const kept = localStorage.getItem(KEPT);
  if (kept === "en" || kept === "ko") return kept;
  return navigator.language.startsWith("ko") ? "ko" : "en";
}

export function language(): Language {
  return current;
}

export function speak(wanted: Language): void {
  current = wanted;
  localStorage.setItem(KEPT, wanted);
  document.documentElement.lang = wanted;
}

/** A text of the page, its `{names}` filled in: `key.audio`, where a sound is looked at and there is one. */
export function t(key: Key, values: Readonly<Record<string, string | number>> = {}): string {
  const own = `${key}.${kind()}`;
  const text = TEXTS[current][own in TEXTS[current] ? (own as Key) : key];
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** A number of steps, as people write it. */
export function steps(n: number | null): string {
  return n === null ? t("steps.infinite") : t(n === 1 ? "steps.one" : "steps.many", { n: n.toLocaleString("en") });
}

export function decibels(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : `${value.toFixed(1)} dB`;
}
