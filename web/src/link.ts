// One socket to the server, with numbered requests: of one question, only the newest is answered.

import { told } from "./fault";
import { pack, unpack, type Frame, type NumberArray, type Values } from "./frame";

export interface Answer {
  readonly content: Values;
  readonly arrays: ReadonlyMap<string, NumberArray>;
}

export interface Heard {
  answer(answer: Answer): void;
  done?(): void;
  error?(message: string): void;
}

export interface Hello {
  readonly session: string;
  readonly views: readonly string[];
  readonly story: readonly string[];
  readonly signal: Values | null;
  readonly offered: string | null;
  readonly most_bytes: number;
}

export type State = "connecting" | "open" | "closed" | "full";

const KEPT = "ntkit-studio-session";
const FULL = 4003;
const PATIENCE = 3000; // milliseconds for an answer that may have been lost

export class Link {
  onHello: (hello: Hello) => void = () => undefined;
  onState: (state: State) => void = () => undefined;
  onLost: () => void = () => undefined;
  #socket: WebSocket | undefined;
  #session = sessionStorage.getItem(KEPT) ?? "";
  #number = 0;
  #waiting = new Map<string, { id: number; heard: Heard }>();
  #following = new Map<string, { since: number; next: (() => void) | undefined }>();
  #delay = 250;
  #greeted: () => void = () => undefined;
  #greeting = new Promise<void>((resolve) => {
    this.#greeted = resolve;
  });

  open(): void {
    this.onState("connecting");
    const at = new URL(`/socket?session=${encodeURIComponent(this.#session)}`, location.href);
    at.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(at);
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
      this.#take(unpack(event.data));
    };
    socket.onclose = (event) => {
      this.#waiting.clear();
      this.#following.clear();
      if (event.code === FULL) {
        this.onState("full");
        return;
      }
      this.onState("closed");
      setTimeout(() => {
        this.open();
      }, this.#delay);
      this.#delay = Math.min(4000, this.#delay * 2);
    };
    this.#socket = socket;
  }

  /** Ask a view's other half; a newer question of the same name takes the place of this one. */
  ask(view: string, ask: string, values: Values, heard: Heard): void {
    const id = this.#expect(`${view}.${ask}`, heard);
    this.#send({ id, view, ask, values });
  }

  /**
   * Ask as a control moves: while one question is under way the newest of those behind it waits, so that each
   * answer is shown, however fast the control moves.
   */
  follow(view: string, ask: string, values: Values, heard: Heard): void {
    const key = `${view}.${ask}`;
    const send = (): void => {
      this.ask(view, ask, values, heard);
    };
    const before = this.#following.get(key);
    if (before !== undefined && performance.now() - before.since < PATIENCE) before.next = send;
    else {
      this.#following.set(key, { since: performance.now(), next: undefined });
      send();
    }
  }

  cancel(view: string, ask: string): void {
    const id = ++this.#number;
    this.#waiting.delete(`${view}.${ask}`);
    this.#send({ id, kind: "cancel", view, ask });
  }

  /** Look at the file of the command line. */
  takeOffered(heard: Heard): void {
    this.#send({ id: this.#expect("signal", heard), kind: "offered" });
  }

  /** Look at a file: it goes by a request of its own, once there is a session, and what it holds is told by the socket. */
  async upload(file: Blob, name: string, heard: Heard): Promise<void> {
    await this.#greeting;
    const id = this.#expect("signal", heard);
    const headers = { "X-Name": encodeURIComponent(name), "Content-Type": "application/octet-stream" };
    const at = `/signal?session=${encodeURIComponent(this.#session)}&id=${id}`;
    try {
      const response = await fetch(at, { method: "POST", body: file, headers });
      const message = await response.text();
      if (!response.ok) heard.error?.(told({ code: `http.${response.status}`, message }));
    } catch {
      heard.error?.(told({ code: "http.none" })); // the server has gone, or the file is no longer there
    }
  }

  #expect(key: string, heard: Heard): number {
    const id = ++this.#number;
    this.#waiting.set(key, { id, heard });
    return id;
  }

  #send(header: Values): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(pack(header));
  }

  #take({ header, arrays }: Frame): void {
    const content = (header["content"] ?? {}) as Values;
    if (header["kind"] === "hello") {
      const hello = content as unknown as Hello;
      this.#session = hello.session;
      this.#delay = 250;
      sessionStorage.setItem(KEPT, hello.session);
      this.#greeted();
      this.onState("open");
      this.onHello(hello);
      return;
    }
    if (header["kind"] === "lost") {
      const waiting = [...this.#waiting.values()];
      this.#waiting.clear();
      this.#following.clear();
      for (const { heard } of waiting) heard.error?.(told(content));
      this.onLost();
      return;
    }
    const asked = this.#waiting.get(String(header["key"]));
    if (asked?.id !== header["id"]) return; // of a question that is no longer asked
    if (header["kind"] === "answer") asked?.heard.answer({ content, arrays });
    else if (header["kind"] === "done") asked?.heard.done?.();
    else asked?.heard.error?.(told(content));
    if (header["kind"] !== "answer") this.#goOn(String(header["key"]));
  }

  /** A question is answered: ask the one that waits behind it. */
  #goOn(key: string): void {
    const next = this.#following.get(key)?.next;
    if (next) {
      this.#following.set(key, { since: performance.now(), next: undefined });
      next();
    } else this.#following.delete(key);
  }
}
