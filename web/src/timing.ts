// How soon a change is on the screen, left where whoever measures the page finds it.

/** Once the next frame is drawn: whatever is to be done then, and the time since `start`. */
export function measurePixels(start: number, then: () => void = () => undefined): void {
  requestAnimationFrame(() => {
    then();
    performance.measure("slider to pixels", { start, end: performance.now() });
  });
}
