// The surfaces that A2UI v0.8 messages describe: their components, and the data that these show. No page in here.

const KINDS = ["surfaceUpdate", "dataModelUpdate", "beginRendering", "deleteSurface"];
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

export function pathOf(path, scope = "") {
  if (path.startsWith("/")) return path;
  return path === "" || path === "." ? scope || "/" : `${scope}/${path}`;
}

const keysOf = (path) => path.split("/").filter((key) => key !== "");

// Maps, not objects: a key that comes from outside is never one of the language's own.
function child(value, key) {
  if (value instanceof Map) return value.get(key);
  return Array.isArray(value) && /^\d+$/.test(key) ? value[Number(key)] : undefined;
}

function put(value, key, content) {
  if (value instanceof Map) value.set(key, content);
  else if (Array.isArray(value) && /^\d{1,5}$/.test(key)) value[Number(key)] = content;
}

function entryValue(entry) {
  for (const key of ["valueString", "valueNumber", "valueBoolean"]) if (key in entry) return entry[key];
  if (Array.isArray(entry.valueMap)) return contentsMap(entry.valueMap);
  if (Array.isArray(entry.valueArray)) return entry.valueArray.map((item) => (isObject(item) ? entryValue(item) : item));
  return null;
}

function contentsMap(contents) {
  return new Map(contents.filter((entry) => isObject(entry) && typeof entry.key === "string")
    .map((entry) => [entry.key, entryValue(entry)]));
}

// What is left of data for programs: maps as objects.
export function plain(value) {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

export class Surface {
  constructor(id) {
    this.id = id;
    this.components = new Map();
    this.data = new Map();
    this.root = null; // until beginRendering
    this.styles = {};
  }

  read(path) {
    return keysOf(path).reduce(child, this.data);
  }

  write(path, content) {
    const keys = keysOf(path);
    let at = this.data;
    if (keys.length === 0) {
      if (content instanceof Map) this.data = content;
      return;
    }
    for (const key of keys.slice(0, -1)) {
      let next = child(at, key);
      if (!(next instanceof Map || Array.isArray(next))) put(at, key, (next = new Map()));
      at = next;
    }
    put(at, keys.at(-1), content);
  }

  // The value of {literalString} and its like, or of {path}; with both, the literal is what the path holds at first.
  value(bound, scope) {
    if (!isObject(bound)) return bound;
    const literal = ["literalString", "literalNumber", "literalBoolean", "literalArray"].find((key) => key in bound);
    if (typeof bound.path !== "string") return literal && bound[literal];
    const path = pathOf(bound.path, scope);
    if (literal && this.read(path) === undefined) this.write(path, bound[literal]);
    return this.read(path);
  }

  // Where each child of a template lies: one for every entry of what it is bound to.
  scopes(binding, scope) {
    const path = pathOf(binding, scope).replace(/\/$/, "");
    const value = this.read(path);
    if (Array.isArray(value)) return value.map((_, index) => `${path}/${index}`);
    return value instanceof Map ? [...value.keys()].map((key) => `${path}/${key}`) : [];
  }
}

export class Model {
  surfaces = new Map();

  #surface(id) {
    if (!this.surfaces.has(id)) this.surfaces.set(id, new Surface(id));
    return this.surfaces.get(id);
  }

  // All of them, or none: a message that cannot be read is the caller's to hear of.
  apply(messages) {
    if (!Array.isArray(messages)) throw new Error("A2UI: a list of messages is expected");
    const checked = messages.map((message, index) => {
      const kind = isObject(message) ? KINDS.find((name) => isObject(message[name])) : undefined;
      if (!kind || typeof message[kind].surfaceId !== "string") {
        throw new Error(`A2UI: message ${index + 1} is none of v0.8 (${KINDS.join(", ")}) with a surfaceId`);
      }
      return [kind, message[kind]];
    });
    for (const [kind, body] of checked) this[`_${kind}`](body);
  }

  _surfaceUpdate({ surfaceId, components }) {
    const surface = this.#surface(surfaceId);
    for (const one of Array.isArray(components) ? components : []) {
      const [kind] = isObject(one?.component) ? Object.keys(one.component) : [];
      if (typeof one?.id === "string" && kind) {
        surface.components.set(one.id, { id: one.id, weight: one.weight, kind, props: one.component[kind] ?? {} });
      }
    }
  }

  _dataModelUpdate({ surfaceId, path, contents }) {
    const surface = this.#surface(surfaceId);
    const at = pathOf(typeof path === "string" ? path : "");
    if (!Array.isArray(contents)) return;
    if (!(surface.read(at) instanceof Map)) surface.write(at, new Map());
    for (const [key, value] of contentsMap(contents)) surface.read(at)?.set?.(key, value);
  }

  _beginRendering({ surfaceId, root, styles }) {
    Object.assign(this.#surface(surfaceId), { root: typeof root === "string" ? root : null,
      styles: isObject(styles) ? styles : {} });
  }

  _deleteSurface({ surfaceId }) {
    this.surfaces.delete(surfaceId);
  }
}
