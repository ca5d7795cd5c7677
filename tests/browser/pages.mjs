// Drives a real browser over the web pages of a running server, for people and against regressions.
//
// usage: npm ci && node pages.mjs PUBLIC_BASE_URL ADMIN_BASE_URL [--screenshots FOLDER]
//
//     node pages.mjs http://127.0.0.1:8000 http://127.0.0.1:8001
//
// The server must have the users of config/sample-users.jsonl. Checked are:
//
// - the form of the start page, with and without JavaScript; operations of /docs, carried out by "Try it out"
// - accessibility of every page, light and dark: the rules of axe for WCAG 2.2 AA and good practice
// - that pages fit on a screen 320 pixels wide, and that dark ones are dark
// - all the way: no request to another host, no script error, no error or warning on the console, nothing that the
//   Content-Security-Policy had to forbid
//
// --screenshots also writes a picture of each page to FOLDER: light and dark, desktop and phone.
//
// environment: CHROMIUM, the browser (default: /usr/bin/chromium, Debian's package chromium)
// exit code: 0 all is well, 1 something is not, which is then listed, 2 wrong usage, or no browser
import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";

import { faultsOfAccessibility } from "./accessibility.mjs";
import { inPage, launch, visit } from "./browser.mjs";
import { carryOutOperations } from "./docs.mjs";
import { expect, report, step } from "./report.mjs";

const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const NARROW = { width: 320, height: 640 };
const SCHEMES = ["light", "dark"];

const { publicBase, adminBase, screenshots } = readArguments();

// What is looked at: a name, the address, its status, and what of it is not ours.
const PAGES = [
  { name: "home", url: `${publicBase}/` },
  { name: "docs", url: `${publicBase}/docs`, foreign: "#swagger-ui", shows: ".opblock" },
  { name: "status", url: `${adminBase}/status` },
  { name: "problem", url: `${publicBase}/problems/user-not-found` },
  { name: "not-found", url: `${publicBase}/nope`, status: 404 },
  { name: "unknown-user", url: `${publicBase}/users/nobody`, status: 404 },
];

function readArguments() {
  let found;
  try {
    found = parseArgs({ allowPositionals: true, options: { screenshots: { type: "string" } } });
  } catch (error) {
    usage(error.message);
  }
  const { positionals, values } = found;
  if (positionals.length !== 2 || !positionals.every((base) => /^https?:\/\/[^/]+\/?$/.test(base))) {
    usage("two base URLs are wanted");
  }
  const [first, second] = positionals.map((base) => new URL(base).origin);
  return { publicBase: first, adminBase: second, screenshots: values.screenshots };
}

function usage(fault) {
  console.error(`${fault}\nusage: node pages.mjs PUBLIC_BASE_URL ADMIN_BASE_URL [--screenshots FOLDER]`);
  process.exit(2);
}

async function lookUp(page, username) {
  await page.locator("#username").fill(username);
  await page.locator("#lookup button").click();
  const answer = page.locator("#answer");
  await answer.waitFor({ state: "visible" });
  return answer;
}

async function theFormShowsAUser() {
  await inPage({}, async (page) => {
    await visit(page, `${publicBase}/`);
    const answer = await lookUp(page, "johndoe");
    await answer.filter({ hasText: "johndoe" }).waitFor();
    const text = await answer.textContent();
    expect(text.includes('\n  "username": "johndoe"'), `"username": "johndoe" on a line of its own, not: ${text}`);
    expect(!text.includes("hashed_password"), `no hashed_password in: ${text}`);
    expect(page.url() === `${publicBase}/`, `to stay on the page, not: ${page.url()}`);
  });
}

async function theFormSaysThatThereIsNoUser() {
  await inPage({ mayFail: { "/users/nobody": 404 } }, async (page) => {
    await visit(page, `${publicBase}/`);
    const answer = await lookUp(page, "nobody");
    await answer.filter({ hasText: "User not found" }).waitFor();
  });
}

async function theFormWorksByKeyboardAlone() {
  await inPage({}, async (page) => {
    await visit(page, `${publicBase}/`);
    for (let presses = 0; presses < 10; presses += 1) {
      await page.keyboard.press("Tab");
      if (await page.locator("#username").evaluate((field) => field === document.activeElement)) break;
    }
    await page.keyboard.type("johndoe");
    await page.keyboard.press("Enter");
    await page.locator("#answer").filter({ hasText: '"username": "johndoe"' }).waitFor();
  });
}

