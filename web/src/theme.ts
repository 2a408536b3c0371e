// Light or dark: what the system prefers, unless it was chosen here.

export type Theme = "light" | "dark";

const KEPT = "ntkit-studio-theme";

export function theme(): Theme {
  const kept = localStorage.getItem(KEPT);
  if (kept === "light" || kept === "dark") return kept;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export function dress(wanted: Theme = theme()): void {
  document.documentElement.dataset["theme"] = wanted;
}

export function choose(wanted: Theme): void {
  localStorage.setItem(KEPT, wanted);
  dress(wanted);
}
