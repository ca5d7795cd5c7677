// What axe finds in a page.

import axe from "axe-core";

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];

// axe leaves it out unless it is asked for.
const RULES_TO_ADD = { "target-size": { enabled: true } };

/** Returns what axe finds, one line each, also what it is not sure of. `foreign` (a selector) is left out. */
export async function faultsOfAccessibility(page, foreign) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(
    ([exclude, tags, rules]) =>
      window.axe.run(exclude ? { include: [["html"]], exclude: [[exclude]] } : document, {
        runOnly: { type: "tag", values: tags },
        rules,
      }),
    [foreign, TAGS, RULES_TO_ADD],
  );
  const tried = [found.passes, found.violations, found.incomplete].flat();
  if (!tried.some((rule) => rule.id === "document-title")) return ["axe did not try its rules"];
  return [...lines(found.violations, ""), ...lines(found.incomplete, "perhaps ")];
}

function lines(rules, prefix) {
  return rules.flatMap((rule) =>
    rule.nodes.map((node) => {
      const reason = [...node.any, ...node.all, ...node.none].map((check) => check.message).join("; ");
      return `${prefix}${rule.id} (${rule.impact}): ${node.target.join(" ")}: ${reason || rule.help}`;
    }),
  );
}
