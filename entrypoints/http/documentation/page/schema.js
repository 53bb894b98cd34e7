/** Schemas as readers see them: a type, its limits, and the fields inside. */

import { element, folded } from "./dom.js";
import { inline, prose } from "./prose.js";

const NAME = /([^/]+)$/;

/**
 * A schema without references, `allOf` and null.
 *
 * `name` is the component's, `nullable` tells whether null is allowed, and `variants` are the other
 * schemas of an `anyOf` or `oneOf` with more than one. `path` has the references that were
 * followed, and `again` tells that the schema is inside of itself.
 */
export function flat(api, written, path = []) {
  if (written === true || written === undefined) return { nullable: false, variants: [], path };
  const reference = written.$ref;
  if (reference !== undefined) {
    const { $ref: _, ...beside } = written;
    const name = NAME.exec(reference)?.[1];
    // It contains itself: what it is stands further up.
    if (path.includes(reference))
      return { name, ...beside, nullable: false, variants: [], path, again: true };
    const inside = flat(api, api.resolve({ $ref: reference }), [...path, reference]);
    return { name, ...inside, ...beside };
  }
  const parts = (written.allOf ?? []).map((part) => flat(api, part, path));
  const schema = parts.reduce(together, { ...written, nullable: false, variants: [], path });
  const types = [schema.type ?? []].flat();
  schema.nullable ||= types.includes("null") && types.length > 1;
  schema.types = types.filter((type) => type !== "null" || types.length === 1);
  const choices = (written.anyOf ?? written.oneOf ?? []).filter((choice) => choice.type !== "null");
  const all = written.anyOf ?? written.oneOf ?? [];
  schema.nullable ||= choices.length < all.length;
  if (choices.length === 1) return together(schema, flat(api, choices[0], path));
  schema.variants = [...schema.variants, ...choices.map((choice) => flat(api, choice, path))];
  return schema;
}

function together(schema, part) {
  return {
    ...part,
    ...schema,
    name: schema.name ?? part.name,
    types: schema.types?.length ? schema.types : part.types,
    type: schema.type ?? part.type,
    path: [...schema.path, ...part.path],
    nullable: schema.nullable || part.nullable,
    variants: [...schema.variants, ...part.variants],
    required: [...(schema.required ?? []), ...(part.required ?? [])],
    properties:
      schema.properties || part.properties
        ? { ...part.properties, ...schema.properties }
        : undefined,
  };
}

/** What a value is, in words: `array of string`, `integer or null`. */
export function typeText(api, schema) {
  if (schema.again) return schema.name;
  let text = "any JSON";
  if (schema.variants.length > 0) {
    text = [...new Set(schema.variants.map((variant) => typeText(api, variant)))].join(" or ");
  } else if (schema.types?.includes("array") && schema.items) {
    text = `array of ${typeText(api, flat(api, schema.items, schema.path))}`;
  } else if (schema.types?.length > 0) {
    text = schema.types.join(" or ");
  } else if (schema.properties || typeof schema.additionalProperties === "object") {
    text = "object";
  } else if (schema.const !== undefined || schema.enum) {
    text = typeof (schema.const ?? schema.enum[0]);
  }
  if (schema.format) text += ` (${schema.format})`;
  return schema.nullable && text !== "any JSON" ? `${text} or null` : text;
}

/** The limits of a value, each a phrase in Markdown. */
export function limits(schema) {
  const items = schema.types?.includes("array") ? (schema.items ?? {}) : {};
  return [
    choice(schema.const !== undefined ? [schema.const] : schema.enum),
    items.enum ? `each ${choice(items.enum)}` : null,
    range(schema.minimum, schema.maximum, ""),
    schema.exclusiveMinimum === undefined ? null : `greater than ${schema.exclusiveMinimum}`,
    schema.exclusiveMaximum === undefined ? null : `less than ${schema.exclusiveMaximum}`,
    schema.multipleOf === undefined ? null : `a multiple of ${schema.multipleOf}`,
    range(schema.minLength, schema.maxLength, "character"),
    schema.pattern === undefined ? null : `matches ${quoted(schema.pattern)}`,
    range(schema.minItems, schema.maxItems, schema.types?.includes("array") ? "entry" : null),
    schema.uniqueItems ? "no entry twice" : null,
    range(schema.minProperties, schema.maxProperties, "field"),
    schema.additionalProperties === false ? "no other fields" : null,
    schema.examples?.length > 1 ? `for example ${list(schema.examples)}` : null,
    schema.default === undefined ? null : `default ${quoted(written(schema.default))}`,
    schema.readOnly ? "in answers only" : null,
    schema.writeOnly ? "in requests only" : null,
  ].filter((phrase) => phrase !== null);
}

