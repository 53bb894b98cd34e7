/** Builds the page from the service's own OpenAPI document. */

import { ApiDocument } from "./document.js";
import { addressed, element } from "./dom.js";
import { navigate } from "./navigation.js";
import { operationView } from "./operation.js";
import { inline, prose } from "./prose.js";

const part = (id) => document.getElementById(id);

async function load() {
  // Relative to the page, which a proxy may serve under a path of its own.
  const url = new URL("openapi.json", document.baseURI);
  let response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
  } catch {
    throw new Error("The document openapi.json cannot be loaded: the service does not answer.");
  }
  if (!response.ok)
    throw new Error(
      `The document openapi.json cannot be loaded: the answer is ${response.status}.`,
    );
  return new ApiDocument(await response.json(), response.url);
}

function showInfo({ title, version, summary, description }) {
  document.title = `${title} ${version}: API reference`;
  part("title").textContent = title;
  part("facts").replaceChildren(
    `Version ${version}. This reference is made from `,
    element("a", { href: "openapi.json" }, "openapi.json"),
    ".",
  );
  part("description").replaceChildren(...prose(description ?? summary));
}

function showKey(scheme) {
  if (scheme === null) return;
  part("key-note").replaceChildren(
    "Kept until you leave the page. ",
    ...inline(scheme.description),
  );
  part("credentials").hidden = false;
}

function showOperations(api) {
  const sections = api.groups.map((group, index) => {
    const heading = element("h2", { id: `tag-${index}` }, group.name);
    const operations = group.operations.map((operation) =>
      operationView(api, operation, part("key")),
    );
    const node = element(
      "section",
      { class: "group", "aria-labelledby": `tag-${index}` },
      heading,
      element("div", { class: "prose" }, prose(group.description)),
      operations,
    );
    return { group, node };
  });
  part("operations").replaceChildren(...sections.map(({ node }) => node));
  navigate(sections);
}

try {
  const api = await load();
  showInfo(api.info);
  showKey(api.scheme);
  showOperations(api);
  // The element that the address names exists only now.
  addressed()?.scrollIntoView({ behavior: "instant" });
} catch (error) {
  part("operations").replaceChildren();
  part("problem").textContent = error.message;
  part("problem").hidden = false;
  console.error(error);
} finally {
  part("operations").setAttribute("aria-busy", "false");
}
