// What a view is: a file of views/ that is found by its name, as its other half in Python is.

import type { Link } from "./link";
import type { Kind } from "./subject";

export interface Signal {
  readonly name: string;
  readonly size: readonly number[];
  readonly preview: readonly number[];
  readonly downscale: number;
  readonly channels: number;
  readonly notes: readonly string[];
  readonly kind: Kind;
  readonly about: Readonly<Record<string, number | null>>;
}

export interface View {
  readonly element: HTMLElement;
  /** Look at a signal. */
  show(signal: Signal): void;
  /** Stop whatever is under way. */
  leave(): void;
}

export interface ViewModule {
  /** Whether it is of pictures alone: of a sound it is said so in its place. */
  readonly PICTURES?: boolean;
  make(link: Link): View;
}

const FILES = import.meta.glob<ViewModule>("./views/*.ts");

export async function viewOf(name: string): Promise<ViewModule> {
  const load = FILES[`./views/${name}.ts`];
  if (!load) throw new Error(`there is no views/${name}.ts`);
  return load();
}
