// The console keeps up with the database: after a commit the page is asked for again, and what
// differs is changed in place. Focus, selected text, open details and what was typed stay.
"use strict";

const POLL_SECONDS = 5;
const AGO_SECONDS = 10;

// --- Times: in the reader's zone, with UTC on hover (the title, which the server sends).

const CLOCK = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat("sv", { year: "numeric", month: "2-digit", day: "2-digit" });
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "narrow" });
const UNITS = [["second", 1, 60], ["minute", 60, 3600], ["hour", 3600, 86400], ["day", 86400, Infinity]];

function ago(date) {
  const seconds = (date - Date.now()) / 1000;
  const [unit, size] = UNITS.find((each) => Math.abs(seconds) < each[2]);
  return AGO.format(Math.trunc(seconds / size), unit);
}

function shown(date, form) {
  const isToday = DAY.format(date) === DAY.format(Date.now());
  const full = `${DAY.format(date)} ${CLOCK.format(date)}`;
  if (form === "ago") return ago(date);
  if (form === "short") return (isToday ? CLOCK.format(date) : full).slice(0, -3);
  if (form === "both") return `${isToday ? CLOCK.format(date) : full} (${ago(date)})`;
  return form === "clock" && isToday ? CLOCK.format(date) : full;
}

function localize(root, forms = "") {
  for (const time of root.querySelectorAll(`time[datetime]${forms}`)) {
    const text = shown(new Date(time.dateTime), time.dataset.form);
    if (time.textContent !== text) time.textContent = text;
  }
}

// --- On a phone the navigation is one line: the page that is shown stands in it.

// Not by `scrollIntoView`, behind which the keyboard would go on from there.
const here = document.querySelector("nav [aria-current]");
if (here) here.parentElement.scrollLeft = here.offsetLeft - (innerWidth - here.offsetWidth) / 2;

// --- Changes in place.

// Not by `id`, which of a form is its field of that name.
const keyOf = (node) => (node.nodeType === 1 ? node.getAttribute("id") || node.dataset.key || "" : "");
const KEPT = new Set(["open"]); // of details and dialogs: the reader's own

function morph(old, fresh) {
  if (old.nodeType !== 1) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.isEqualNode(fresh) || "keep" in old.dataset) return;
  if ("steady" in old.dataset && isBeingRead(old)) { keepSteady(old, fresh); return; }
  if ("steady" in old.dataset) tellNews(0);
  for (const { name, value } of [...fresh.attributes])
    if (!KEPT.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes])
    if (!KEPT.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  morphChildren(old, fresh);
}

// --- A list stays as it is while somebody reads it or has chosen rows: what is in it changes, but
// no row comes, goes or moves until its reader has left it, or asks for it.

let isAsked = false, pointedAt = null;

const isBeingRead = (list) =>
  !isAsked && (list === pointedAt || list.matches(":focus-within") || scrollY > 40 || Boolean(list.querySelector(":checked")));

function keepSteady(list, fresh) {
  const keyed = new Map([...fresh.children].map((each) => [keyOf(each), each]));
  let changed = keyed.size;
  for (const row of list.children) {
    const wanted = keyed.get(keyOf(row));
    if (wanted) morph(row, wanted), changed--;
    else row.classList.add("gone"), changed++;
  }
  tellNews(changed);
}

function tellNews(changed) {
  const news = document.getElementById("news");
  if (news) news.hidden = !changed;
}

document.addEventListener("click", async (event) => {
  if (event.target.id !== "show-news") return;
  if (document.querySelector("#rows[data-keep]")) { location.reload(); return; }
  isAsked = true;
  await refresh();
  isAsked = false;
});
document.addEventListener("pointerover", (event) => {
  const left = pointedAt;
  pointedAt = event.target.closest("[data-steady]");
  const news = document.getElementById("news");
  if (left && !pointedAt && news && !news.hidden && !event.target.closest("#pages")) refresh();
});

