import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["node_modules", "screenshots"] },
  ...tseslint.configs.strictTypeChecked.map((config) => ({ ...config, files: ["src/**/*.ts", "tests/**/*.ts"] })),
  {
    files: ["src/**/*.ts", "tests/**/*.ts"],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // What a dropped file is called is text: nothing on the page is made of markup.
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Use textContent, or h() of dom.ts." },
        { property: "outerHTML", message: "Use textContent, or h() of dom.ts." },
        { property: "insertAdjacentHTML", message: "Use textContent, or h() of dom.ts." },
      ],
    },
  },
);
