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
  "tool-call": async () => {
    const tools = [{ type: "function", function: { name: "f", parameters: { type: "object", properties: { a: { type: "string" } }, required: ["a"] } } }];
    const messages = [{ role: "user", content: "Oslo" }];
    const first = await client().chat.completions.create(request({ messages, tools, tool_choice: "required" }));
    const said = first.choices[0].message;
    const streamed = await client().chat.completions.stream(request({ messages, tools, tool_choice: "required" })).finalMessage();
    const result = { role: "tool", tool_call_id: said.tool_calls[0].id, content: "3 degrees" };
    const last = await client().chat.completions.create(request({ messages: [...messages, said, result], tools }));
    return { finish: first.choices[0].finish_reason, call: said.tool_calls[0].function, streamed: streamed.tool_calls[0].function, answer: last.choices[0].message.content };
  },
  "run-tools": async () => {
    const f = { type: "function", function: { name: "f", function: ({ a }) => `${a} is cold`, parse: JSON.parse, parameters: { type: "object", properties: { a: { type: "string" } }, required: ["a"] } } };
    const runner = client().chat.completions.runTools(request({ messages: [{ role: "user", content: "Oslo" }], tools: [f], tool_choice: { type: "function", function: { name: "f" } } }));
    await runner.done();
    return { roles: runner.messages.map((message) => message.role) };
  },
  response: async () => {
    const first = await client().responses.create({ model: "openclaw", input: "words for a response", instructions: "be brief" });
    const next = await client().responses.create({ model: "openclaw", input: "and more", previous_response_id: first.id });
    return { text: first.output_text, status: first.status, next: next.output_text, usage: first.usage.total_tokens };
  },
  "response-branches": async () => {
    const { responses } = client();
    const first = await responses.create({ model: "openclaw", input: "root" });
    const go = (input, id) => responses.create({ model: "openclaw", input, previous_response_id: id });
    const leaves = await Promise.all(["left", "right"].map((input) => go(input, first.id)));
    const last = await go("further", leaves[1].id);
    const again = await go("aside", leaves[1].id);
    return { ids: new Set([first, ...leaves, last, again].map((one) => one.id)).size, previous: again.previous_response_id === leaves[1].id };
  },
  "response-stream": async () => {
    const stream = client().responses.stream({ model: "openclaw", input: "words for a stream" });
    const names = [];
    for await (const event of stream) {
      names.push(event.type);
    }
    return { text: (await stream.finalResponse()).output_text, names };
  },
  "response-tool": async () => {
    const tools = [{ type: "function", name: "f", strict: false, parameters: { type: "object", properties: { a: { type: "string" } }, required: ["a"] } }];
    const stream = client().responses.stream({ model: "openclaw", input: "Oslo", tools, tool_choice: "required" });
    const first = await stream.finalResponse();
    const call = first.output[0];
    const next = await client().responses.create({
      model: "openclaw", previous_response_id: first.id, tools,
      input: [{ type: "function_call_output", call_id: call.call_id, output: "3 degrees" }],
    });
    return { type: call.type, arguments: call.arguments, answer: next.output_text };
  },
  "response-file": async () => {
    const content = [{ type: "input_text", text: "read" }, { type: "input_file", filename: "a.txt", file_data: "data:text/plain;base64,SGVsbG8=" }];
    return { text: (await client().responses.create({ model: "openclaw", input: [{ role: "user", content }] })).output_text };
  },
  "response-refused": () => refusal(client().responses.create({ model: "openclaw", input: "x", previous_response_id: "resp_nosuch" })),
  embeddings: async () => {
    const input = ["one", "three"];
    const coded = await client().embeddings.create({ model: "openclaw", input });
    const plain = await client().embeddings.create({ model: "openclaw", input, encoding_format: "float" });
    return { coded: coded.data.map((item) => item.embedding), plain: plain.data.map((item) => item.embedding), usage: coded.usage.prompt_tokens };
  },
  "no-embeddings": () => refusal(client().embeddings.create({ model: "openclaw", input: "x" })),
  model: async () => ({ id: (await client().models.retrieve("openclaw/main")).id, none: await refusal(client().models.retrieve("openclaw/nosuch")) }),
  models: async () => ({ ids: (await client().models.list()).data.map((model) => model.id) }),
};

console.log(JSON.stringify(await uses[process.argv[2]]()));
