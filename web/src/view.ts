// What a view is: a file of views/ that is found by its name, as its other half in Python is.

import type { Link } from "./link";

export interface Signal {
  readonly name: string;
  readonly size: readonly [number, number];
  readonly preview: readonly [number, number];
  readonly downscale: number;
  readonly channels: number;
  readonly notes: readonly string[];
}

export interface View {
  readonly element: HTMLElement;
  /** Look at a signal. */
  show(signal: Signal): void;
  /** Stop whatever is under way. */
  leave(): void;
}

export interface ViewModule {
  make(link: Link): View;
}

const FILES = import.meta.glob<ViewModule>("./views/*.ts");

export async function viewOf(name: string): Promise<ViewModule> {
  const load = FILES[`./views/${name}.ts`];
  if (!load) throw new Error(`there is no views/${name}.ts`);
  return load();
}
