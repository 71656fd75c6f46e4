// The page that apps of nodes show for A2UI v0.8: they hand messages to globalThis.openclawA2UI, and get what the user does.

import { Model, plain } from "./model.js";
import { View } from "./view.js";

const model = new Model();
const open = new Map();
const surfaces = document.getElementById("surfaces");
const notice = document.getElementById("notice");
let pending = null; // the action that the app has not answered for yet
let noticeEnds;

function tell(text, forMs) {
  notice.textContent = text;
  notice.hidden = false;
  clearTimeout(noticeEnds);
  if (forMs) noticeEnds = setTimeout(() => { notice.hidden = true; }, forMs);
}

// The app of iOS takes the action as it is, that of Android as text, as openclawSendUserAction sends it.
function send(userAction) {
  const apple = globalThis.webkit?.messageHandlers?.openclawCanvasA2UIAction;
  if (!apple) return globalThis.openclawSendUserAction(userAction);
  apple.postMessage({ userAction });
  return true;
}

function act(surface, action, sourceComponentId, scope) {
  const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const items = Array.isArray(action.context) ? action.context : [];
  const context = Object.fromEntries(items.filter((item) => typeof item?.key === "string")
    .map((item) => [item.key, plain(surface.value(item.value, scope)) ?? null]));
  pending = { id, name: String(action.name) };
  try {
    const userAction = { id, name: pending.name, surfaceId: surface.id, sourceComponentId,
      timestamp: new Date().toISOString(), ...(items.length ? { context } : {}) };
    if (!send(userAction)) throw new Error("no app takes actions here");
    tell(`Sending: ${pending.name}`);
  } catch (error) {
    tell(`${pending.name} was not sent: ${error.message}`, 4500);
    pending = null;
  }
}

// Who types goes on typing: the element of the same input has the focus again.
function render() {
  const focused = document.activeElement?.dataset?.key;
  const at = focused && [document.activeElement.selectionStart, document.activeElement.selectionEnd];
  const shown = [...model.surfaces.values()].filter((surface) => surface.root !== null);
  surfaces.replaceChildren(...shown.map((surface) => new View(surface, {
    open, turned: render, act: (...what) => act(surface, ...what) }).render()));
  document.getElementById("empty").hidden = shown.length > 0;
  if (!focused) return;
  const again = [...surfaces.querySelectorAll("[data-key]")].find((input) => input.dataset.key === focused);
  again?.focus();
  if (again && typeof at[0] === "number") again.setSelectionRange(...at);
}

globalThis.addEventListener("openclaw:a2ui-action-status", ({ detail }) => {
  if (!pending || detail?.id !== pending.id) return;
  if (detail.ok) {
    tell(`Working: ${pending.name}`);
  } else {
    tell(`${pending.name} was refused: ${detail.error || "no reason given"}`, 4500);
    pending = null;
  }
});

globalThis.openclawA2UI = {
  applyMessages(messages) {
    model.apply(messages);
    if (pending) tell(`Done: ${pending.name}`, 1500);
    pending = null;
    render();
    return { ok: true, surfaces: [...model.surfaces.keys()] };
  },
  reset() {
    model.surfaces.clear();
    open.clear();
    pending = null;
    notice.hidden = true;
    render();
    return { ok: true };
  },
  getSurfaces: () => [...model.surfaces.keys()],
};
