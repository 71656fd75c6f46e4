// The start page: sign in, see how the gateway is, talk with an agent.

import { keepToken, keptToken } from "./device.js";
import { Gateway } from "./gateway.js";

const $ = (id) => document.getElementById(id);
const gateway = new Gateway();
let snapshot = { health: null, presence: [] };
let mainKey = "main";
let session = null;
let hasTried = false; // a secret was given here
let running = null; // { runId, item } of the answer under way

function show(element, isShown) {
  element.hidden = !isShown;
}

function notice(text) {
  $("notice").textContent = text ?? "";
  show($("notice"), Boolean(text));
}

function state(text) {
  $("state").textContent = text;
}

function list(element, lines, empty) {
  element.replaceChildren(...(lines.length ? lines : [empty]).map((line) => {
    const item = document.createElement("li");
    item.textContent = line;
    return item;
  }));
}

// --- status ----------------------------------------------------------------------------------

function duration(ms) {
  const s = Math.round(ms / 1000);
  return s < 90 ? `${s} s` : s < 5400 ? `${Math.round(s / 60)} min` : s < 129600 ? `${Math.round(s / 3600)} h`
    : `${Math.round(s / 86400)} days`;
}

function facts(rows) {
  $("facts").replaceChildren(...rows.flatMap(([name, value]) => {
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = name;
    dd.textContent = value;
    return [dt, dd];
  }));
}

function channelLine(health, id) {
  const channel = health.channels?.[id] ?? {};
  const label = health.channelLabels?.[id] ?? id;
  const how = channel.connected ? "connected" : channel.running ? "running" : channel.configured ? "stopped" : "not set up";
  return `${label}: ${channel.lastError ? `${how} (${channel.lastError})` : how}`;
}

function presenceLine(entry) {
  return entry.text ?? [entry.host, entry.mode, entry.ip].filter(Boolean).join(" · ");
}

function statusDraw(hello) {
  const health = snapshot.health ?? {};
  if (hello) {
    const since = Date.now() - (hello.snapshot?.uptimeMs ?? 0);
    const rows = () => [["Version", hello.server?.version ?? "?"], ["Protocol", String(hello.protocol)],
      ["Running for", duration(Date.now() - since)], ["Scopes", (hello.auth?.scopes ?? []).map((s) => s.replace("operator.", "")).join(", ") || "none"]];
    facts(rows());
    clearInterval(statusDraw.clock);
    statusDraw.clock = setInterval(() => facts(rows()), 10000);
  }
  list($("agents"), (health.agents ?? []).map((agent) => `${agent.agentId}${agent.isDefault ? " (default)" : ""}`
    + `: ${agent.sessions?.count ?? 0} sessions`), "none");
  list($("channels"), (health.channelOrder ?? []).map((id) => channelLine(health, id)), "none set up");
  list($("presence"), (snapshot.presence ?? []).map(presenceLine).filter(Boolean), "nobody");
}

async function agentsDraw() {
  const answer = await gateway.request("agents.list");
  mainKey = answer.mainKey ?? "main";
  const kept = $("agent").value || answer.defaultId;
  $("agent").replaceChildren(...(answer.agents ?? []).map((agent) => new Option(agent.identity?.name ?? agent.name ?? agent.id,
    agent.id, agent.id === answer.defaultId, agent.id === kept)));
}

// --- conversation ------------------------------------------------------------------------------

function textOf(message) {
  const content = message?.content;
  if (typeof content === "string") return content;
  return (content ?? []).map((part) => (part.type === "text" ? part.text : `[${part.type}]`)).join("\n");
}

function isAtEnd() {
  const box = $("messages");
  return box.scrollHeight - box.scrollTop - box.clientHeight < 80;
}

function messageAdd(role, text) {
  const follows = isAtEnd();
  const item = document.createElement("li");
  item.className = role === "user" ? "user" : "";
  item.dataset.who = role === "user" ? "you" : role;
  item.textContent = text;
  $("messages").append(item);
  if (follows) item.scrollIntoView({ block: "end" });
  return item;
}

function runBegin(runId) {
  running = { runId, item: null };
  show($("stop"), true);
}

function runEnd() {
  running = null;
  show($("stop"), false);
}

async function historyDraw() {
  session = $("agent").value ? `agent:${$("agent").value}:${mainKey}` : mainKey;
  $("session").textContent = session;
  const wanted = session;
  const answer = await gateway.request("chat.history", { sessionKey: session, limit: 200 });
  if (wanted !== session) return;
  runEnd();
  $("messages").replaceChildren();
  for (const message of answer.messages ?? []) {
    const text = textOf(message);
    if (text) messageAdd(message.role ?? "?", text);
  }
  $("messages").lastElementChild?.scrollIntoView({ block: "end" });
}

