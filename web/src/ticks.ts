// Where the axes of a chart are marked.

/** Of some values on a logarithmic axis, those whose labels have room: the first and the last always. */
export function spaced(values: readonly number[], at: (value: number) => number, room: number): number[] {
  const kept: number[] = [];
  const last = values.at(-1);
  for (const value of values) {
    const before = kept.at(-1);
    const free = before === undefined || at(value) - at(before) >= room;
    const clear = last === undefined || value === last || at(last) - at(value) >= room;
    if (free && clear) kept.push(value);
  }
  return kept;
}

/** The index of the value nearest on a logarithmic axis. */
export function nearest(values: readonly number[], wanted: number): number {
  let best = 0;
  values.forEach((value, i) => {
    const distance = Math.abs(Math.log(value / wanted));
    if (distance < Math.abs(Math.log((values[best] ?? value) / wanted))) best = i;
  });
  return best;
}
