import { describe, expect, it } from "vitest";
import { nearest, spaced } from "../src/ticks";

describe("axes", () => {
  const values = [1, 1.4, 2, 2.8, 4, 8, 16, 17];
  it.each([5, 20, 40])("labels stand at least %d apart, the first and the last among them", (room) => {
    const at = (v: number): number => 60 * Math.log2(v);
    const kept = spaced(values, at, room);
    expect(kept[0]).toBe(1);
    expect(kept.at(-1)).toBe(17);
    kept.slice(1).forEach((v, i) => {
      expect(at(v) - at(kept[i] ?? 0)).toBeGreaterThanOrEqual(Math.min(room, at(17) - at(16)));
    });
  });
  it("the nearest is the one of the smallest ratio", () => {
    expect(nearest(values, 3)).toBe(3);
    expect(nearest(values, 0.01)).toBe(0);
    expect(nearest(values, 1e6)).toBe(7);
    expect(nearest(values, 5.5)).toBe(4);
    expect(nearest([], 1)).toBe(0);
  });
});
