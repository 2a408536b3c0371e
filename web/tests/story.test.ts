import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { en } from "../src/texts/en";
import { ko } from "../src/texts/ko";

const STEPS = readdirSync("src/story").map((file) => file.replace(".ts", ""));
const KEYS = Object.keys(en);

const numbered = (step: string, kind: string): number[] =>
  KEYS.map((key) => new RegExp(`^story\\.${step}\\.${kind}\\.(\\d+)$`).exec(key)?.[1])
    .filter((found) => found !== undefined)
    .map(Number);

describe("the story", () => {
  it.each(STEPS)("%s is told whole, and each thing to try has its answer", (step) => {
    for (const part of ["name", "title", "lead", "formula"]) expect(KEYS).toContain(`story.${step}.${part}`);
    for (const kind of ["what", "try", "why"]) {
      const found = numbered(step, kind);
      expect(found).toEqual(found.map((_, i) => i + 1));
      expect(found.length).toBeGreaterThan(1);
    }
    expect(numbered(step, "try")).toEqual(numbered(step, "why"));
  });
  it("both languages set the same formulas", () => {
    const formulas = (text: string): string[] => [...new Set(text.match(/\$[^$]+\$/g) ?? [])].sort();
    for (const key of KEYS.filter((each) => each.startsWith("story.")) as (keyof typeof en)[]) {
      expect(formulas(ko[key]), key).toEqual(formulas(en[key]));
    }
  });
});
