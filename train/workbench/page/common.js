// What all pages of the workbench share.
export const $ = (id) => document.getElementById(id);
export const sleep = (ms) => new Promise((go) => setTimeout(go, ms));
export const say = (text) => { $("message").textContent = text; };

const TITLES = {review: "Review", folder: "Many pictures", train: "Train"};

export function make(name, content = {}, ...children) {
  const element = Object.assign(document.createElement(name), content);
  element.append(...children);
  return element;
}

export async function call(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)};
  const answer = await fetch(path, options);
  const content = answer.headers.get("content-type")?.includes("json") ? await answer.json() : {};
  if (!answer.ok) throw Object.assign(new Error(content.error || `error ${answer.status}`),
    {refused: answer.status < 500});
  return content;
}

// What an error means to who looks at the page.
export const told = (error) =>
  error instanceof TypeError ? "The server does not answer; trying again …" : error.message;

// A file that the server packs, saved under its own name.
export async function download(path, name) {
  say("Packing …");
  const answer = await fetch(path).catch(() => null);
  if (!answer?.ok) return say(answer ? (await answer.json()).error : "The server does not answer.");
  say("");
  const link = make("a", {href: URL.createObjectURL(await answer.blob()), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// The jobs or trainings of a page as buttons; `rows` has name and state of each.
export function listed(id, rows, open, look) {
  const buttons = rows.map(([name, state]) => {
    const button = make("button", {type: "button"}, make("b", {textContent: name}),
      make("span", {textContent: state}));
    button.setAttribute("aria-pressed", name === open);
    button.addEventListener("click", () => look(name));
    return button;
  });
  $(id).replaceChildren(...(rows.length ? buttons :
    [make("p", {className: "hint", textContent: "None yet."})]));
}

// The links between pages, and the forms of export where the page has a list of them.
export async function frame(own) {
  const {pages, forms} = await call("api/pages");
  const links = pages.map((name) => make("a", {href: name, textContent: TITLES[name]}));
  links.forEach((link, k) => { if (pages[k] === own) link.setAttribute("aria-current", "page"); });
  if (/\/workbench\//.test(location.pathname))
    links.unshift(make("a", {href: "../", textContent: "One picture"}));
  $("pages").replaceChildren(...links);
  const list = $("form");
  for (const [name, title] of Object.entries(forms))
    list?.append(make("option", {value: name, textContent: title}));
}

export function timeLeft(seconds) {
  if (seconds === null) return "";
  return seconds < 120 ? `${Math.ceil(seconds)} s left` : seconds < 7200 ?
    `${Math.round(seconds / 60)} min left` : `${(seconds / 3600).toFixed(1)} h left`;
}
