import { element } from "./dom.js";
import { indented } from "./json.js";

// A span for each token of a large body would make the page slow; so would all of its text.
const COLOURED_TO = 100_000;
const SHOWN_TO = 1_000_000;

/** A titled block of code that scrolls by itself and can be copied. */
export function codeBlock(title, { wraps = false } = {}) {
  const code = element("code");
  const shortened = element("p", { class: "note", hidden: true });
  const label = `Copy: ${title}`;
  const copy = element("button", { type: "button", class: "quiet", "aria-label": label }, "Copy");
  const pre = element(
    "pre",
    { class: wraps ? "wraps" : null, tabindex: 0, role: "group", "aria-label": title },
    code,
  );
  let whole = "";
  copy.addEventListener("click", async () => {
    const copied = await copyText(whole, code);
    copy.textContent = copied ? "Copied" : "Press Ctrl+C";
    setTimeout(() => {
      copy.textContent = "Copy";
    }, 2000);
  });
  const show = (text, pieces) => {
    whole = text;
    const cut = text.length > SHOWN_TO;
    if (text.length > COLOURED_TO) code.replaceChildren(text.slice(0, SHOWN_TO));
    else code.replaceChildren(...pieces.map(([kind, part]) => coloured(kind, part)));
    shortened.hidden = !cut;
    shortened.textContent = cut ? "Only the beginning is shown; Copy takes all of it." : "";
  };
  return {
    node: element(
      "div",
      { class: "code" },
      element("div", { class: "bar" }, title, copy),
      pre,
      shortened,
    ),
    showText: (text) => show(text, [["space", text]]),
    /** Indented and coloured if it is JSON, else as it is. */
    showJson: (text) => {
      try {
        const pieces = indented(text);
        show(pieces.map(([, part]) => part).join(""), pieces);
      } catch {
        show(text, [["space", text]]);
      }
    },
  };
}

function coloured(kind, part) {
  return kind === "space" || kind === "mark" ? part : element("span", { class: kind }, part);
}

/** The clipboard exists only on https and localhost; elsewhere the text is selected and copied. */
async function copyText(text, code) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return document.execCommand("copy");
  }
}
