// What a page on the canvas can do with the app that shows it: tell its agent what the user did.
(() => {
  const HANDLER = "openclawCanvasA2UIAction";

  // The web view of iOS and macOS has message handlers, that of Android an object of the same name; browsers have neither.
  function post(payload) {
    const text = typeof payload === "string" ? payload : JSON.stringify(payload);
    try {
      const app = globalThis.webkit?.messageHandlers?.[HANDLER] ?? globalThis[HANDLER];
      if (typeof app?.postMessage !== "function") return false;
      app.postMessage(text);
      return true;
    } catch {
      return false;
    }
  }

  function newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function sendUserAction(action) {
    const given = typeof action?.id === "string" ? action.id.trim() : "";
    return post({ userAction: { ...action, id: given || newId() } });
  }

  globalThis.OpenClaw = Object.assign(globalThis.OpenClaw ?? {}, { postMessage: post, sendUserAction });
  globalThis.openclawPostMessage = post;
  globalThis.openclawSendUserAction = sendUserAction;
})();
