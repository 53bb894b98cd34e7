/** The list of operations, its filter, and the mark at the one that is being read. */

import { addressed, element } from "./dom.js";
import { methodLabel } from "./operation.js";

const WIDE = matchMedia("(min-width: 64rem)");

/** Fills the navigation; `sections` has the page's part of each tag: `{group, node}`. */
export function navigate(sections) {
  const contents = document.getElementById("contents");
  const entries = sections.flatMap(({ group, node }) =>
    group.operations.map((operation) => entry(group, operation, node)),
  );
  const lists = sections.map(({ group, node }, index) => {
    const id = `contents-${index}`;
    const own = entries.filter((one) => one.part === node);
    return element(
      "div",
      {},
      element("p", { class: "tag", id }, group.name),
      element(
        "ul",
        { "aria-labelledby": id },
        own.map((one) => one.item),
      ),
    );
  });
  document.getElementById("navigation").replaceChildren(...lists);
  const unfold = () => {
    contents.open = WIDE.matches;
  };
  WIDE.addEventListener("change", unfold);
  unfold();
  contents.hidden = false;
  contents.addEventListener("click", (event) => {
    if (event.target.closest("a") !== null && !WIDE.matches) contents.open = false;
  });
  filter(entries, lists, sections);
  follow(entries);
}

function entry(group, operation, part) {
  const label = [methodLabel(operation), element("span", {}, operation.summary)];
  const link = element("a", { href: `#${operation.id}` }, label);
  const words = [operation.method, operation.path, operation.summary, operation.id, group.name];
  return {
    part,
    link,
    item: element("li", {}, link),
    section: document.getElementById(operation.id),
    text: words.join(" ").toLowerCase(),
  };
}

function filter(entries, lists, sections) {
  const field = document.getElementById("filter");
  const matches = document.getElementById("matches");
  const apply = () => {
    const words = field.value
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== "");
    let shown = 0;
    for (const one of entries) {
      const fits = words.every((word) => one.text.includes(word));
      one.item.hidden = !fits;
      one.section.hidden = !fits;
      shown += Number(fits);
    }
    sections.forEach(({ node }, index) => {
      const empty = entries.every((one) => one.part !== node || one.item.hidden);
      node.hidden = empty;
      lists[index].hidden = empty;
    });
    // Else the first match may be far above what is shown.
    const main = document.getElementById("operations");
    if (WIDE.matches && main.getBoundingClientRect().top < 0)
      main.scrollIntoView({ behavior: "instant" });
    matches.textContent = words.length === 0 ? "" : `${shown} of ${entries.length} operations`;
  };
  field.addEventListener("input", apply);
  // A link may lead to an operation that the filter hides.
  addEventListener("hashchange", () => {
    const target = addressed();
    if (target === null || target.closest("[hidden]") === null) return;
    field.value = "";
    apply();
    target.scrollIntoView({ behavior: "instant" });
  });
}

function follow(entries) {
  const visible = new Set();
  const observer = new IntersectionObserver(
    (changes) => {
      for (const { target, isIntersecting } of changes) {
        if (isIntersecting) visible.add(target);
        else visible.delete(target);
      }
      const current = entries.find((one) => visible.has(one.section));
      for (const { link } of entries) link.removeAttribute("aria-current");
      current?.link.setAttribute("aria-current", "location");
      if (WIDE.matches && current !== undefined) reveal(current.link);
    },
    { rootMargin: "-48px 0px -66% 0px" },
  );
  for (const { section } of entries) observer.observe(section);
}

/** Scrolls the list alone: `scrollIntoView` could end the page's own smooth scrolling. */
function reveal(link) {
  const list = document.getElementById("contents");
  const seen = list.getBoundingClientRect();
  const top = document.getElementById("find").getBoundingClientRect().bottom;
  const item = link.getBoundingClientRect();
  if (item.top < top || item.bottom > seen.bottom) {
    list.scrollTop += item.top - (top + seen.bottom) / 2;
  }
}
