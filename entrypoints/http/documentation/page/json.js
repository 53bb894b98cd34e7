/** JSON as text, which is never parsed into values: numbers may be larger than JavaScript's. */

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
const INDENT = "  ";

/** Tokens and white space of an indented text, each as [kind, text]; throws if it is not JSON. */
export function indented(text) {
  JSON.parse(text);
  const tokens = text.match(TOKEN) ?? [];
  const pieces = [];
  let depth = 0;
  const newLine = () => pieces.push(["space", `\n${INDENT.repeat(depth)}`]);
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index];
    const next = tokens[index + 1];
    if (token === "{" || token === "[") {
      if (next === "}" || next === "]") {
        pieces.push(["mark", token + next]);
        index += 1;
      } else {
        depth += 1;
        pieces.push(["mark", token]);
        newLine();
      }
    } else if (token === "}" || token === "]") {
      depth -= 1;
      newLine();
      pieces.push(["mark", token]);
    } else if (token === ",") {
      pieces.push(["mark", token]);
      newLine();
    } else if (token === ":") {
      pieces.push(["mark", ": "]);
    } else {
      pieces.push([kindOf(token, next), token]);
    }
  }
  return pieces;
}

function kindOf(token, next) {
  if (token.startsWith('"')) return next === ":" ? "name" : "string";
  return /^[-0-9]/.test(token) ? "number" : "word";
}
