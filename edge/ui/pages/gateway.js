// The gateway's protocol over one WebSocket, which is opened again whenever it is lost.

import { device, keepToken, keptToken, proof } from "./device.js";

const SCOPES = ["operator.admin", "operator.read", "operator.write", "operator.approvals", "operator.pairing"];
const ANSWER_MS = 30000;
const RETRY_MAX_MS = 15000;

export class Refused extends Error {
  constructor(error) {
    super(error?.message ?? "refused");
    this.code = error?.code;
    this.details = error?.details ?? {};
    this.retryAfterMs = error?.retryAfterMs;
  }
}

export class Gateway extends EventTarget {
  #socket = null;
  #waiting = new Map();
  #next = 1;
  #tries = 0;
  #timer = 0;
  #secret = {};
  #isWanted = false;

  // `secret` is { token } or { password }, or empty for what this browser was given before.
  open(secret) {
    this.#secret = secret;
    this.#isWanted = true;
    this.#tries = 0;
    this.#dial();
  }

  close() {
    this.#isWanted = false;
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
  }

  request(method, params = {}) {
    const id = String(this.#next++);
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        reject(new Refused({ code: "UNAVAILABLE", message: "not connected" }));
        return;
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Refused({ code: "TIMEOUT", message: `${method}: no answer` }));
      }, ANSWER_MS);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ type: "req", id, method, params }));
    });
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #dial() {
    clearTimeout(this.#timer);
    const url = new URL(".", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onmessage = (message) => this.#read(socket, JSON.parse(message.data));
    socket.onclose = (event) => this.#lost(socket, event);
  }

  #lost(socket, event) {
    if (socket !== this.#socket) return;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new Refused({ code: "UNAVAILABLE", message: "the connection was lost" }));
    }
    this.#waiting.clear();
    this.#tell("lost", { code: event.code, reason: event.reason, willRetry: this.#isWanted });
    if (!this.#isWanted) return;
    const wait = Math.min(RETRY_MAX_MS, 500 * 2 ** this.#tries++) * (0.75 + Math.random() / 2);
    this.#timer = setTimeout(() => this.#dial(), wait);
  }

  #read(socket, frame) {
    if (socket !== this.#socket) return;
    if (frame.type === "event" && frame.event === "connect.challenge") {
      this.#connect(frame.payload.nonce);
    } else if (frame.type === "event") {
      this.#tell("event", frame);
    } else if (frame.type === "res" && this.#waiting.has(frame.id)) {
      const { resolve, reject, timer } = this.#waiting.get(frame.id);
      this.#waiting.delete(frame.id);
      clearTimeout(timer);
      if (frame.ok) resolve(frame.payload);
      else reject(new Refused(frame.error));
    }
  }

  async #connect(nonce) {
    const client = { id: "openclaw-control-ui", version: "1", platform: "web", mode: "webchat" };
    const auth = { ...this.#secret };
    const self = await device();
    const params = { minProtocol: 3, maxProtocol: 4, client, role: "operator", scopes: SCOPES, caps: ["tool-events"],
      locale: navigator.language, userAgent: navigator.userAgent, auth };
    if (self && !auth.token && !auth.password && keptToken()) auth.deviceToken = keptToken();
    try {
      if (self) {
        params.device = await proof(self, { client, role: params.role, scopes: SCOPES, nonce,
          token: auth.token ?? auth.deviceToken });
      }
      const hello = await this.request("connect", params);
      this.#tries = 0;
      if (hello.auth?.deviceToken) keepToken(hello.auth.deviceToken);
      this.#tell("ready", hello);
    } catch (error) {
      this.#refused(error, auth);
    }
  }

  // Whoever was refused for good does not knock again by itself.
  #refused(error, auth) {
    const isForGood = error.code !== "UNAVAILABLE" && error.code !== "TIMEOUT";
    if (isForGood && auth.deviceToken) keepToken(null);
    this.#isWanted = !isForGood;
    this.#tell("refused", error);
  }
}