function choice(values) {
  if (!values) return null;
  return values.length === 1 ? `always ${list(values)}` : `one of ${list(values)}`;
}

function list(values) {
  return values.map((value) => quoted(written(value))).join(", ");
}

function range(least, most, unit) {
  if (unit === null || (least === undefined && most === undefined)) return null;
  const number = (value) => (Math.abs(value) < 10_000 ? String(value) : value.toLocaleString("en"));
  const plural = unit === "entry" ? "entries" : `${unit}s`;
  const counted = unit === "" ? "" : ` ${(most ?? least) === 1 ? unit : plural}`;
  if (most === undefined) return `at least ${number(least)}${counted}`;
  if (least === undefined || (least === 0 && unit !== ""))
    return `at most ${number(most)}${counted}`;
  return least === most
    ? `${number(most)}${counted}`
    : `${number(least)} to ${number(most)}${counted}`;
}

function written(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function quoted(text) {
  const ticks = text.includes("`") ? "``" : "`";
  return text === "" ? "the empty text" : `${ticks}${text}${ticks}`;
}

/**
 * One row: a name, what it is, and what is inside of it.
 *
 * A request tells which fields are required, and an answer which may be absent; `required` is
 * undefined where neither is said.
 */
export function fieldRow(api, field) {
  const { name, place = null, required, description = "", deprecated = false } = field;
  const schema = flat(api, field.schema, field.path ?? []);
  const words = limits(schema).map((phrase) => element("span", { class: "limit" }, inline(phrase)));
  const inside = schema.again ? null : structure(api, schema, { answer: field.answer });
  return element(
    "li",
    {},
    element(
      "div",
      { class: "field" },
      element("code", { class: deprecated ? "name deprecated" : "name" }, name),
      place === null ? null : element("span", { class: "place" }, place),
      element("span", { class: "type" }, typeText(api, schema)),
      required && !field.answer ? element("span", { class: "required" }, "required") : null,
      required === false && field.answer
        ? element("span", { class: "place" }, "may be absent")
        : null,
      deprecated || schema.deprecated ? element("span", { class: "place" }, "deprecated") : null,
    ),
    element("div", { class: "prose" }, prose(description || schema.description)),
    schema.again ? element("p", { class: "note" }, `${schema.name}, as above.`) : null,
    words.length === 0 ? null : element("p", { class: "limits" }, words),
    inside === null ? null : folded(`Fields of ${name}`, inside, { open: Boolean(field.open) }),
  );
}

/** The fields inside of a schema, or null where there are none. */
export function structure(api, schema, { open = false, answer = false } = {}) {
  const parts = [];
  const inside = (written) => flat(api, written, schema.path);
  const rows = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const required = (schema.required ?? []).includes(name);
    return fieldRow(api, { name, schema: property, required, path: schema.path, open, answer });
  });
  const others = schema.additionalProperties;
  if (typeof others === "object" && Object.keys(others).length > 0) {
    rows.push(fieldRow(api, { name: "any other name", schema: others, path: schema.path, answer }));
  }
  if (rows.length > 0) parts.push(element("ul", { class: "fields" }, rows));
  if (schema.items && typeof schema.items === "object") {
    const items = inside(schema.items);
    const entry = items.again ? null : structure(api, items, { answer });
    if (entry !== null) parts.push(element("p", { class: "note" }, "Each entry:"), entry);
    else if (items.again)
      parts.push(element("p", { class: "note" }, `Each entry: ${items.name}, as above.`));
  }
  const variants = schema.variants.filter((variant) => tells(api, variant));
  if (variants.length > 0) {
    parts.push(
      element("p", { class: "note" }, "One of:"),
      element(
        "ul",
        { class: "fields" },
        schema.variants.map((variant) =>
          fieldRow(api, {
            name: variant.title ?? variant.name ?? typeText(api, variant),
            schema: variant,
            path: variant.path,
            answer,
          }),
        ),
      ),
    );
  }
  return parts.length > 0 ? parts : null;
}

function tells(api, variant) {
  if (variant.again) return true;
  return variant.description || limits(variant).length > 0 || structure(api, variant) !== null;
}
