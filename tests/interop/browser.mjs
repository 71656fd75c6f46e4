// A real browser on a page of the gateway: signs in, says something, waits for the answer.
// Usage: browser.mjs start|control TEXT; prints what was seen as JSON.

import { createRequire } from "node:module";

const require = createRequire(`${process.env.OPENCLAW_TEST_MODULES}/`);
const { chromium } = require("playwright-core");
const { GATEWAY_PORT: port, GATEWAY_TOKEN: token } = process.env;
const [page_kind, text] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
const seen = { errors: [], violations: [] };

async function opened(url) {
  const page = await browser.newPage();
  page.on("pageerror", (error) => seen.errors.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy/i.test(message.text())) seen.violations.push(message.text());
  });
  await page.goto(url);
  return page;
}

// The start page: refused with a wrong token, let in with the right one, and again after a reload without any.
async function start() {
  const page = await opened(`http://127.0.0.1:${port}/`);
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
  const page = await opened(`http://127.0.0.1:${port}/#token=${encodeURIComponent(token)}`);
  await page.waitForSelector("textarea");
  await page.fill("textarea", text);
  await page.keyboard.press("Enter");
  await page.getByText(`Echo: ${text}`).first().waitFor();
  await page.goto(`http://127.0.0.1:${port}/overview`);
  await page.getByText("Gateway Access").first().waitFor();
}

try {
  await (page_kind === "start" ? start() : control());
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
