/** Requests as `fetch` and curl take them. */

const SEND_WITHIN_MS = 60_000;

/** A value that cannot be sent; the message is a sentence for the person who typed it. */
export class Unsendable extends Error {}

/**
 * What an operation's form says, as a request without its key.
 *
 * `values` has the text of each parameter by `place:name`; an empty one is not sent. In a `draft`,
 * which is for reading, a part of the path that is missing stays a placeholder.
 */
export function requestOf(
  server,
  operation,
  { values, body = "", type = null, accept = null },
  draft = false,
) {
  const query = [];
  const headers = accept === null ? [] : [["Accept", accept]];
  let path = operation.path;
  for (const parameter of operation.parameters) {
    // Without the white space that comes with what is pasted.
    const text = (values.get(`${parameter.in}:${parameter.name}`) ?? "").trim();
    if (parameter.in === "path") path = withPart(path, parameter.name, text, draft);
    if (text === "") continue;
    if (parameter.in === "query") query.push(...pairs(parameter, text));
    if (parameter.in === "header") headers.push([parameter.name, text]);
  }
  if (body !== "") headers.push(["Content-Type", type]);
  const search = query.length > 0 ? `?${query.join("&")}` : "";
  return {
    method: operation.method,
    url: `${server}${path}${search}`,
    headers,
    body: body === "" ? null : body,
  };
}

function withPart(path, name, text, draft) {
  if (text === "" && draft) return path;
  if (text === "") throw new Unsendable(`Enter ${name}: it is part of the path.`);
  // A browser takes both for steps through folders, however they are escaped.
  if (/^\.\.?$/.test(text) && !draft)
    throw new Unsendable(`A browser cannot send ${text} as part of a path.`);
  return path.replace(`{${name}}`, () => encodeURIComponent(text));
}

function pairs(parameter, text) {
  const name = encodeURIComponent(parameter.name);
  if (parameter.schema?.type !== "array") return [`${name}=${encodeURIComponent(text)}`];
  const entries = text.split(",").map((entry) => encodeURIComponent(entry.trim()));
  const { explode = true } = parameter;
  return explode ? entries.map((entry) => `${name}=${entry}`) : [`${name}=${entries.join(",")}`];
}

/** A command for a shell. The key is a variable of that shell, never its value. */
export function curlOf(request, scheme) {
  const lines = [];
  if (request.method !== "GET")
    lines.push(request.method === "HEAD" ? "--head" : `-X ${request.method}`);
  lines.push(quoted(request.url));
  if (scheme !== null) lines.push(`-H "${scheme.header}: ${scheme.before}$API_KEY"`);
  for (const [name, value] of request.headers) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (request.body !== null) lines.push(`--data-raw ${quoted(request.body)}`);
  const [first, ...others] = lines;
  const start = first === quoted(request.url) ? `curl ${first}` : `curl ${first} ${others.shift()}`;
  return [start, ...others].join(" \\\n  ");
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Sends a request; returns status, headers, text and ms. Throws Unsendable with a sentence. */
export async function send(request, scheme, key) {
  const headers = new Headers();
  const credentials = scheme === null || key === "" ? [] : [[scheme.header, scheme.before + key]];
  for (const [name, value] of [...credentials, ...request.headers]) {
    try {
      headers.append(name, value);
    } catch {
      throw new Unsendable(`The value of ${name} has characters that a header cannot have.`);
    }
  }
  const { method, body } = request;
  const started = performance.now();
  try {
    const response = await fetch(request.url, {
      method,
      headers,
      body,
      cache: "no-store",
      signal: AbortSignal.timeout(SEND_WITHIN_MS),
      redirect: "error",
    });
    const text = await response.text();
    return { response, text, ms: performance.now() - started };
  } catch {
    throw new Unsendable("No answer: the service cannot be reached or takes too long, or the connection was lost.");
  }
}
