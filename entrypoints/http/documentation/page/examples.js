/** Examples that the document gives, and one made from a schema where it gives none. */

import { flat } from "./schema.js";

const FORMATS = {
  uuid: "00000000-0000-4000-8000-000000000000",
  "date-time": "2026-01-31T12:00:00Z",
  date: "2026-01-31",
  uri: "https://example.com/",
};

/** The examples of a media type, each with a title and its text; JSON is indented. */
export function examplesOf(api, media) {
  const named = Object.entries(media.examples ?? {}).map(([name, written]) => {
    const { summary, value } = api.resolve(written);
    return { title: summary ?? name, text: asText(value) };
  });
  if (named.length > 0) return named;
  if (media.example !== undefined) return [{ title: "Example", text: asText(media.example) }];
  const schema = flat(api, media.schema ?? true);
  if (schema.types?.includes("string") && schema.examples === undefined) return [];
  const made = media.schema ? exampleOf(api, media.schema) : undefined;
  return made === undefined ? [] : [{ title: "Example", text: asText(made) }];
}

/** The example of a parameter as one types it, or an empty text. */
export function parameterExample(api, parameter) {
  const schema = flat(api, parameter.schema ?? true);
  const [named] = Object.values(parameter.examples ?? {});
  const value =
    parameter.example ??
    (named && api.resolve(named).value) ??
    schema.example ??
    schema.examples?.[0];
  if (value === undefined) return "";
  return Array.isArray(value) ? value.join(",") : asText(value);
}

/** A value that a schema describes, or undefined where it says nothing. */
function exampleOf(api, written, path = []) {
  const schema = flat(api, written, path);
  const given =
    schema.example ?? schema.examples?.[0] ?? schema.default ?? schema.const ?? schema.enum?.[0];
  if (given !== undefined) return given;
  if (schema.again) return undefined;
  if (schema.variants.length > 0) return exampleOf(api, schema.variants[0], schema.path);
  const [type] = schema.types ?? [];
  if (type === "object" || schema.properties) {
    const fields = Object.entries(schema.properties ?? {}).map(([name, property]) => [
      name,
      exampleOf(api, property, schema.path),
    ]);
    return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
  }
  if (type === "array") {
    const entry = exampleOf(api, schema.items ?? true, schema.path);
    return entry === undefined ? [] : [entry];
  }
  if (type === "string") return FORMATS[schema.format] ?? "text";
  if (type === "integer" || type === "number") return schema.minimum ?? 0;
  return { boolean: false, null: null }[type];
}

function asText(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
