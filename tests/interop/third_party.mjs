// Connects, talks to an agent, reads the history, asks for something that does not exist.
const socket = new WebSocket(`ws://127.0.0.1:${process.env.GATEWAY_PORT}`);
const waiting = new Map();
const events = [];
const listeners = new Set();
let count = 0;

socket.addEventListener("message", ({ data }) => {
  const frame = JSON.parse(data);
  if (frame.type === "event") {
    events.push(frame);
    listeners.forEach((listener) => listener());
  } else {
    waiting.get(frame.id)?.(frame);
  }
});

const event = (matches) =>
  new Promise((resolve) => {
    const look = () => {
      const found = events.find(matches);
      if (found) {
        listeners.delete(look);
        resolve(found);
      }
    };
    listeners.add(look);
    look();
  });
const ask = (method, params) =>
  new Promise((resolve) => {
    const id = `n${(count += 1)}`;
    waiting.set(id, resolve);
    socket.send(JSON.stringify({ type: "req", id, method, params }));
  });

await event((frame) => frame.event === "connect.challenge");
const hello = await ask("connect", {
  minProtocol: 3,
  maxProtocol: 3,
  client: { id: "gateway-client", version: "1.0.0", platform: "node", mode: "backend" },
  role: "operator",
  scopes: ["operator.read", "operator.write"],
  auth: { token: process.env.GATEWAY_TOKEN },
});
const sessionKey = "agent:main:third-party";
const sent = await ask("chat.send", { sessionKey, message: "asked by a third party", idempotencyKey: `t-${Date.now()}` });
const { runId } = sent.payload;
const final = await event((frame) => frame.event === "chat" && frame.payload.runId === runId && frame.payload.state === "final");
const history = await ask("chat.history", { sessionKey });
const refused = await ask("no.such.method", {});

console.log(
  JSON.stringify({
    hello: hello.payload?.type,
    deltas: events.filter((frame) => frame.event === "agent" && frame.payload.stream === "assistant").length,
    final: JSON.stringify(final.payload.message),
    history: history.payload.messages.length,
    refusal: refused.error?.code,
  }),
);
socket.close();
