// The messages of the studio: a header in JSON, then arrays as they lie in memory. See studio/frames.py.

export type Values = Record<string, unknown>;

export interface Frame {
  readonly header: Values;
  readonly arrays: ReadonlyMap<string, NumberArray>;
}

export interface NumberArray {
  readonly shape: readonly number[];
  readonly data: Uint8ClampedArray<ArrayBuffer> | Float32Array<ArrayBuffer>;
}

interface Told {
  name: string;
  dtype: string;
  shape: number[];
  offset: number;
}

const ALIGNED = 8;

function aligned(length: number): number {
  return Math.ceil(length / ALIGNED) * ALIGNED;
}

/** A frame without arrays: all that a page sends. */
export function pack(header: Values): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const frame = new Uint8Array(aligned(4 + text.length));
  new DataView(frame.buffer).setUint32(0, text.length, true);
  frame.set(text, 4);
  return frame;
}

/** A frame taken apart; its arrays lie where they lay, without a copy. */
export function unpack(buffer: ArrayBuffer): Frame {
  if (buffer.byteLength < 4) throw new Error("a frame is shorter than its length");
  const length = new DataView(buffer).getUint32(0, true);
  if (length > buffer.byteLength - 4) throw new Error("a frame is shorter than it says");
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length))) as Values;
  const start = aligned(4 + length);
  const arrays = new Map<string, NumberArray>();
  for (const told of (header["arrays"] ?? []) as Told[]) {
    const count = told.shape.reduce((product, n) => product * n, 1);
    const at = start + told.offset;
    const data =
      told.dtype === "uint8" ? new Uint8ClampedArray(buffer, at, count) : new Float32Array(buffer, at, count);
    arrays.set(told.name, { shape: told.shape, data });
  }
  return { header, arrays };
}
