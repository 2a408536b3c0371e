import { describe, expect, it } from "vitest";
import { readdirSync } from "node:fs";
import { en } from "../src/texts/en";
import { ko } from "../src/texts/ko";
import { speak, steps, t, decibels } from "../src/words";

const names = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();

describe("texts", () => {
  it("neither language lacks a key", () => {
    expect(Object.keys(ko).sort()).toEqual(Object.keys(en).sort());
  });
  it.each(Object.keys(en) as (keyof typeof en)[])("%s has the same blanks, formulas and code in both", (key) => {
    expect(names(ko[key])).toEqual(names(en[key]));
    for (const mark of ["$", "`"]) {
      expect(ko[key].split(mark).length % 2).toBe(1);
      expect(en[key].split(mark).length % 2).toBe(1);
    }
    expect(ko[key].trim()).not.toBe("");
  });
  it("Korean is Korean, but for names", () => {
    const same = Object.entries(ko).filter(([, text]) => !/[가-힣]/.test(text));
    expect(same.map(([key]) => key)).toEqual(["bandwidth.adam", "time.y", "encodings.siren", "encodings.finer", "encodings.wire"]);
  });
  it("every view has its name in the menu", () => {
    const views = readdirSync("src/views").map((file) => `view.${file.replace(".ts", "")}`);
    expect(Object.keys(en)).toEqual(expect.arrayContaining(views));
  });
  it("fills its blanks", () => {
    speak("en");
    expect(t("signal.what", { width: 3, height: 2 })).toBe("3 × 2 pixels");
    expect([steps(null), steps(1), steps(2000)]).toEqual(["without end", "1 step", "2,000 steps"]);
    expect([decibels(1.25), decibels(null)]).toEqual(["1.3 dB", "–"]);
    speak("ko");
    expect(steps(2000)).toBe("2,000스텝");
  });
});
