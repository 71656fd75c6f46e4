// A real browser on a page of the gateway: signs in, says something, waits for the answer.
// Usage: browser.mjs start|control|canvas|a2ui TEXT; prints what was seen as JSON.

import { createRequire } from "node:module";

const require = createRequire(`${process.env.OPENCLAW_TEST_MODULES}/`);
const { chromium } = require("playwright-core");
const { GATEWAY_URL: url, GATEWAY_TOKEN: token } = process.env;
const [page_kind, text] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
const seen = { errors: [], violations: [] };

async function opened(address) {
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  page.on("pageerror", (error) => seen.errors.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy/i.test(message.text())) seen.violations.push(message.text());
  });
  await page.goto(address);
  seen.protocol = await page.evaluate(() => performance.getEntriesByType("navigation")[0]?.nextHopProtocol);
  return page;
}

// The start page: refused with a wrong token, let in with the right one, and again after a reload without any.
async function start() {
  const page = await opened(`${url}/`);
  await page.fill("#token", "wrong");
  await page.click("#sign-in button");
  await page.waitForFunction(() => document.getElementById("notice").textContent !== "");
  seen.refusal = await page.textContent("#notice");
  await page.fill("#token", token);
  await page.click("#sign-in button");
  await page.waitForSelector("#composer", { state: "visible" });
  await page.waitForSelector("#agent option", { state: "attached" });
  await page.fill("#text", text);
  await page.keyboard.press("Enter");
  const answer = (said) => [...document.querySelectorAll("#messages li:not(.user)")].some((item) => item.textContent === `Echo: ${said}`);
  await page.waitForFunction(answer, text);
  seen.facts = await page.textContent("#facts");
  await page.reload();
  await page.waitForFunction(answer, text);
  seen.messages = await page.locator("#messages li").allTextContents();
  await page.click("#leave");
  await page.waitForSelector("#sign-in", { state: "visible" });
  await page.reload();
  await page.waitForSelector("#sign-in", { state: "visible" });
}

// The control UI of the original, out of gateway.controlUi.root.
async function control() {
  const page = await opened(`${url}/#token=${encodeURIComponent(token)}`);
  await page.waitForSelector("textarea");
  await page.fill("textarea", text);
  await page.keyboard.press("Enter");
  await page.getByText(`Echo: ${text}`).first().waitFor();
  await page.goto(`${url}/overview`);
  await page.getByText("Gateway Access").first().waitFor();
}