function chatEvent(payload) {
  if (payload.sessionKey !== session) return;
  if (!running || running.runId !== payload.runId) runBegin(payload.runId);
  const text = textOf(payload.message);
  if (text) {
    running.item ??= messageAdd("assistant", "");
    const follows = isAtEnd();
    running.item.textContent = text;
    if (follows) running.item.scrollIntoView({ block: "end" });
  }
  if (payload.state === "error" || payload.state === "aborted") {
    const item = running.item ?? messageAdd("assistant", "");
    item.classList.add("failed");
    item.textContent += `${item.textContent ? "\n" : ""}${payload.errorMessage ?? payload.state}`;
  }
  if (payload.state !== "delta") runEnd();
}

// The key stays the same when it is sent again, so that it is never taken twice.
async function messageSend(text) {
  const key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(16).slice(2)}`;
  const item = messageAdd("user", text);
  for (let tries = 0; ; tries++) {
    try {
      const answer = await gateway.request("chat.send", { sessionKey: session, message: text, idempotencyKey: key });
      if (!running && answer.status === "started") runBegin(answer.runId);
      return;
    } catch (error) {
      if (tries < 5 && (error.code === "UNAVAILABLE" || error.code === "TIMEOUT")) {
        await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs ?? 1000));
        continue;
      }
      item.classList.add("failed");
      notice(`Not sent: ${error.message}`);
      return;
    }
  }
}

// --- life ----------------------------------------------------------------------------------------

function hint(error) {
  const pairing = error.details?.requestId;
  if (pairing) {
    return `This browser has to be let in once. On the gateway's machine:\n  openclaw devices approve ${pairing}\nThen load this page again.`;
  }
  if (!globalThis.crypto?.subtle) {
    return `${error.message}\nOver plain HTTP a browser has no keys to show who it is: use HTTPS, or open the page on the gateway's machine.`;
  }
  return error.message;
}

function signedOut(text) {
  show($("inside"), false);
  show($("sign-in"), true);
  show($("leave"), false);
  state("Not signed in");
  notice(text);
}

gateway.addEventListener("ready", async ({ detail: hello }) => {
  snapshot = { health: hello.snapshot?.health ?? null, presence: hello.snapshot?.presence ?? [] };
  notice(null);
  state("Connected");
  show($("sign-in"), false);
  show($("inside"), true);
  show($("leave"), true);
  statusDraw(hello);
  try {
    await agentsDraw();
    await historyDraw();
  } catch (error) {
    notice(error.message);
  }
});

// Who has given no secret yet is asked for one, without a reproach.
gateway.addEventListener("refused", ({ detail: error }) => signedOut(hasTried || error.details?.requestId ? hint(error) : null));

gateway.addEventListener("lost", ({ detail }) => {
  if (!detail.willRetry) return;
  runEnd();
  state(detail.reason ? `Connection lost (${detail.reason}), trying again …` : "Connection lost, trying again …");
});

gateway.addEventListener("event", ({ detail: { event, payload } }) => {
  if (event === "chat") chatEvent(payload);
  else if (event === "health") snapshot.health = payload;
  else if (event === "presence") snapshot.presence = payload.presence ?? [];
  else if (event === "shutdown") state(`The gateway restarts${payload?.reason ? `: ${payload.reason}` : ""}`);
  if (event === "health" || event === "presence") statusDraw(null);
});

$("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = $("token").value.trim();
  const password = $("password").value;
  $("token").value = "";
  $("password").value = "";
  notice(null);
  state("Connecting …");
  hasTried = true;
  gateway.open(token ? { token } : password ? { password } : {});
});

$("leave").addEventListener("click", () => {
  keepToken(null);
  gateway.close();
  signedOut(null);
});

$("agent").addEventListener("change", () => historyDraw().catch((error) => notice(error.message)));

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  notice(null);
  messageSend(text);
});

$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("composer").requestSubmit();
  }
});

$("stop").addEventListener("click", () => gateway.request("chat.abort", { sessionKey: session, runId: running?.runId })
  .catch((error) => notice(error.message)));

// A link may bring the token behind "#", which browsers never send; it is taken out of sight at once.
const brought = new URLSearchParams(location.hash.slice(1)).get("token");
if (brought) history.replaceState(null, "", location.pathname + location.search);
hasTried = Boolean(brought);
gateway.open(brought ? { token: brought } : {});
if (!brought && !keptToken()) state("Connecting …");