async function theFormWorksWithoutScripts() {
  await inPage({ javaScriptEnabled: false }, async (page) => {
    await visit(page, `${publicBase}/`);
    await page.locator("#username").fill("johndoe");
    await page.locator("#lookup button").click();
    await page.waitForURL(`${publicBase}/users?username=johndoe`);
    const text = await page.locator("body").textContent();
    const shown = JSON.parse(text.slice(text.indexOf("["), text.lastIndexOf("]") + 1));
    expect(shown.length === 1 && shown[0].username === "johndoe", `a list of johndoe alone, not: ${text}`);
    expect(!text.includes("hashed_password"), `no hashed_password in: ${text}`);
  });
}

async function pageIsAccessible({ url, status, foreign, shows }, colorScheme) {
  // axe is put into the page, which its policy forbids: not watched for that, as the other visits are.
  await inPage({ bypassCSP: true, colorScheme, mayFail: { [new URL(url).pathname]: status } }, async (page) => {
    await visit(page, url, { status, shows });
    const faults = await faultsOfAccessibility(page, foreign);
    if (url === `${publicBase}/`) {
      await lookUp(page, "johndoe");
      faults.push(...(await faultsOfAccessibility(page, foreign)));
    }
    expect(faults.length === 0, `nothing for axe to find, not:\n${faults.join("\n")}`);
  });
}

async function pageFits({ url, status, shows }) {
  await inPage({ viewport: NARROW, mayFail: { [new URL(url).pathname]: status } }, async (page) => {
    await visit(page, url, { status, shows });
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width <= NARROW.width, `a page no wider than ${NARROW.width} pixels, not ${width}`);
  });
}

async function pageIsDarkInTheDark({ url, status, shows }) {
  const brightness = {};
  for (const colorScheme of SCHEMES) {
    await inPage({ colorScheme, mayFail: { [new URL(url).pathname]: status } }, async (page) => {
      await visit(page, url, { status, shows });
      const color = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      brightness[colorScheme] = Math.max(...color.match(/\d+/g).slice(0, 3).map(Number));
    });
  }
  expect(brightness.light > 200 && brightness.dark < 80, `a light and a dark page, not ${JSON.stringify(brightness)}`);
}

async function takePicture({ name, url, status, shows }, colorScheme, size) {
  await inPage({ colorScheme, viewport: SIZES[size], mayFail: { [new URL(url).pathname]: status } }, async (page) => {
    await visit(page, url, { status, shows });
    await page.screenshot({ path: path.join(screenshots, `${name}-${colorScheme}-${size}.png`), fullPage: true });
  });
}

const executable = process.env.CHROMIUM || "/usr/bin/chromium";
if (!existsSync(executable)) {
  console.error(`${executable} is not there; to get it: apt-get install chromium, or set CHROMIUM`);
  process.exit(2);
}
const browser = await launch(executable, [publicBase, adminBase]);
try {
  await step("the form of the start page shows a user", theFormShowsAUser);
  await step("the form says that there is no such user", theFormSaysThatThereIsNoUser);
  await step("the form works by keyboard alone", theFormWorksByKeyboardAlone);
  await step("the form works without JavaScript", theFormWorksWithoutScripts);
  if (screenshots) mkdirSync(screenshots, { recursive: true });
  await carryOutOperations(publicBase, screenshots && path.join(screenshots, "docs-try-it.png"));
  for (const page of PAGES) {
    for (const scheme of SCHEMES) {
      await step(`${page.name} is accessible (${scheme})`, () => pageIsAccessible(page, scheme));
    }
    await step(`${page.name} fits on a narrow screen`, () => pageFits(page));
    await step(`${page.name} is light or dark as the system is`, () => pageIsDarkInTheDark(page));
  }
  if (screenshots) {
    for (const page of PAGES) {
      for (const scheme of SCHEMES) {
        for (const size of Object.keys(SIZES)) {
          await step(`picture ${page.name}-${scheme}-${size}`, () => takePicture(page, scheme, size));
        }
      }
    }
  }
} finally {
  await browser.close();
}
process.exitCode = report();
