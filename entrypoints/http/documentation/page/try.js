/** A form that sends an operation's request, and shows the answer and a curl command. */

import { codeBlock } from "./code.js";
import { element, folded, freshId } from "./dom.js";
import { examplesOf, parameterExample } from "./examples.js";
import { curlOf, requestOf, send, Unsendable } from "./request.js";
import { flat } from "./schema.js";

/** The command and the form; `key` is the page's one field for the key. */
export function tryIt(api, operation, key) {
  const fields = operation.parameters
    .filter((one) => one.in !== "cookie")
    .map((one) => parameterField(api, one));
  const body = operation.body === null ? null : bodyField(api, operation.body);
  const accept = acceptField(operation);
  const command = codeBlock("curl", { wraps: true });
  const button = element("button", { type: "submit" }, "Send");
  const keyNote = element("p", { class: "note" });
  const answer = answerView();
  const request = (draft) => {
    const values = new Map(fields.map((field) => [field.of, field.input.value]));
    const entered = {
      values,
      body: body?.input.value ?? "",
      type: body?.type() ?? null,
      accept: accept?.input.value ?? null,
    };
    return requestOf(api.server, operation, entered, draft);
  };
  const update = () => command.showText(curlOf(request(true), operation.scheme));
  const updateKey = () => {
    keyNote.hidden = operation.scheme === null;
    keyNote.textContent =
      key.value === "" ? "No API key is entered." : "Sends the API key that is entered.";
  };
  const form = element(
    "form",
    { novalidate: true, autocomplete: "off" },
    fields.map((field) => field.node),
    body?.node ?? null,
    accept?.node ?? null,
    element(
      "div",
      { class: "send" },
      button,
      operation.changes ? element("p", { class: "warning" }, "This request changes data.") : null,
    ),
    keyNote,
  );
  let sending = false;
  form.addEventListener("input", update);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sending) return;
    sending = true;
    button.setAttribute("aria-disabled", "true");
    answer.wait();
    try {
      answer.show(await send(request(false), operation.scheme, key.value));
    } catch (error) {
      if (!(error instanceof Unsendable)) throw error;
      const unknown = error.message.startsWith("No answer") && operation.changes;
      answer.fail(unknown ? `${error.message} The change may have been made.` : error.message);
      fields.find((field) => field.required && field.input.value === "")?.input.focus();
    } finally {
      sending = false;
      button.removeAttribute("aria-disabled");
    }
  });
  key.addEventListener("input", updateKey);
  update();
  updateKey();
  return element("div", { class: "try" }, command.node, folded("Try it", [form, answer.node]));
}

function labelled(text, input, note, of = null) {
  const id = freshId();
  input.id = id;
  if (note !== null) input.setAttribute("aria-describedby", `${id}-note`);
  return {
    of,
    input,
    node: element(
      "div",
      { class: "entry" },
      element("label", { for: id }, text),
      input,
      note === null ? null : element("p", { class: "note", id: `${id}-note` }, note),
    ),
  };
}

function select(options, value = "") {
  const made = element(
    "select",
    {},
    options.map(([text, label]) => element("option", { value: text }, label)),
  );
  made.value = value;
  return made;
}

function oneOf(values) {
  return select(
    values.map((value) => [value, value]),
    values[0],
  );
}

function parameterField(api, parameter) {
  const schema = flat(api, parameter.schema ?? true);
  const example = parameterExample(api, parameter);
  const omitted = schema.default === undefined ? "not sent" : `not sent: ${schema.default}`;
  const choices = schema.types?.includes("boolean") ? ["true", "false"] : schema.enum;
  // What is optional stays out of the request until somebody enters it: an example of an
  // Idempotency-Key, sent twice, would have the second answer replayed.
  const first = parameter.required ? example || String(schema.default ?? "") : "";
  const title = [
    element("code", {}, parameter.name),
    element("span", {}, ` ${parameter.in}${parameter.required ? ", required" : ""}`),
  ];
  const of = `${parameter.in}:${parameter.name}`;
  const required = parameter.required === true;
  if (choices) {
    const options = choices.map((value) => [String(value), String(value)]);
    return {
      ...labelled(title, select(required ? options : [["", omitted], ...options], first), null, of),
      required,
    };
  }
  const numeric = schema.types?.some((type) => type === "integer" || type === "number");
  const input = element("input", {
    type: "text",
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
    inputmode: numeric ? "decimal" : null,
    "aria-required": required ? "true" : null,
  });
  input.value = first;
  const several = schema.types?.includes("array") ? "Several with commas. " : "";
  const hint = required ? "" : `Empty: ${omitted}.${example ? ` For example ${example}` : ""}`;
  return { ...labelled(title, input, `${several}${hint}`.trim() || null, of), required };
}

function bodyField(api, body) {
  const types = Object.keys(body.content ?? {});
  const kind = types.length > 1 ? labelled("Content-Type", oneOf(types), null) : null;
  const type = () => kind?.input.value ?? types[0];
  const examples = examplesOf(api, body.content?.[types[0]] ?? {});
  const text = element("textarea", { rows: 10, spellcheck: "false", autocapitalize: "none" });
  text.value = body.required === false || examples.length === 0 ? "" : examples[0].text;
  const problem = element("p", { class: "note", role: "status" });
  const check = () => {
    problem.textContent =
      type()?.includes("json") && text.value !== "" ? jsonProblem(text.value) : "";
  };
  text.addEventListener("input", check);
  const chosen =
    examples.length > 1
      ? labelled(
          "Example",
          select(
            examples.map(({ title }, index) => [String(index), title]),
            "0",
          ),
          null,
        )
      : null;
  chosen?.input.addEventListener("input", () => {
    text.value = examples[Number(chosen.input.value)].text;
    check();
  });
  const field = labelled(body.required ? "Body, required" : "Body", text, null);
  return {
    type,
    input: text,
    node: element("div", {}, kind?.node ?? [], chosen?.node ?? [], field.node, problem),
  };
}

function jsonProblem(text) {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return `This is not JSON yet: ${error.message}.`;
  }
}

/** Where an operation answers with more than one type: which of them to ask for. */
function acceptField(operation) {
  const good = operation.answers.find((answer) => answer.status.startsWith("2"));
  const types = Object.keys(good?.content ?? {});
  return types.length > 1 ? labelled("Answer as", oneOf(types), null) : null;
}

function answerView() {
  const line = element("p", { class: "outcome", role: "status" });
  const headers = codeBlock("Headers");
  const body = codeBlock("Body");
  const rest = element(
    "div",
    { hidden: true },
    folded("Headers of the answer", headers.node),
    body.node,
  );
  return {
    node: element("div", { class: "answer" }, line, rest),
    wait: () => {
      line.className = "outcome";
      line.textContent = "Waiting for the answer …";
      rest.hidden = true;
    },
    fail: (sentence) => {
      line.className = "outcome bad";
      line.textContent = sentence;
    },
    show: ({ response, text, ms }) => {
      line.className = response.ok ? "outcome good" : "outcome bad";
      const status = `${response.status} ${response.statusText}`.trim();
      line.textContent = `${status} after ${Math.round(ms)} ms`;
      headers.showText(
        [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n"),
      );
      body.node.hidden = text === "";
      if ((response.headers.get("content-type") ?? "").includes("json")) body.showJson(text);
      else body.showText(text);
      rest.hidden = false;
    },
  };
}
