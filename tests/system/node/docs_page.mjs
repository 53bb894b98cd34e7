// Visits the page /docs of a running service in Chromium as a reader would, and prints what it saw
// as JSON. Its argument is JSON: the service's URL, the path under which a proxy serves it, a key,
// and the id of an execution that can be retried.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const { browserPath, service, prefix, key, executionId } = JSON.parse(process.argv[2]);
const WIDTHS = [320, 768, 1280, 1920];
const ACCESSIBILITY = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");

const browser = await chromium.launch({ executablePath: browserPath });
try {
  process.stdout.write(JSON.stringify({ ...(await visit()), accessibility: await looks() }));
} finally {
  await browser.close();
}

/** A page at `/docs`, and what happens behind it; a proxy that serves a prefix cuts it off. */
async function opened(context) {
  const seen = { requests: [], console: [], violations: [] };
  const page = await context.newPage();
  if (prefix !== "") {
    await page.route(`${service}${prefix}/**`, (route) =>
      route.continue({ url: route.request().url().replace(`${service}${prefix}`, service) }),
    );
  }
  page.on("request", (request) => seen.requests.push(request.url()));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) seen.console.push(message.text());
  });
  page.on("pageerror", (error) => seen.console.push(String(error)));
  await page.exposeFunction("reportViolation", (directive) => seen.violations.push(directive));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) => {
      globalThis.reportViolation(`${effectiveDirective} ${blockedURI}`);
    });
  });
  await page.goto(`${service}${prefix}/docs`);
  await page.waitForSelector('main[aria-busy="false"]');
  return { page, seen };
}

async function visit() {
  const context = await browser.newContext();
  const { page, seen } = await opened(context);
  await page.getByLabel("API key").fill(key);
  const operations = await page
    .locator("[data-operation]")
    .evaluateAll((all) => all.map((one) => one.dataset.operation));
  const read = await tried(page, "getExecution");
  const retried = await tried(page, "retryExecution");
  const kept = await page.evaluate(async () => ({
    local: { ...localStorage },
    session: { ...sessionStorage },
    cookies: document.cookie,
    databases: await indexedDB.databases(),
    caches: await caches.keys(),
  }));
  const visible = await page.content();
  const { requests, console: errors, violations } = structuredClone(seen);
  const found = await filtered(page, "retry failed");
  // From here on the console has the browser's own line about the request that failed.
  await context.setOffline(true);
  const unreachable = await sent(page.locator("#operation-retryExecution"));
  const address = page.url();
  await context.close();
  return {
    operations,
    read,
    retried,
    kept,
    visible,
    requests,
    errors,
    violations,
    found,
    unreachable,
    address,
  };
}

/** Opens an operation's form, sends it for the execution, and returns what is shown. */
async function tried(page, operationId) {
  const operation = page.locator(`#operation-${operationId}`);
  await operation.getByText("Try it", { exact: true }).click();
  await operation.getByLabel("execution_id").fill(executionId);
  const outcome = await sent(operation);
  return {
    outcome,
    body: await operation.getByRole("group", { name: "Body" }).textContent(),
    curl: await operation.getByRole("group", { name: "curl" }).textContent(),
    warns: await operation.getByText("This request changes data.").isVisible(),
  };
}

async function sent(operation) {
  const button = operation.getByRole("button", { name: "Send" });
  await button.click();
  await operation.locator(".outcome.good, .outcome.bad").waitFor();
  return operation.locator(".outcome").textContent();
}

async function filtered(page, words) {
  await page.getByLabel("Filter").fill(words);
  const shown = page.locator("[data-operation]:visible");
  return shown.evaluateAll((all) => all.map((one) => one.dataset.operation));
}

/** What is wrong with how it looks, at each width and in both colour schemes, all unfolded. */
async function looks() {
  const wrong = [];
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ colorScheme, reducedMotion: "reduce" });
    await context.addInitScript(axe);
    const { page } = await opened(context);
    await page.evaluate(() => {
      for (const details of document.querySelectorAll("details")) details.open = true;
    });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      const scrolled = await page.evaluate(() => document.documentElement.scrollWidth);
      if (scrolled > width) wrong.push(`${colorScheme}: ${scrolled} px wide at ${width} px`);
    }
    const { violations } = await page.evaluate(
      (tags) => globalThis.axe.run(document, { runOnly: tags }),
      ACCESSIBILITY,
    );
    wrong.push(...violations.map(({ id, nodes }) => `${colorScheme}: ${id}: ${nodes[0].html}`));
    await context.close();
  }
  return wrong;
}
