// Runs one function of one module, once: what it is to get comes as JSON on standard input, what it makes of it leaves
// as JSON on descriptor 3. Standard output is not ours: modules print to it.
import { readFileSync, writeSync } from "node:fs";
import { pathToFileURL } from "node:url";

function tell(answer) {
    const bytes = Buffer.from(JSON.stringify(answer));
    for (let at = 0; at < bytes.length; ) {
        at += writeSync(3, bytes, at);
    }
}

function addressOf(asked) {
    let address;
    try {
        address = new URL(`http://${asked.headers.host}`);
    } catch {
        address = new URL("http://localhost");
    }
    address.pathname = `${asked.base}/${asked.path}`;
    for (const [name, value] of Object.entries(asked.query)) {
        address.searchParams.append(name, value);
    }
    return address;
}

async function run(asked) {
    const names = asked.export ? [asked.export] : ["default", "transform"];
    const module = await import(pathToFileURL(asked.module).href);
    const found = names.map((name) => module[name]).find((value) => typeof value === "function");

    if (!found) {
        throw new Error(`the module exports no function ${names.join(" or ")}`);
    }
    const action = await found({ payload: asked.payload, headers: asked.headers, url: addressOf(asked), path: asked.path });
    return action === null ? { skip: true } : { action };
}

try {
    tell(await run(JSON.parse(readFileSync(0, "utf8"))));
} catch (error) {
    console.error(error);
    tell({ error: String(error?.message ?? error) });
}
process.exit(0);