function morphChildren(old, fresh) {
  const keyed = new Map();
  for (const child of old.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const match = matchOf(wanted, keyed, at);
    if (!match) old.insertBefore(wanted, at);
    else {
      if (match === at) at = at.nextSibling;
      else old.insertBefore(match, at);
      morph(match, wanted);
    }
  }
  while (at) at = removed(at);
}

function matchOf(wanted, keyed, at) {
  const key = keyOf(wanted);
  let match = at;
  if (key) {
    match = keyed.get(key);
    keyed.delete(key);
  } else while (match && keyOf(match)) match = match.nextSibling;
  return match && match.nodeName === wanted.nodeName ? match : null;
}

function removed(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

// --- Keeping up.

const body = document.body;
const button = document.getElementById("live");
let isOn = true, isAsking = false, isStale = false, source = null, timer = 0;

function say(text) {
  const state = document.getElementById("live-state");
  if (state) state.textContent = text;
  if (text === "offline" || text === "no answer") forgetHealth();
}

// Whether it is well, only a daemon that answers can tell.
function forgetHealth() {
  const health = document.getElementById("health");
  if (health) [health.className, health.textContent] = ["state off", "no answer"];
}

function isHeld() {
  return !isOn || document.hidden || !document.getSelection().isCollapsed || Boolean(document.querySelector("dialog[open]"));
}

async function refresh() {
  if (isAsking || isHeld()) { isStale = true; return; }
  isAsking = true; isStale = false;
  try {
    const answer = await fetch(location.href, { headers: { "X-Live": "1" } });
    if (answer.status === 401) { location.reload(); return; }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.status === 404) { tellGone(fresh); return; }
    if (!answer.ok) { say("no answer"); return; }
    localize(fresh);
    for (const id of ["content", "health"]) {
      const [old, wanted] = [document.getElementById(id), fresh.getElementById(id)];
      if (old && wanted) morph(old, wanted);
    }
    body.dataset.seen = fresh.body.dataset.seen;
    document.dispatchEvent(new Event("refreshed"));
    say(source ? "live" : "polling");
  } catch {
    say("offline");
  } finally {
    isAsking = false;
    if (isStale) soon();
  }
}

// What the page is about has been deleted: it stays to be read, and says so.
function tellGone(refusal) {
  isOn = false;
  stop();
  say("gone");
  button.disabled = true;
  const notice = document.createElement("p");
  notice.className = "alarm";
  notice.setAttribute("role", "alert");
  notice.textContent = `This is gone by now. ${refusal.querySelector("#content p").textContent}`;
  document.getElementById("content").prepend(notice);
}

function soon() {
  if (!isHeld()) setTimeout(refresh, 400);
}

function listen() {
  clearInterval(timer);
  source = new EventSource(`/console/events?seen=${body.dataset.seen}`);
  source.addEventListener("open", () => {
    say("live");
    if (document.querySelector("#health.off")) soon();
  });
  source.addEventListener("changed", refresh);
  source.addEventListener("error", () => {
    say("offline");
    if (source && source.readyState === EventSource.CLOSED) poll();
  });
}

function poll() {
  stop();
  say("polling");
  timer = setInterval(refresh, POLL_SECONDS * 1000);
}

function stop() {
  if (source) source.close();
  source = null;
  clearInterval(timer);
}

function follow() {
  stop();
  if (!isOn) say(button.disabled ? "gone" : "held");
  else if (!document.hidden) listen();
}

localize(document);
setInterval(() => { if (!document.hidden) localize(document, ":is([data-form=ago],[data-form=both])"); }, AGO_SECONDS * 1000);

if (body.dataset.seen) {
  follow();
  document.addEventListener("visibilitychange", follow);
  document.addEventListener("selectionchange", () => { if (isStale) soon(); });
  button.addEventListener("click", () => {
    isOn = !isOn;
    button.setAttribute("aria-pressed", String(isOn));
    follow();
  });
}

// --- Questions before what cannot be taken back.

document.addEventListener("submit", (event) => {
  const asker = event.submitter && event.submitter.dataset.confirm;
  if (asker && !confirm(asker)) event.preventDefault();
});
