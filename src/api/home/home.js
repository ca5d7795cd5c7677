"use strict";
for (const place of document.querySelectorAll(".origin")) place.textContent = location.origin;
const form = document.getElementById("lookup");
const answer = document.getElementById("answer");
let asked = 0;
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const number = ++asked;
  const username = document.getElementById("username").value;
  let text;
  try {
    // In a query, unlike in a path, every name is safe: "..", too.
    const query = new URLSearchParams({ username });
    const response = await fetch("/users?" + query, { headers: { Accept: "application/json" } });
    const body = await response.json();
    const element = response.ok ? body[0] : body;
    text = element.status ? element.title + "\n" + element.detail : JSON.stringify(element, null, 2);
  } catch {
    text = "The server did not answer. Try again later.";
  }
  // Only the last question is answered, whichever answer comes last.
  if (number === asked) answer.textContent = text;
});
