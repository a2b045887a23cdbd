// The list of tasks: what is selected, and the search that goes on. A task's page: the log of its attempt.
"use strict";

const RUNNING_SECONDS = 2;
const ENOUGH_ROWS = 50;

// --- Dates are given in the reader's zone, and sent in UTC.

for (const input of document.querySelectorAll("input[data-zone]")) {
  const label = document.querySelector(`label[for="${input.id}"]`);
  label.textContent = label.textContent.replace("UTC", "your time");
  input.form.addEventListener("formdata", (event) => {
    if (input.value) event.formData.set(input.name, new Date(input.value).toISOString());
  });
}

// --- Selection.

const every = document.getElementById("every");
const ticks = () => [...document.querySelectorAll("#rows input[name=id]")];

function tell() {
  const count = ticks().filter((each) => each.checked).length;
  const place = document.getElementById("selected");
  if (place) place.textContent = count ? `${count} selected` : "";
  if (every) every.indeterminate = count > 0 && count < ticks().length;
  if (every) every.checked = count > 0 && count === ticks().length;
}

document.addEventListener("change", (event) => {
  if (event.target === every) for (const each of ticks()) each.checked = every.checked;
  if (event.target.matches("#rows input, #every")) tell();
});
document.addEventListener("refreshed", tell);
tell();

// --- A search that has to look at many tasks goes on by itself, until a page is full.

async function goOn() {
  const link = document.querySelector("[data-go-on]");
  const rows = document.getElementById("rows");
  if (!link || document.hidden || document.querySelectorAll("#rows input[name=id], #rows a").length >= ENOUGH_ROWS) return;
  rows.dataset.keep = document.getElementById("pages").dataset.keep = "";
  const answer = await fetch(link.href);
  if (!answer.ok || !link.isConnected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  localize(fresh);
  const found = [...fresh.querySelectorAll("#rows tr:not([data-key=none])")];
  const none = rows.querySelector("[data-key=none]");
  if (none) none.replaceWith(...(found.length ? found : fresh.querySelectorAll("#rows tr")));
  else rows.append(...found);
  document.getElementById("pages").replaceChildren(...fresh.getElementById("pages").childNodes);
  goOn();
}

if (document.getElementById("rows")) {
  goOn();
  // What was found so is not looked for again with each commit.
  document.addEventListener("refreshed", () => { if ("keep" in document.getElementById("rows").dataset) tellNews(1); });
  document.addEventListener("visibilitychange", goOn);
}

// --- A count that takes long goes on by itself.

async function countOn() {
  const count = document.getElementById("count");
  const link = count && count.querySelector("[data-go-on]");
  if (!link) return;
  const answer = await fetch(link.href);
  if (!answer.ok || !link.isConnected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  count.replaceChildren(...fresh.getElementById("count").childNodes);
  countOn();
}
countOn();

// --- What is logged is not committed, so nobody tells of it.

setInterval(() => {
  if (document.querySelector("[data-running]")) refresh();
}, RUNNING_SECONDS * 1000);
