// The page: what is looked at, the views, the language and the theme.

import "./style.css";
import { button, h } from "./dom";
import { Link, type Hello, type State } from "./link";
import { Signals } from "./signals";
import { Story } from "./tale";
import { kind, lookAt } from "./subject";
import { choose, dress, theme } from "./theme";
import { viewOf, type Signal, type View } from "./view";
import { language, speak, t, type Key } from "./words";

const ORDER = ["answer", "bandwidth", "kernel", "spectrum", "time", "reality", "encodings", "limits"];

class Page {
  #link = new Link();
  #signals = new Signals(this.#link);
  #story = new Story(this.#link);
  #header = h("header", { class: "top" });
  #main = h("main", { id: "main", tabindex: -1 });
  #state = h("p", { class: "state", role: "status" });
  #views: readonly string[] = [];
  #view: View | undefined;
  #linked: State = "connecting";
  #name = "";
  #begun = ""; // the step of the story that was begun once more
  #signal: Signal | undefined;

  start(root: HTMLElement): void {
    dress();
    speak(language());
    root.append(this.#header, this.#state, this.#signals.element, this.#main);
    this.#signals.onSignal = (signal, isNew) => {
      this.#signal = signal;
      if (lookAt(signal.kind, signal.preview)) this.#name = "";
      if (isNew) this.#tell(this.#linked);
      if (isNew && this.#isStory()) location.hash = `#${this.#views[0] ?? ""}`;
      else this.#go();
    };
    this.#link.onHello = (hello) => {
      this.#greet(hello);
    };
    this.#link.onState = (state) => {
      this.#tell(state);
    };
    this.#link.onLost = () => {
      this.#begin();
    };
    addEventListener("hashchange", () => {
      this.#tell(this.#linked);
      this.#go();
      scrollTo({ top: 0 });
    });
    this.#write();
    this.#link.open();
  }

  #greet(hello: Hello): void {
    this.#views = [...hello.views].sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
    this.#story.steps = hello.story;
    this.#signals.mostBytes = hello.most_bytes;
    this.#go();
    if (hello.signal) this.#signals.keep(hello.signal as unknown as Signal);
    else if (hello.offered) this.#signals.takeOffered(hello.offered);
    else if (this.#signal) this.#forget();
  }

  /** The server has freed the session: begin again. */
  #forget(): void {
    this.#signal = undefined;
    location.reload();
  }

  /** The work has ended by itself: say so, and begin it once more. */
  #begin(): void {
    const step = this.#isStory() ? this.#story.wanted(location.hash) : "";
    const isAgain = step === "" ? this.#signals.again() : step !== this.#begun;
    this.#begun = step;
    this.#name = ""; // the view is made anew
    if (step !== "" && isAgain) {
      this.#story.leave();
      this.#go();
    }
    this.#state.hidden = false;
    this.#state.textContent = t(isAgain ? "state.lost" : "state.lost.again");
  }

  #tell(state: State): void {
    this.#linked = state;
    this.#state.hidden = state === "open";
    if (state !== "open") this.#state.textContent = t(`state.${state}` satisfies Key);
  }

  #isStory(): boolean {
    return location.hash.startsWith("#story") && this.#story.steps.length > 0;
  }

  /** Where the address points to: a step of the story, or a view of the signal. */
  #go(): void {
    if (this.#isStory()) void this.#tellStory();
    else if (this.#signal) void this.#open();
    else {
      this.#story.leave();
      this.#write();
    }
  }

  async #tellStory(): Promise<void> {
    this.#view?.leave();
    this.#view = undefined;
    this.#name = "";
    document.body.classList.remove("empty");
    const opened = this.#story.open(this.#story.wanted(location.hash));
    this.#write();
    await opened;
    if (this.#isStory()) this.#main.replaceChildren(this.#story.element);
  }

  #title(): string {
    if (this.#isStory()) return `${t(`story.${this.#story.wanted(location.hash)}.title` as Key)} · ntkit studio`;
    return this.#views.length > 0 && this.#signal ? `${t(this.#key())} · ntkit studio` : "ntkit studio";
  }

  #parts(): HTMLElement {
    const part = (hash: string, key: Key, isHere: boolean): HTMLElement => h("a", { href: hash, "aria-current": isHere ? "page" : null }, t(key));
    const isStory = this.#isStory();
    return h(
      "nav",
      { class: "parts", "aria-label": t("app.parts") },
      part("#story", "app.story", isStory),
      part(this.#signal ? `#${this.#wanted()}` : "#", "app.workbench", !isStory),
    );
  }

  /** Everything but the view. */
  #write(): void {
    document.title = this.#title();
    document.body.classList.toggle("telling", this.#isStory());
    const links = this.#views.map((name) =>
      h("a", { href: `#${name}`, "aria-current": !this.#isStory() && name === this.#wanted() ? "page" : null }, t(`view.${name}` as Key)),
    );
    const languages = (["en", "ko"] as const).map((code) =>
      button(code === "en" ? "English" : "한국어", () => {
        speak(code);
        this.#again();
      }, { lang: code, "aria-pressed": String(language() === code) }),
    );
    const other = theme() === "dark" ? "light" : "dark";
    const themes = button(t(`app.theme.${other}`), () => {
      choose(other);
      this.#write();
    }, { class: "theme" });
    this.#header.replaceChildren(
      button(t("app.skip"), () => {
        this.#main.focus();
      }, { class: "skip" }),
      h("span", { class: "brand" }, "ntkit ", h("b", {}, "studio")),
      this.#parts(),
      ...(this.#signal && !this.#isStory() ? [h("nav", { class: "views", "aria-label": t("app.views") }, ...links)] : []),
      h("div", { class: "options" }, h("div", { class: "languages", role: "group", "aria-label": t("app.language") }, ...languages), themes),
    );
    if (!this.#signal && !this.#isStory()) this.#welcome();
  }

  #welcome(): void {
    document.body.classList.add("empty");
    this.#main.replaceChildren(
      h("section", { class: "welcome" }, h("h1", {}, t("app.welcome")), h("p", { class: "lead" }, t("app.about")), h("p", { class: "private" }, t("app.private")), h("p", { class: "begin" }, h("a", { href: "#story" }, t("app.begin")))),
    );
  }

  #again(): void {
    this.#name = "";
    this.#story.leave();
    this.#signals.dress();
    this.#go();
  }

  #wanted(): string {
    const asked = location.hash.slice(1);
    return this.#views.includes(asked) ? asked : (this.#views[0] ?? "");
  }

  #key(): Key {
    return `view.${this.#wanted()}` as Key;
  }

  /** The views that a sound has. */
  async #ofSounds(): Promise<string[]> {
    const modules = await Promise.all(this.#views.map(viewOf));
    return this.#views.filter((_, i) => !modules[i]?.PICTURES);
  }

  #needsPicture(name: string, views: readonly string[]): HTMLElement {
    return h(
      "section",
      { class: "welcome needs-picture" },
      h("h1", {}, t("app.needs_picture", { view: t(`view.${name}` as Key) })),
      h("p", { class: "lead" }, t("app.needs_picture.why")),
      h("p", {}, ...views.flatMap((other) => [h("a", { href: `#${other}` }, t(`view.${other}` as Key)), " "])),
    );
  }

  async #open(): Promise<void> {
    const [name, signal] = [this.#wanted(), this.#signal];
    if (!signal || name === "") return;
    document.body.classList.remove("empty");
    this.#story.leave();
    if (name !== this.#name) {
      this.#view?.leave();
      this.#name = name;
      const module = await viewOf(name);
      const others = module.PICTURES ? await this.#ofSounds() : [];
      if (this.#isStory() || name !== this.#name) return;
      const isShown = !(module.PICTURES && kind() === "audio");
      this.#view = isShown ? module.make(this.#link) : undefined;
      this.#main.replaceChildren(this.#view?.element ?? this.#needsPicture(name, others));
    }
    this.#write();
    this.#view?.show(signal);
  }
}

const root = document.getElementById("app");
if (root) new Page().start(root);
