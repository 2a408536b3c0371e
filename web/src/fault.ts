// What went wrong, said in the place that a view keeps for it.

import { t } from "./words";

export function showFault(place: HTMLElement, message: string): void {
  place.hidden = false;
  place.textContent = `${t("state.error")} ${message}`;
}
