// What is looked at, for texts that name it and for controls that are in its units.

export type Kind = "image" | "audio" | "slice";

let current: { kind: Kind; samples: number } = { kind: "image", samples: 256 };

const USUAL = 256; // samples a side that the ladders of the views are meant for

/** Look at another signal; whether views that stand have to be made again. */
export function lookAt(kind: Kind, preview: readonly number[]): boolean {
  const next = { kind, samples: kind === "audio" ? (preview[0] ?? USUAL) : USUAL };
  const isOther = next.kind !== current.kind || next.samples !== current.samples;
  current = next;
  return isOther;
}

export function kind(): Kind {
  return current.kind;
}

/** Bandwidths that are meant for pictures, as what is looked at needs them: of a longer line, larger. */
export function ladder(bandwidths: readonly number[]): number[] {
  const factor = current.samples / USUAL;
  return bandwidths.map((b) => (factor === 1 ? b : Number((b * factor).toPrecision(2))));
}

/** What was chosen, if it is one of them; else the usual one, which is meant for pictures. */
export function oneOf(values: readonly number[], chosen: number, usual: number): number {
  return values.includes(chosen) ? chosen : (ladder([usual])[0] ?? chosen);
}
