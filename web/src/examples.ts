// Examples that are made here, by a few lines each: no file is fetched.

const RATE = 16000; // Hz

/** A voice-like sound of half a second, as a WAV: harmonics of a note that glides and trembles, in two syllables. */
export function sound(): Blob {
  const n = RATE / 2;
  const samples = new Int16Array(n);
  let phase = 0;
  for (let i = 0; i < n; i++) {
    const time = i / RATE;
    const pitch = 150 + 90 * time + 4 * Math.sin(2 * Math.PI * 6 * time);
    phase += (2 * Math.PI * pitch) / RATE;
    let sum = 0;
    for (let k = 1; k <= 9; k++) {
      const formant = Math.exp(-(((k * pitch - 600 - 500 * time) / 420) ** 2)) + 0.25 / k;
      sum += formant * Math.sin(k * phase);
    }
    const syllables = Math.sin(Math.PI * ((4 * time) % 1)) ** 2 + 0.1;
    samples[i] = Math.round(7000 * syllables * sum);
  }
  return new Blob([header(samples.byteLength), samples], { type: "audio/wav" });
}

function header(bytes: number): ArrayBuffer {
  const buffer = new ArrayBuffer(44);
  const view = new DataView(buffer);
  const text = (at: number, word: string): void => {
    for (let i = 0; i < word.length; i++) view.setUint8(at + i, word.charCodeAt(i));
  };
  text(0, "RIFF");
  view.setUint32(4, 36 + bytes, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // whole numbers
  view.setUint16(22, 1, true); // of one channel
  view.setUint32(24, RATE, true);
  view.setUint32(28, 2 * RATE, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, bytes, true);
  return buffer;
}

// Centre (depth, row, column), half axes, turn in degrees, brightness that is added: a head, after Shepp and Logan.
const ELLIPSOIDS = [
  [0, 0, 0, 0.9, 0.92, 0.69, 0, 200],
  [0, 0.02, 0, 0.85, 0.87, 0.66, 0, -140],
  [0, 0, 0.22, 0.4, 0.31, 0.11, 18, -35],
  [0, 0, -0.22, 0.5, 0.41, 0.16, -18, -35],
  [0.1, -0.35, 0, 0.6, 0.21, 0.25, 0, 50],
  [0, -0.1, 0, 0.3, 0.05, 0.05, 0, 70],
  [0, 0.1, 0, 0.3, 0.05, 0.05, 0, 70],
  [0, 0.6, -0.08, 0.3, 0.03, 0.05, 0, 80],
  [0, 0.6, 0.06, 0.3, 0.05, 0.03, 0, 80],
  [0, 0.33, 0.3, 0.3, 0.07, 0.04, 30, 60],
] as const;

/** A head of 24 slices, as an array of NumPy's. */
export function volume(): Blob {
  const [depth, side] = [24, 128];
  const voxels = new Uint8Array(depth * side * side);
  for (let k = 0, at = 0; k < depth; k++) {
    for (let i = 0; i < side; i++) {
      for (let j = 0; j < side; j++, at++) {
        voxels[at] = Math.max(0, brightness((2 * k) / (depth - 1) - 1, (2 * i + 1) / side - 1, (2 * j + 1) / side - 1));
      }
    }
  }
  const told = `{'descr': '|u1', 'fortran_order': False, 'shape': (${depth}, ${side}, ${side}), }`;
  const text = `${told.padEnd(117)}\n`;
  const head = new Uint8Array(10 + text.length);
  head.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length, 0]);
  head.set(new TextEncoder().encode(text), 10);
  return new Blob([head, voxels]);
}

function brightness(z: number, y: number, x: number): number {
  let sum = 0;
  for (const [cz, cy, cx, a, b, c, turn, added] of ELLIPSOIDS) {
    const [sine, cosine] = [Math.sin((turn * Math.PI) / 180), Math.cos((turn * Math.PI) / 180)];
    const [dy, dx] = [y - cy, x - cx];
    const u = (cosine * dy - sine * dx) / b;
    const v = (sine * dy + cosine * dx) / c;
    if (((z - cz) / a) ** 2 + u ** 2 + v ** 2 <= 1) sum += added;
  }
  return sum;
}
