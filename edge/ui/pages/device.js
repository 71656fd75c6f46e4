// The identity of this browser: an Ed25519 key that never leaves it, and the tokens that gateways gave it.

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

function database() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("openclaw-start", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("keys");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function inStore(db, mode, act) {
  return new Promise((resolve, reject) => {
    const request = act(db.transaction("keys", mode).objectStore("keys"));
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function keyPair() {
  const db = await database();
  const kept = await inStore(db, "readonly", (store) => store.get("device"));
  if (kept) return kept;
  const made = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
  await inStore(db, "readwrite", (store) => store.put(made, "device"));
  return made;
}

// Null where the browser has no such keys: over plain HTTP from another machine, or when it is too old.
export async function device() {
  if (!globalThis.crypto?.subtle || !globalThis.indexedDB) return null;
  try {
    const pair = await keyPair();
    const raw = await crypto.subtle.exportKey("raw", pair.publicKey);
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", raw));
    const id = Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return { id, publicKey: base64url(raw), privateKey: pair.privateKey };
  } catch (error) {
    console.warn("no device identity:", error);
    return null;
  }
}

// The proof of `connect`, version 3: the fields in this order, with bars between them.
export async function proof(self, { client, role, scopes, token, nonce }) {
  const signedAt = Date.now();
  const text = ["v3", self.id, client.id, client.mode, role, scopes.join(","), signedAt, token ?? "", nonce,
    client.platform.toLowerCase(), ""].join("|");
  const signature = await crypto.subtle.sign("Ed25519", self.privateKey, new TextEncoder().encode(text));
  return { id: self.id, publicKey: self.publicKey, signature: base64url(signature), signedAt, nonce };
}

const place = `openclaw.start.deviceToken:${location.host}`;
export const keptToken = () => localStorage.getItem(place);
export const keepToken = (token) => (token ? localStorage.setItem(place, token) : localStorage.removeItem(place));
