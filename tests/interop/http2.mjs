// HTTP/2 as Node.js speaks it: streams beside each other on one connection, and one that is given up.
import http2 from "node:http2";

const { GATEWAY_URL: url, GATEWAY_TOKEN: token } = process.env;
const session = http2.connect(url, { rejectUnauthorized: false });
const ask = (content) => {
  const request = session.request({
    ":method": "POST",
    ":path": "/v1/chat/completions",
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
  });
  request.setEncoding("utf8");
  request.end(JSON.stringify({ model: "openclaw", stream: true, messages: [{ role: "user", content }] }));
  return request;
};
const said = async (request) => {
  let text = "";
  for await (const piece of request) text += piece;
  return text
    .split("\n")
    .filter((line) => line.startsWith("data: {"))
    .map((line) => JSON.parse(line.slice(6)).choices[0]?.delta?.content ?? "")
    .join("");
};

const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => said(ask(`number ${i}`))));
const given_up = ask(Array.from({ length: 20000 }, (_, i) => `word${i}`).join(" "));
await new Promise((resolve) => given_up.once("data", resolve));
await new Promise((resolve) => {
  given_up.once("close", resolve);
  given_up.close(http2.constants.NGHTTP2_CANCEL);
});
const last = await said(ask("the last"));
const told = { protocol: session.alpnProtocol, answers, last };
await new Promise((resolve) => session.close(resolve));
console.log(JSON.stringify(told));
