// One use of the openai package per word; prints what came of it as one line of JSON.
import { createRequire } from "node:module";

const OpenAI = createRequire(`${process.env.OPENCLAW_TEST_MODULES}/`)("openai").default;
const client = (apiKey = process.env.GATEWAY_TOKEN) =>
  new OpenAI({ apiKey, baseURL: `http://127.0.0.1:${process.env.GATEWAY_PORT}/v1`, maxRetries: 0 });
const request = (more = {}) => ({
  model: "openclaw",
  messages: [{ role: "user", content: "words from the openai package" }],
  ...more,
});
const refusal = async (promise) => {
  try {
    await promise;
    return { name: "none" };
  } catch (error) {
    return { name: error.constructor.name, status: error.status, message: error.message };
  }
};
const collect = async (stream) => {
  const told = { text: "", chunks: 0, finish: null, usage: null };
  for await (const chunk of stream) {
    told.chunks += 1;
    told.text += chunk.choices[0]?.delta?.content ?? "";
    told.finish = chunk.choices[0]?.finish_reason ?? told.finish;
    told.usage = chunk.usage ?? told.usage;
  }
  return told;
};

const uses = {
  whole: () => client().chat.completions.create(request()),
  stream: async () => collect(await client().chat.completions.create(request({ stream: true }))),
  usage: async () =>
    collect(await client().chat.completions.create(request({ stream: true, stream_options: { include_usage: true } }))),
  helper: async () => ({ text: await client().chat.completions.stream(request()).finalContent() }),
  "wrong-key": async () => {
    const { name, status } = await refusal(client("not the key").chat.completions.create(request()));
    return { name, status };
  },
  "wrong-model": () => refusal(client().chat.completions.create(request({ model: "gpt-4" }))),
  abort: async () => {
    const words = Array.from({ length: 4000 }, (_, i) => `word${i}`).join(" ");
    const stream = await client().chat.completions.create(
      request({ stream: true, messages: [{ role: "user", content: words }] }),
    );
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta?.content) {
        stream.controller.abort();
      }
    }
    return { aborted: stream.controller.signal.aborted };
  },
  models: async () => ({ ids: (await client().models.list()).data.map((model) => model.id) }),
};

console.log(JSON.stringify(await uses[process.argv[2]]()));
