// The HTTP service, the only thing this page talks to.

const BASE = new URL("api/v1/", document.baseURI);

/** What the service says is wrong, in its own words: what happened, and what to do about it. */
export class ApiError extends Error {
  constructor(status, { code = "unknown", message = "", cure = "" } = {}, retryAfterSeconds = 0) {
    super([message, cure].filter(Boolean).map(sentence).join(" "));
    Object.assign(this, { status, code, cure, retryAfterSeconds });
  }
}

function sentence(text) {
  return text[0].toUpperCase() + text.slice(1) + (/[.!?:]$/.test(text) ? "" : ".");
}

export function address(path, query = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query))
    if (value !== "" && value !== undefined) url.searchParams.set(name, value);
  return url.href;
}

export function get(path, query) {
  return send(address(path, query), {});
}

export function post(path, value, { signal } = {}) {
  const headers = { "Content-Type": "application/json" };
  return send(address(path), { method: "POST", headers, body: JSON.stringify(value), signal });
}

/** Post a form; `fields` that are undefined or empty are left out, Blobs become files. */
export function postForm(path, fields, { signal } = {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Blob) form.append(name, value, value.name ?? `${name}.png`);
    else if (value !== undefined && value !== "") form.append(name, String(value));
  }
  return send(address(path), { method: "POST", body: form, signal });
}

export function patch(path, value, query) {
  const headers = { "Content-Type": "application/json" };
  return send(address(path, query), { method: "PATCH", headers, body: JSON.stringify(value) });
}

export function remove(path, query) {
  return send(address(path, query), { method: "DELETE" });
}

async function send(url, options) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { code: "unreachable" });
  }
  if (response.status === 204) return null;
  const isJson = response.headers.get("Content-Type")?.includes("json");
  const body = isJson ? await response.json() : await response.text();
  if (response.ok) return body;
  const problem = (isJson && body.error) || { code: String(response.status), message: response.statusText };
  throw new ApiError(response.status, problem, Number(response.headers.get("Retry-After")) || 0);
}
