// The browser, and pages in it that are watched: whatever goes wrong in one fails the step.

import { chromium } from "playwright-core";

import { expect, Fault } from "./report.mjs";

/** How long something may take to appear, on a machine that is busy. */
const PATIENCE_MS = 30_000;

const FLAGS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Chromium's line for an answer of 400 or more. */
const BAD_STATUS = /^Failed to load resource: the server responded with a status of (\d+)/;

let browser;
let allowedOrigins = [];

/** Starts the browser. Its pages may ask `origins` and nobody else. */
export async function launch(executablePath, origins) {
  allowedOrigins = origins;
  // Chromium has no sandbox for root.
  const args = process.getuid?.() === 0 ? [...FLAGS, "--no-sandbox"] : FLAGS;
  browser = await chromium.launch({ executablePath, args });
  return browser;
}

/**
 * Does `work` with an empty page that has a profile of its own. Fails if that fails, or anything goes wrong in the page.
 * `mayFail` has the statuses of 400 and more that are expected, by path; other options are Playwright's.
 */
export async function inPage({ mayFail = {}, ...options }, work) {
  const faults = [];
  const page = await watched(faults, mayFail, options);
  try {
    await work(page);
    await page.waitForLoadState("networkidle");
  } catch (error) {
    if (faults.length > 0) throw new Fault(`${error.message}\nand in the page:\n${listed(faults)}`);
    throw error;
  } finally {
    await page.context().close();
  }
  expect(faults.length === 0, `nothing to go wrong in the page, not:\n${listed(faults)}`);
}

function listed(faults) {
  return [...new Set(faults)].join("\n");
}

/** Opens a page, and adds to `faults` whatever goes wrong in it. */
async function watched(faults, mayFail, options) {
  const context = await browser.newContext({ acceptDownloads: false, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  await context.exposeBinding("reportViolation", (_, what) => faults.push(`forbidden by the policy: ${what}`));
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      const { violatedDirective, blockedURI, sourceFile, lineNumber, sample } = event;
      reportViolation(`${violatedDirective} ${blockedURI} (${sourceFile}:${lineNumber}) ${sample}`);
    });
  });
  const isForeign = (url) => /^(https?|wss?):/.test(url) && !allowedOrigins.includes(new URL(url).origin);
  await context.route(isForeign, (route) => route.abort());
  const page = await context.newPage();
  const seeUrl = (url) => isForeign(url) && faults.push(`request to another host: ${url}`);
  context.on("request", (request) => seeUrl(request.url()));
  page.on("websocket", (socket) => seeUrl(socket.url().replace(/^ws/, "http")));
  page.on("pageerror", (error) => faults.push(`script error: ${error.stack ?? error}`));
  page.on("crash", () => faults.push("the page crashed"));
  page.on("console", (message) => {
    if (!["error", "warning", "assert"].includes(message.type())) return;
    const { url, lineNumber } = message.location();
    const status = Number(BAD_STATUS.exec(message.text())?.[1]);
    if (status && mayFail[new URL(url).pathname] === status) return;
    faults.push(`console ${message.type()}: ${message.text()} (${url}:${lineNumber})`);
  });
  return page;
}

/** Goes to `url`, which must be answered with `status`, and waits for `shows` (a selector). */
export async function visit(page, url, { status = 200, shows = "main, body" } = {}) {
  const response = await page.goto(url, { waitUntil: "load" });
  expect(response.status() === status, `status ${status} from ${url}, not ${response.status()}`);
  await page.locator(shows).first().waitFor();
}
