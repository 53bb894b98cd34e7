/** One operation: what it takes, and what it answers. */

import { codeBlock } from "./code.js";
import { element, folded, freshId } from "./dom.js";
import { examplesOf } from "./examples.js";
import { inline, prose } from "./prose.js";
import { fieldRow, flat, structure, typeText } from "./schema.js";
import { tryIt } from "./try.js";

const PLACES = { path: 0, query: 1, header: 2, cookie: 3 };

export function operationView(api, operation, key) {
  const title = `${operation.id}-title`;
  return element(
    "section",
    {
      class: "operation",
      id: operation.id,
      "aria-labelledby": title,
      "data-operation": `${operation.method} ${operation.path}`,
    },
    element(
      "h3",
      { id: title },
      element("a", { href: `#${operation.id}` }, operation.summary),
      operation.deprecated ? element("span", { class: "place" }, "deprecated") : null,
    ),
    element(
      "p",
      { class: "route" },
      methodLabel(operation),
      element("code", {}, breakable(operation.path)),
    ),
    element(
      "div",
      { class: "columns" },
      element(
        "div",
        { class: "request" },
        element("div", { class: "prose" }, prose(operation.description)),
        needs(operation),
        parameters(api, operation),
        operation.body === null ? null : body(api, operation.body),
      ),
      tryIt(api, operation, key),
      element(
        "div",
        { class: "responses" },
        element("h4", {}, "Answers"),
        operation.answers.map((answer) =>
          answerDetails(api, answer, answer === firstGood(operation)),
        ),
      ),
    ),
  );
}

export function methodLabel(operation) {
  return element("span", { class: `method ${operation.method.toLowerCase()}` }, operation.method);
}

/** A path that breaks at its slashes where it is too long for a line. */
function breakable(path) {
  return path.split(/(?<=\/)/).flatMap((part) => [part, element("wbr")]);
}

function firstGood(operation) {
  return operation.answers.find(({ status }) => status.startsWith("2"));
}

function needs(operation) {
  if (operation.open) return element("p", { class: "needs" }, "Needs no API key.");
  const [permissions, plural] = [operation.permissions, operation.permissions.length > 1];
  if (permissions.length === 0) return null;
  return element(
    "p",
    { class: "needs" },
    plural ? "Needs the permissions " : "Needs the permission ",
    permissions.flatMap((permission, index) => [
      index > 0 ? ", " : null,
      element("code", {}, permission),
    ]),
    ".",
  );
}

function parameters(api, operation) {
  if (operation.parameters.length === 0) return null;
  const sorted = [...operation.parameters].sort((one, other) => PLACES[one.in] - PLACES[other.in]);
  return [
    element("h4", {}, "Parameters"),
    element(
      "ul",
      { class: "fields" },
      sorted.map((one) => fieldRow(api, { place: one.in, ...one })),
    ),
  ];
}

function body(api, requestBody) {
  const content = Object.entries(requestBody.content ?? {});
  return [
    element(
      "h4",
      {},
      "Body",
      element("span", { class: "place" }, requestBody.required ? "required" : "optional"),
    ),
    element("div", { class: "prose" }, prose(requestBody.description)),
    content.map(([type, media]) => {
      const schema = flat(api, media.schema ?? true);
      return [
        element("p", { class: "media" }, element("code", {}, type), ` ${typeText(api, schema)}`),
        structure(api, schema, { open: true }),
        exampleBlock(api, media),
      ];
    }),
  ];
}

function answerDetails(api, answer, open) {
  const [first, ...others] = (answer.description ?? "").trim().split(/\n{2,}/);
  const whole =
    others.length === 0 ? null : element("div", { class: "prose" }, prose(answer.description));
  const heading = [
    element(
      "span",
      { class: `status ${answer.status.startsWith("2") ? "good" : "bad"}` },
      answer.status,
    ),
    element("span", {}, inline(first)),
    others.length === 0 ? null : element("span", { class: "note" }, ` and ${others.length} more`),
  ];
  const content = Object.entries(answer.content ?? {}).map(([type, media]) =>
    mediaView(api, type, media),
  );
  return folded(heading, [whole, headers(api, answer), content], { class: "answers", open });
}

function headers(api, answer) {
  const rows = Object.entries(answer.headers ?? {}).map(([name, header]) =>
    fieldRow(api, { required: false, ...api.resolve(header), name, answer: true }),
  );
  return rows.length === 0 ? null : folded("Headers", element("ul", { class: "fields" }, rows));
}

function mediaView(api, type, media) {
  const schema = flat(api, media.schema ?? true);
  const fields = structure(api, schema, { open: true, answer: true });
  return element(
    "div",
    {},
    element("p", { class: "media" }, element("code", {}, type), ` ${typeText(api, schema)}`),
    fields === null ? null : folded("Fields", fields),
    exampleBlock(api, media),
  );
}

/** With a choice of examples where there are several. */
function exampleBlock(api, media) {
  const examples = examplesOf(api, media);
  if (examples.length === 0) return null;
  const block = codeBlock("Example");
  block.showJson(examples[0].text);
  if (examples.length === 1) return block.node;
  const id = freshId();
  const options = examples.map(({ title }, index) => element("option", { value: index }, title));
  const choice = element("select", { id }, options);
  choice.addEventListener("input", () => block.showJson(examples[Number(choice.value)].text));
  return element(
    "div",
    {},
    element(
      "div",
      { class: "entry" },
      element("label", { for: id }, `One of ${examples.length} examples`),
      choice,
    ),
    block.node,
  );
}
