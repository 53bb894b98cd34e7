/** Reads an OpenAPI 3.1 document: references, and operations with all that they inherit. */

const METHODS = ["get", "head", "options", "put", "post", "patch", "delete", "trace"];
const SAFE = ["get", "head", "options", "trace"];
// OpenAPI says that a parameter of these names means nothing: content and security describe them.
const DESCRIBED_ELSEWHERE = ["accept", "authorization", "content-type"];

export class ApiDocument {
  #root;
  #url;

  /** The URL is the one that the document was read from: URLs of servers are relative to it. */
  constructor(root, url) {
    this.#root = root;
    this.#url = url;
    this.info = root.info ?? {};
  }

  /** The URL that paths are appended to; without servers it is where the document is. */
  get server() {
    const { url = ".", variables = {} } = this.#root.servers?.[0] ?? {};
    const written = url.replace(/\{([^}]+)\}/g, (_, name) => variables[name]?.default ?? "");
    return new URL(written, this.#url).href.replace(/\/$/, "");
  }

  /** What a reference points to; what stands beside the reference takes precedence. */
  resolve(value) {
    const { $ref: reference, ...beside } = value ?? {};
    if (typeof reference !== "string") return value;
    return { ...this.resolve(this.#at(reference)), ...beside };
  }

  /** The first scheme that one field for a key can serve, or null. */
  get scheme() {
    const schemes = Object.entries(this.#root.components?.securitySchemes ?? {});
    for (const [name, written] of schemes) {
      const { type, in: place, name: header, scheme, description } = this.resolve(written);
      if (type === "apiKey" && place === "header") return { name, header, before: "", description };
      if (type === "http" && scheme?.toLowerCase() === "bearer") {
        return { name, header: "Authorization", before: "Bearer ", description };
      }
    }
    return null;
  }

  /** Tags with their operations, in the document's order; those without a tag come last. */
  get groups() {
    const groups = new Map(
      (this.#root.tags ?? []).map((tag) => [tag.name, { ...tag, operations: [] }]),
    );
    for (const operation of this.#operations()) {
      if (!groups.has(operation.tag))
        groups.set(operation.tag, { name: operation.tag, operations: [] });
      groups.get(operation.tag).operations.push(operation);
    }
    return [...groups.values()].filter((group) => group.operations.length > 0);
  }

  *#operations() {
    for (const [path, written] of Object.entries(this.#root.paths ?? {})) {
      const item = this.resolve(written);
      for (const method of METHODS.filter((name) => name in item)) {
        yield this.#operation(path, method, item);
      }
    }
  }

  #operation(path, method, item) {
    const operation = item[method];
    const security = operation.security ?? this.#root.security ?? [];
    const scheme = this.scheme;
    const name = operation.operationId ?? `${method}${path}`;
    return {
      id: `operation-${name.replace(/[^A-Za-z0-9_.-]+/g, "-")}`,
      method: method.toUpperCase(),
      path,
      changes: !SAFE.includes(method),
      tag: operation.tags?.[0] ?? "Other operations",
      summary: operation.summary ?? path,
      description: operation.description ?? item.description ?? "",
      deprecated: operation.deprecated === true,
      parameters: this.#parameters(item, operation, scheme),
      body: operation.requestBody ? this.resolve(operation.requestBody) : null,
      answers: Object.entries(operation.responses ?? {}).map(([status, answer]) => ({
        status,
        ...this.resolve(answer),
      })),
      // A requirement's list names scopes of OAuth, and with other schemes roles or permissions.
      permissions: [...new Set(security.flatMap((one) => Object.values(one).flat()))],
      open: security.length === 0,
      scheme: security.some((one) => scheme !== null && scheme.name in one) ? scheme : null,
    };
  }

  /** An operation's own parameter replaces the path's of the same name and place. */
  #parameters(item, operation, scheme) {
    const found = new Map();
    for (const written of [...(item.parameters ?? []), ...(operation.parameters ?? [])]) {
      const parameter = this.resolve(written);
      const name = parameter.name.toLowerCase();
      const elsewhere = DESCRIBED_ELSEWHERE.includes(name) || name === scheme?.header.toLowerCase();
      if (parameter.in === "header" && elsewhere) continue;
      found.set(`${parameter.in}:${parameter.name}`, parameter);
    }
    return [...found.values()];
  }

  #at(reference) {
    if (!reference.startsWith("#/")) return { description: `See ${reference}.` };
    let value = this.#root;
    for (const part of reference.slice(2).split("/")) {
      value = value?.[decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~")];
    }
    return value ?? { description: `${reference} is not in the document.` };
  }
}
