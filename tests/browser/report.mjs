// What was tried, and what failed: one line a step, and a list at the end.

import { stripVTControlCharacters } from "node:util";

const failed = [];
let tried = 0;

/** Something that is not as it should be. */
export class Fault extends Error {}

/** Fails the step if `condition` is false. `wanted` says what was expected, and what is there. */
export function expect(condition, wanted) {
  if (!condition) throw new Fault(`expected ${wanted}`);
}

/** Does `work` and tells how it went. Later steps are done whatever comes of it. */
export async function step(name, work) {
  tried += 1;
  try {
    await work();
    console.log(`ok      ${name}`);
  } catch (error) {
    // Of anything else than a fault, the place may matter: it can be a mistake of this program.
    const text = error instanceof Fault ? error.message : String(error.stack ?? error);
    const reason = stripVTControlCharacters(text).trim();
    failed.push({ name, reason });
    console.log(`FAILED  ${name}`);
  }
}

/** Lists what failed. Returns the exit code. */
export function report() {
  for (const { name, reason } of failed) console.log(`\n${name}:\n${reason.replaceAll(/^/gm, "    ")}`);
  console.log(`\n${tried - failed.length} passed, ${failed.length} failed`);
  return failed.length === 0 && tried > 0 ? 0 : 1;
}