// A client that reads: where it finds the canvas, for as long as it is connected.
function connected() {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/`);
    socket.onerror = () => reject(new Error("the gateway is not there"));
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.event === "connect.challenge") {
        socket.send(JSON.stringify({ type: "req", id: "1", method: "connect", params: { minProtocol: 3, maxProtocol: 3,
          client: { id: "gateway-client", version: "0.0.1", platform: "linux", mode: "backend" }, role: "operator",
          scopes: ["operator.read"], auth: { token } } }));
      } else if (frame.id === "1") {
        resolve([socket, frame.payload.canvasHostUrl]);
      }
    };
  });
}

// A page that an agent wrote: it runs, on an origin of its own, talks to the app around it, and is loaded again when its
// file changes.
async function canvas() {
  const { writeFileSync } = await import("node:fs");
  const file = `${text}/index.html`;
  const [socket, url] = await connected();
  const write = (title) => writeFileSync(file, `<!doctype html><title>${title}</title><body><script src="app.js"></script>
    <script>fetch("data.json").then((got) => got.json()).then((got) => { document.body.dataset.got = got.word; })</script></body>`);
  writeFileSync(`${text}/app.js`, `document.body.dataset.ran = "yes";
    try { localStorage.length; } catch (error) { document.body.dataset.storage = error.name; }`);
  writeFileSync(`${text}/data.json`, `{"word": "from a file"}`);
  write("first");
  const page = await browser.newPage();
  page.on("pageerror", (error) => seen.errors.push(error.message));
  await page.addInitScript(() => {
    window.taken = [];
    window.openclawCanvasA2UIAction = { postMessage: (said) => window.taken.push(said) };
  });
  await page.goto(`${url}/__openclaw__/canvas`);
  await page.waitForFunction(() => document.body?.dataset.got && document.body.dataset.ran);
  seen.page = await page.evaluate(() => ({ ...document.body.dataset, origin: self.origin,
    sent: openclawSendUserAction({ name: "go" }), taken: window.taken.map((said) => JSON.parse(said).userAction.name) }));
  for (let i = 0; i < 40 && (await page.title()) !== "second"; i += 1) {
    write("second");
    await page.waitForFunction(() => document.title === "second", null, { timeout: 500 }).catch(() => {});
  }
  seen.title = await page.title();
  socket.close();
}

// The page for A2UI, driven as the apps drive it.
async function a2ui() {
  const [socket, url] = await connected();
  const page = await opened("about:blank");
  await page.addInitScript(() => {
    window.taken = [];
    window.openclawCanvasA2UIAction = { postMessage: (said) => window.taken.push(JSON.parse(said).userAction) };
  });
  await page.goto(`${url}/__openclaw__/a2ui/?platform=android`);
  const apply = (messages) => page.evaluate((list) => globalThis.openclawA2UI.applyMessages(list), messages);
  const one = (id, kind, props) => ({ id, component: { [kind]: props } });
  seen.applied = await apply([
    { surfaceUpdate: { surfaceId: "main", components: [
      one("root", "Column", { children: { explicitList: ["title", "name", "shown", "rows", "go", "odd", "tabs", "pic"] } }),
      one("title", "Text", { text: { literalString: text }, usageHint: "h1" }),
      one("name", "TextField", { label: { literalString: "Name" }, text: { path: "/name" } }),
      one("shown", "Text", { text: { path: "/name" } }),
      one("rows", "List", { children: { template: { componentId: "row", dataBinding: "/rows" } } }),
      one("row", "Text", { text: { path: "word" } }),
      one("go", "Button", { child: "label", primary: true, action: { name: "save", context: [
        { key: "who", value: { path: "/name" } }, { key: "n", value: { literalNumber: 3 } }] } }),
      one("label", "Text", { text: { literalString: "Save" } }),
      one("odd", "NoSuchThing", {}),
      one("tabs", "Tabs", { tabItems: [{ title: { literalString: "A" }, child: "title" },
        { title: { literalString: "B" }, child: "label" }] }),
      one("pic", "Image", { url: { literalString: "javascript:alert(1)" } }),
    ] } },
    { dataModelUpdate: { surfaceId: "main", contents: [{ key: "name", valueString: "Ada" },
      { key: "rows", valueMap: [{ key: "a", valueMap: [{ key: "word", valueString: "one" }] },
        { key: "b", valueMap: [{ key: "word", valueString: "<b>two</b>" }] }] }] } },
    { beginRendering: { surfaceId: "main", root: "root" } },
  ]);
  seen.title = await page.textContent("h1");
  seen.rows = await page.locator("[data-component=row]").allTextContents();
  await page.fill("[data-key]", "Grace");
  seen.shown = await page.textContent("[data-component=shown]");
  seen.odd = await page.textContent("[data-component=odd]");
  seen.source = await page.getAttribute("[data-component=pic]", "src");
  await page.click("[role=tab] >> text=B");
  seen.tab = await page.locator("[data-component=label]").count();
  await page.click("[data-component=go]");
  const [action] = await page.evaluate(() => window.taken);
  seen.action = { ...action, id: typeof action.id, timestamp: typeof action.timestamp };
  await page.evaluate((id) => window.dispatchEvent(
    new CustomEvent("openclaw:a2ui-action-status", { detail: { id, ok: true } })), action.id);
  seen.notice = await page.textContent("#notice");
  await apply([{ dataModelUpdate: { surfaceId: "main", contents: [{ key: "name", valueString: "Alan" }] } }]);
  seen.answered = await page.inputValue("[data-key]");
  seen.refusal = await apply([{ createSurface: {} }]).catch((error) => error.message);
  await page.evaluate(() => globalThis.openclawA2UI.reset());
  seen.empty = await page.isVisible("#empty");
  socket.close();
}

try {
  await { start, control, canvas, a2ui }[page_kind]();
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
