// The operations of /docs, carried out in Swagger UI as a person does it.

import { inPage, visit } from "./browser.mjs";
import { expect, step } from "./report.mjs";

const ONE_USER = { path: "/users/{username}", operationId: "read_user_users__username__get" };
const MANY_USERS = { path: "/users" };

/** Carries out the operations that the document has, and takes a picture of the first one if `picture` is a file's name. */
export async function carryOutOperations(publicBase, picture) {
  let operations = {};
  await step("the OpenAPI document has the operation of one user", async () => {
    const paths = (await (await fetch(`${publicBase}/openapi.json`)).json()).paths ?? {};
    operations = Object.fromEntries(Object.entries(paths).map(([path, methods]) => [path, methods.get?.operationId]));
    expect(
      operations[ONE_USER.path] === ONE_USER.operationId,
      `the operation ${ONE_USER.operationId}, not ${JSON.stringify(operations)}`,
    );
  });
  const url = `${publicBase}/docs`;
  await step("/docs reads one user", () => readOneUser(url, ONE_USER.operationId, picture));
  if (operations[MANY_USERS.path]) {
    await step("/docs reads several users", () => readManyUsers(url, operations[MANY_USERS.path]));
  }
}

async function readOneUser(url, operationId, picture) {
  await inPage({}, async (page) => {
    const operation = await opened(page, url, operationId);
    await operation.locator('tr[data-param-name="username"] input').fill("johndoe");
    const text = await executed(operation);
    expect(/"username": "johndoe"/.test(text), `johndoe, not: ${text}`);
    if (picture) {
      await page.setViewportSize({ width: 1280, height: 1000 });
      await operation.locator(".execute-wrapper, .btn-group").first().evaluate((button) => button.scrollIntoView({ block: "start" }));
      await page.evaluate(() => scrollBy(0, -420));
      await page.screenshot({ path: picture });
    }
  });
}

async function readManyUsers(url, operationId) {
  const wanted = ["johndoe", "alice"];
  await inPage({}, async (page) => {
    const operation = await opened(page, url, operationId);
    const parameter = operation.locator('tr[data-param-name="username"]');
    const fields = parameter.locator(".json-schema-form-item input");
    const add = parameter.locator(".json-schema-form-item-add");
    await add.waitFor();
    while ((await fields.count()) < wanted.length) {
      const before = await fields.count();
      await add.click();
      await fields.nth(before).waitFor();
    }
    for (const [number, username] of wanted.entries()) await fields.nth(number).fill(username);
    const text = await executed(operation);
    for (const username of wanted) expect(text.includes(`"username": "${username}"`), `${username}, not: ${text}`);
  });
}

/** Opens an operation, ready to be filled in. */
async function opened(page, url, operationId) {
  await visit(page, url, { shows: ".opblock" });
  const operation = page.locator(`.opblock[id$="-${operationId}"]`);
  await operation.locator(".opblock-summary-control").click();
  await operation.locator(".try-out__btn").click();
  return operation;
}

/** Carries the operation out; returns the body of the answer, which must be 200. */
async function executed(operation) {
  await operation.locator("button.execute").click();
  const answer = operation.locator(".live-responses-table tr.response").first();
  await answer.waitFor();
  const status = (await answer.locator(".response-col_status").textContent()).trim();
  const text = await answer.locator(".response-col_description .highlight-code").first().textContent();
  expect(status.startsWith("200"), `200, not ${status}: ${text}`);
  expect(!text.includes("hashed_password"), `no hashed_password in: ${text}`);
  return text;
}
