import { beforeEach, describe, expect, it, vi } from "vitest";
import { pack, unpack, type Values } from "../src/frame";
import { Link } from "../src/link";

class Socket {
  static made: Socket[] = [];
  static readonly OPEN = 1;
  readonly readyState = 1;
  binaryType = "";
  sent: Values[] = [];
  onmessage: (event: { data: ArrayBuffer }) => void = () => undefined;
  onclose: (event: { code: number }) => void = () => undefined;
  readonly url: string;
  constructor(url: URL) {
    this.url = String(url);
    Socket.made.push(this);
  }
  send(frame: Uint8Array<ArrayBuffer>): void {
    this.sent.push(unpack(frame.buffer).header);
  }
  hear(header: Values): void {
    this.onmessage({ data: pack(header).buffer });
  }
}

function opened(): { link: Link; socket: Socket } {
  const link = new Link();
  link.open();
  const socket = Socket.made.at(-1);
  if (!socket) throw new Error("no socket");
  socket.hear({ id: 0, key: "hello", kind: "hello", content: { session: "mine", views: [] } });
  return { link, socket };
}

describe("the link", () => {
  beforeEach(() => {
    sessionStorage.clear();
    vi.stubGlobal("WebSocket", Socket);
  });
  it("numbers its questions, and hears only the newest of each", () => {
    const { link, socket } = opened();
    const [first, second, other] = [vi.fn(), vi.fn(), vi.fn()];
    link.ask("bandwidth", "picture", { bandwidth: 1 }, { answer: first });
    link.ask("bandwidth", "picture", { bandwidth: 2 }, { answer: second });
    link.ask("bandwidth", "curve", {}, { answer: other });
    expect(socket.sent.map((q) => q["id"])).toEqual([1, 2, 3]);
    for (const id of [1, 2]) socket.hear({ id, key: "bandwidth.picture", kind: "answer", content: { id } });
    socket.hear({ id: 3, key: "bandwidth.curve", kind: "answer", content: { id: 3 } });
    expect(first).not.toHaveBeenCalled();
    expect(second).toHaveBeenCalledOnce();
    expect(other).toHaveBeenCalledOnce();
  });
  it("follows a control: one question at a time, the newest next, and every answer shown", () => {
    const { link, socket } = opened();
    const heard = [1, 2, 3, 4].map(() => vi.fn());
    heard.forEach((answer, i) => {
      link.follow("bandwidth", "picture", { bandwidth: i }, { answer });
    });
    expect(socket.sent.map((q) => q["values"])).toEqual([{ bandwidth: 0 }]);
    const reply = (id: number): void => {
      for (const kind of ["answer", "done"]) socket.hear({ id, key: "bandwidth.picture", kind, content: {} });
    };
    reply(1);
    expect(socket.sent.map((q) => q["values"])).toEqual([{ bandwidth: 0 }, { bandwidth: 3 }]);
    reply(2);
    expect(heard.map((answer) => answer.mock.calls.length)).toEqual([1, 0, 0, 1]);
    link.follow("bandwidth", "picture", { bandwidth: 9 }, { answer: vi.fn() });
    expect(socket.sent.length).toBe(3);
  });
  it("sends a file only when it has a session", async () => {
    const fetched = vi.fn(() => Promise.resolve(new Response("")));
    vi.stubGlobal("fetch", fetched);
    const link = new Link();
    link.open();
    const going = link.upload(new Blob(["x"]), "x.png", { answer: vi.fn() });
    await Promise.resolve();
    expect(fetched).not.toHaveBeenCalled();
    Socket.made.at(-1)?.hear({ id: 0, key: "hello", kind: "hello", content: { session: "mine", views: [] } });
    await going;
    expect(fetched).toHaveBeenCalledWith(expect.stringContaining("session=mine&id=1"), expect.anything());
  });
  it("hears nothing of what it has called off", () => {
    const { link, socket } = opened();
    const answer = vi.fn();
    link.ask("bandwidth", "curve", {}, { answer });
    link.cancel("bandwidth", "curve");
    expect(socket.sent.at(-1)?.["kind"]).toBe("cancel");
    socket.hear({ id: 1, key: "bandwidth.curve", kind: "answer", content: {} });
    expect(answer).not.toHaveBeenCalled();
  });
  it("comes back to its session", () => {
    vi.useFakeTimers();
    const { link, socket } = opened();
    const states: string[] = [];
    link.onState = (state) => states.push(state);
    socket.onclose({ code: 1006 });
    vi.advanceTimersByTime(5000);
    expect(states).toEqual(["closed", "connecting"]);
    expect(Socket.made.at(-1)?.url).toContain("session=mine");
    vi.useRealTimers();
  });
  it("does not come back where there are too many tabs", () => {
    const { link, socket } = opened();
    const states: string[] = [];
    link.onState = (state) => states.push(state);
    const before = Socket.made.length;
    socket.onclose({ code: 4003 });
    expect(states).toEqual(["full"]);
    expect(Socket.made.length).toBe(before);
  });
  it("tells errors and ends", () => {
    const { link, socket } = opened();
    const [error, done] = [vi.fn(), vi.fn()];
    link.ask("bandwidth", "curve", {}, { answer: vi.fn(), error, done });
    socket.hear({ id: 1, key: "bandwidth.curve", kind: "error", content: { message: "why" } });
    socket.hear({ id: 1, key: "bandwidth.curve", kind: "done", content: {} });
    expect(error).toHaveBeenCalledWith("why");
    expect(done).toHaveBeenCalledOnce();
  });
});
