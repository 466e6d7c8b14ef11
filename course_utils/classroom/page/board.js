// The teacher's board: asks the server once a second and shows what it says, as text only.
"use strict";

const SECONDS = 1;
const find = (id) => document.getElementById(id);
let board = null;

// The key comes behind the address's #, which browsers keep to themselves, and leaves it at once.
if (location.hash.length > 1) {
  sessionStorage.setItem("key", decodeURIComponent(location.hash.slice(1)));
  history.replaceState(null, "", location.pathname);
}

async function ask(page, body) {
  const response = await fetch("api/" + page, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      Authorization: "Bearer " + (sessionStorage.getItem("key") || ""),
      "Content-Type": "application/json",
    },
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
  });
  const said = await response.json();
  if (!response.ok) {
    const error = new Error(said.error ? said.error.message : "status " + response.status);
    error.status = response.status;
    throw error;
  }
  return said;
}

function setText(id, text) {
  if (find(id).textContent !== text) find(id).textContent = text;
}

// One row of cells; numbers line up, and what a learner typed is never read as HTML.
function row(cells) {
  const line = document.createElement("tr");
  for (const content of cells) {
    const cell = document.createElement("td");
    if (content instanceof Node) cell.append(content);
    else cell.textContent = String(content);
    if (typeof content === "number") cell.className = "number";
    line.append(cell);
  }
  return line;
}

function revokeButton(name) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.name = name;
  button.textContent = "Revoke";
  button.setAttribute("aria-label", "Revoke the key of " + name);
  return button;
}

// Redraw a table only when it has changed, so that focus and a half-made click stay.
function fill(id, rows, drawn) {
  const stamp = JSON.stringify(rows);
  if (find(id).dataset.stamp === stamp) return;
  find(id).dataset.stamp = stamp;
  find(id).replaceChildren(...rows.map(drawn));
}

function press(id, pressed, words) {
  find(id).setAttribute("aria-pressed", String(pressed));
  setText(id, words);
}

function show() {
  find("sign-in").hidden = true;
  find("board").hidden = false;
  const state = board.loading ? "the model is starting" : board.paused ? "paused" : "open";
  setText("state", board.model + ": " + state);
  setText("speed", Math.round(board.tokens_per_second).toLocaleString("en"));
  setText("slots", board.running + " of " + board.slots);
  setText("waiting", String(board.waiting));
  setText("replies", board.replies.toLocaleString("en"));
  press("pause", board.paused, board.paused ? "Go on" : "Pause the class");
  const results = board.progress;
  press("results", results.on, results.on ? "Stop asking for results" : "Ask for results");
  find("exercises-section").hidden = !results.on;
  setText("sharing", results.sharing + " of " + board.learners.length + " learners share their results.");
  fill("exercises", results.exercises, (one) => row([
    one.exercise,
    one.passed,
    one.tried - one.passed,
    one.mistakes.map((mistake) => mistake.name + " (" + mistake.count + ")").join(", "),
  ]));
  fill("nicknames", results.learners, (one) => row([
    one.nickname, one.passed.join(", "), one.stuck.join(", "),
  ]));
  fill("learners", board.learners, (one) => row([
    one.name, one.running, one.waiting, one.replies, revokeButton(one.name),
  ]));
}

async function refresh() {
  try {
    board = await ask("board");
    show();
  } catch (error) {
    const unknown = error.status === 401 || error.status === 403;
    if (unknown) {
      find("sign-in").hidden = false;
      find("board").hidden = true;
      setText("state", "Sign in as the teacher.");
    } else {
      setText("state", "The class server does not answer; trying again.");
    }
  }
}

async function act(page, body) {
  try {
    return await ask(page, body);
  } catch (error) {
    setText("made", error.message);
    return null;
  } finally {
    await refresh();
  }
}

find("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", find("key").value.trim());
  find("key").value = "";
  refresh();
});
find("pause").addEventListener("click", () => act("pause", { on: !board.paused }));
find("results").addEventListener("click", () => act("results", { on: !board.progress.on }));
find("restart").addEventListener("click", () => {
  if (confirm("End the model server and start it again? Replies under way are lost.")) {
    act("restart", {});
  }
});
find("learners").addEventListener("click", (event) => {
  const name = event.target.dataset && event.target.dataset.name;
  if (name !== undefined && confirm("Revoke the key of " + name + "?")) act("revoke", { name });
});
find("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  const made = await act("add", { name: find("name").value.trim() });
  if (made !== null) {
    find("name").value = "";
    setText("made", made.name + ": COURSE_MODEL=" + location.origin + "/v1 COURSE_API_KEY=" + made.key);
  }
});

async function keepShowing() {
  await refresh();
  setTimeout(keepShowing, 1000 * SECONDS);
}
keepShowing();
