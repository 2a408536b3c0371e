import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

// Every browser that the page is for reads woff2: the other forms of KaTeX's fonts are left out.
const onlyWoff2: Plugin = {
  name: "only-woff2",
  enforce: "pre",
  transform(code, id) {
    if (!id.includes("katex.min.css")) return null;
    return code.replace(/,url\([^)]*\.(?:woff|ttf)\) format\("[^"]*"\)/g, "");
  },
};

// The page is built into the Python package, which serves it; git does not know it.
export default defineConfig({
  base: "/",
  plugins: [onlyWoff2],
  build: {
    outDir: "../src/ntkit/studio/page",
    emptyOutDir: true,
    assetsInlineLimit: 0, // the policy of the server takes files of its own, and no data: fonts
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  test: { environment: "happy-dom", include: ["tests/**/*.test.ts"] },
});
