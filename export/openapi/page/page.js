"use strict";

// Asks what a form of the page describes, and shows the answer below it.

function addressOf(form) {
  const fields = [...form.elements].filter((field) => field.name && field.value);
  let path = form.dataset.address;
  const query = new URLSearchParams();
  for (const field of fields) {
    if (field.dataset.in === "path") {
      path = path.replaceAll(`{${field.name}}`, encodeURIComponent(field.value));
    } else {
      query.append(field.name, field.value);
    }
  }
  return { path: document.body.dataset.root + path, query };
}

function requestOf(form) {
  const { path, query } = addressOf(form);
  const token = document.getElementById("token").value;
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const { method, kind } = form.dataset;
  const options = { method, headers, credentials: "omit", cache: "no-cache" };
  if (method === "GET") {
    return [query.size ? `${path}?${query}` : path, options];
  }
  if (kind !== "application/json") {
    return [path, { ...options, body: query }];
  }
  const values = [...query].map(([name, text]) => [name, parsed(text)]);
  headers["Content-Type"] = kind;
  return [path, { ...options, body: JSON.stringify(Object.fromEntries(values)) }];
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function readable(text, kind) {
  try {
    return kind.includes("json") ? JSON.stringify(JSON.parse(text), null, 2) : text;
  } catch {
    return text;
  }
}

async function ask(form) {
  const output = form.querySelector("pre");
  const [address, options] = requestOf(form);
  try {
    const answer = await fetch(address, options);
    const kind = answer.headers.get("Content-Type") || "";
    const told = readable(await answer.text(), kind);
    output.textContent = `${options.method} ${address}\n${answer.status} ${kind}\n\n${told}`;
  } catch (error) {
    output.textContent = `${options.method} ${address}\n${error}`;
  }
  output.hidden = false;
}

// An address of the page with #OPERATION?NAME=VALUE fills a form in; what only reads is asked.
function recall() {
  const [operation, given] = location.hash.slice(1).split("?");
  const section = operation && document.getElementById(operation);
  const form = section && section.querySelector("form");
  if (!form) {
    return;
  }
  section.open = true;
  for (const [name, value] of new URLSearchParams(given)) {
    const field = form.elements.namedItem(name);
    if (field) {
      field.value = value;
    }
  }
  if (given !== undefined && form.dataset.method === "GET") {
    ask(form);
  }
}

recall();

for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(form);
  });
}
