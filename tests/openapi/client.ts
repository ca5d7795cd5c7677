// Reads users of a running server with openapi-fetch, typed by what openapi-typescript makes of its OpenAPI document.
//
// usage: node client.js BASE_URL        (tests/openapi/check makes api.ts and compiles this file)
//
// The server must have the users of config/sample-users.jsonl. Whatever the document says about an answer is known to
// the compiler here: that this file compiles is half of the test.
//
// exit code: 0 with `ok`, 1 when an answer is not as expected, 2 wrong usage
import createClient from "openapi-fetch";

import type { components, paths } from "./api.js";

type User = components["schemas"]["User"];
type Problem = components["schemas"]["Problem"];

// Of Node.js, nothing else is used.
declare const process: { readonly argv: readonly string[]; exitCode?: number };

const JOHN: User = { username: "johndoe", email: "johndoe@example.com", full_name: "John Doe", disabled: false };

function expect(condition: boolean, wanted: string, found: unknown): asserts condition {
  if (!condition) throw new Error(`expected ${wanted}, not: ${JSON.stringify(found)}`);
}

/** Says which of the two an element of the answer about several users is. */
function isUser(element: User | Problem): element is User {
  return "username" in element;
}

function expectJohn(user: User): void {
  const members: (keyof User)[] = ["username", "email", "full_name", "disabled"];
  expect(Object.keys(user).join() === members.join(), `${members.join()} and nothing else`, user);
  for (const member of members) expect(user[member] === JOHN[member], `johndoe's ${member}`, user);
}

async function readOneAndSeveral(baseUrl: string): Promise<void> {
  const client = createClient<paths>({ baseUrl });

  const one = await client.GET("/users/{username}", { params: { path: { username: "johndoe" } } });
  expect(one.data !== undefined, "johndoe", one.error);
  const john: User = one.data;
  expectJohn(john);

  const several = await client.GET("/users", { params: { query: { username: ["johndoe", "no one"] } } });
  expect(several.data !== undefined, "johndoe and a problem", several.error);
  const [first, second, ...others] = several.data;
  expect(first !== undefined && second !== undefined && others.length === 0, "two elements", several.data);
  expect(isUser(first), "johndoe first", first);
  expectJohn(first);
  expect(!isUser(second), "the problem of an unknown user", second);
  expect(second.status === 404 && second.type === "/problems/user-not-found", "404 user-not-found", second);

  const none = await client.GET("/users/{username}", { params: { path: { username: "no one" } } });
  expect(none.error !== undefined, "a problem", none.data);
  const problem: Problem = none.error;
  expect(none.response.status === 404 && problem.status === 404, "404 twice", problem);
  expect(problem.type === "/problems/user-not-found", "user-not-found", problem);
  expect(problem.request_id === none.response.headers.get("X-Request-Id"), "the id in the header, too", problem);
}

const [, , baseUrl, ...others] = process.argv;
if (baseUrl === undefined || others.length > 0) {
  console.error("usage: node client.js BASE_URL");
  process.exitCode = 2;
} else {
  try {
    await readOneAndSeveral(baseUrl);
    console.log("ok");
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
