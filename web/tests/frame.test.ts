import { describe, expect, it } from "vitest";
import { pack, unpack } from "../src/frame";

/** As `ntkit.studio.frames.pack` writes it. */
function frame(header: Record<string, unknown>, payload: Uint8Array): ArrayBuffer {
  const head = pack(header);
  const whole = new Uint8Array(head.length + payload.length);
  whole.set(head);
  whole.set(payload, head.length);
  return whole.buffer;
}

describe("frames", () => {
  it("come back, whatever the header", () => {
    for (const text of ["", "a", "한글", "x".repeat(1000), '"\\\n']) {
      const header = { id: 1, values: { text, list: [1, null, true] } };
      expect(unpack(pack(header).buffer).header).toEqual(header);
    }
  });
  it("hold arrays where they lie", () => {
    const numbers = new Float32Array([1.5, -2, 3]);
    const payload = new Uint8Array(24);
    payload.set([9, 8], 0);
    payload.set(new Uint8Array(numbers.buffer), 8);
    const arrays = [
      { name: "pixels", dtype: "uint8", shape: [1, 2], offset: 0 },
      { name: "curve", dtype: "float32", shape: [3], offset: 8 },
    ];
    const buffer = frame({ id: 1, arrays }, payload);
    const found = unpack(buffer).arrays;
    expect([...(found.get("pixels")?.data ?? [])]).toEqual([9, 8]);
    expect([...(found.get("curve")?.data ?? [])]).toEqual([1.5, -2, 3]);
    expect(found.get("curve")?.data.buffer).toBe(buffer);
  });
  it("refuse what is too short", () => {
    expect(() => unpack(new ArrayBuffer(2))).toThrow("shorter");
    expect(() => unpack(new Uint8Array([255, 0, 0, 0, 1]).buffer)).toThrow("shorter");
  });
});
