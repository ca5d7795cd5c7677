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
    const response = await fetch("/users/" + encodeURIComponent(username), { headers: { Accept: "application/json" } });
    const body = await response.json();
    text = response.ok ? JSON.stringify(body, null, 2) : body.title + "\n" + body.detail;
  } catch {
    text = "The server did not answer. Try again later.";
  }
  // Only the last question is answered, whichever answer comes last.
  if (number === asked) answer.textContent = text;
});
