const status = document.getElementById("status");
const hasApp = Boolean(globalThis.webkit?.messageHandlers?.openclawCanvasA2UIAction || globalThis.openclawCanvasA2UIAction);

document.getElementById("bridge").textContent = hasApp ? "takes actions" : "a browser, which takes no actions";
document.getElementById("hello").addEventListener("click", () => {
  const action = { name: "hello", surfaceId: "main", sourceComponentId: "hello", context: { at: Date.now() } };
  status.textContent = globalThis.openclawSendUserAction(action) ? "Sent." : "Nobody is there to take it.";
});
globalThis.addEventListener("openclaw:a2ui-action-status", (event) => {
  status.textContent = event.detail?.ok ? "It has arrived." : `It was refused: ${event.detail?.error ?? "no reason given"}`;
});
