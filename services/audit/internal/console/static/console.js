// The parts of the console that move: the live view and the check of receipts. Everything shown is set as text; nothing is ever parsed as markup.
import { check } from "/static/receipt.js";

const byId = (id) => document.getElementById(id);

function element(name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
}

function organisation(cell, org, fallback) {
  if (org.name) cell.append(document.createTextNode(org.name + " "), element("span", org.id, "quiet"));
  else if (org.id) cell.append(document.createTextNode(org.id));
  else cell.append(element("span", fallback, "quiet"));
}

function tableRow(row) {
  const tr = element("tr", undefined, row.verdict.class + " fresh");
  const cell = (className) => tr.appendChild(element("td", undefined, className));
  const link = element("a");
  link.setAttribute("href", row.path);
  link.append(element("time", row.at));
  cell().append(link);
  const verdict = element("span", undefined, "verdict " + row.verdict.class);
  const sign = element("span", row.verdict.sign);
  sign.setAttribute("aria-hidden", "true");
  verdict.append(sign, document.createTextNode(" " + row.verdict.word));
  cell().append(verdict);
  organisation(cell(), row.internal ? { id: "", name: "" } : row.caller, row.internal ? "own service" : "–");
  organisation(cell(), row.owner, "–");
  cell().append(element("span", row.service, "quiet"), document.createTextNode(" " + row.method));
  cell().textContent = row.purpose;
  cell().textContent = row.status;
  cell("number").textContent = row.lasted;
  return tr;
}

const maxRows = 200;

function live(button) {
  const state = byId("live-state");
  const body = byId("exchanges").tBodies[0];
  let source = null;
  let seen = 0;
  const stop = () => {
    source.close();
    source = null;
    button.setAttribute("aria-pressed", "false");
    button.textContent = "Watch live";
    state.textContent = seen + " exchanges came while watching.";
  };
  const start = () => {
    seen = 0;
    source = new EventSource(button.dataset.source);
    button.setAttribute("aria-pressed", "true");
    button.textContent = "Stop watching";
    state.textContent = "Waiting for exchanges…";
    source.addEventListener("rows", (event) => {
      const message = JSON.parse(event.data);
      for (const old of body.querySelectorAll(".fresh")) old.classList.remove("fresh");
      body.prepend(...message.rows.map(tableRow));
      while (body.rows.length > maxRows) body.deleteRow(-1);
      seen += message.rows.length;
      state.textContent = seen + " new" + (message.skipped ? "; more come than can be shown, these are the latest" : "");
    });
    source.addEventListener("error", () => { state.textContent = "The connection broke; trying again…"; });
  };
  button.hidden = false;
  button.addEventListener("click", () => (source ? stop() : start()));
}

function receipt(button) {
  const list = byId("checks");
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    list.replaceChildren();
    const say = (good, text) => list.append(element("li", (good ? "✓ " : "✕ ") + text, good ? "good" : "bad"));
    try {
      const answer = await fetch(button.dataset.receipt, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error("The receipt could not be fetched (" + answer.status + "). The checkpoint may not be signed yet; try again.");
      await check(await answer.json(), button.dataset.key, button.dataset.event, say);
    } catch (err) {
      say(false, err instanceof Error ? err.message : "The check could not be made.");
    }
    list.dataset.done = "true";
    button.disabled = false;
  });
}

// A sign-in address carries its token behind the #, which browsers send to nobody.
function signIn(form) {
  const token = location.hash.slice(1);
  if (!token) return;
  history.replaceState(null, "", location.pathname);
  form.elements.token.value = token;
  form.submit();
}

if (byId("live")) live(byId("live"));
if (byId("check")) receipt(byId("check"));
if (byId("sign-in")) signIn(byId("sign-in"));

// "/" goes to the search, as in many programs.
document.addEventListener("keydown", (event) => {
  const first = document.querySelector(".search input");
  if (event.key !== "/" || !first || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  event.preventDefault();
  first.focus();
});
