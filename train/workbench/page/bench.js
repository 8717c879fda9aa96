import {$, call, download, frame, say, sleep} from "./common.js";

// Review: one object at a time. A decision is sent, and only when the server has it on its
// disk does the next object appear, which is here already.
const AHEAD = 6; // objects fetched before they are asked about
const KEPT = 40; // objects held at all
const DRAG = 6; // pixels of the screen that make a box of a click
const RETRY = 1000; // ms between tries while the server does not answer
const SVG = "http://www.w3.org/2000/svg";
let colours = [];
let queue = []; // numbers of objects, in order
let place = 0; // of the one shown, in the queue
let seen = []; // places shown before, for Back
let at = 0; // how much of the server's log is known
let shown = null; // the object shown: entry, drawn, marked, several
let busy = null; // what is on its way, or waits for it; see `guarded`
let mode = ""; // "on" or "off" the object, where a click sets a point
const fetched = new Map(); // number → promise of {entry, image}
const done = new Set(); // decided by anyone

const who = () => $("who").value.trim() || "someone";

// Until the server has it: one that has ended is waited for, what it refuses is said.
async function surely(path, body) {
  for (;;) {
    try {
      const content = await call(path, body);
      say("");
      return content;
    } catch (error) {
      if (error.refused) throw error;
      const told = error instanceof TypeError ? "The server does not answer" : error.message;
      say(`${told}. This is not saved yet; trying again …`);
      await sleep(RETRY);
    }
  }
}

function load(number) {
  if (!fetched.has(number)) {
    const loading = (async () => {
      const entry = await call(`api/object/${number}`);
      const image = new Image();
      image.src = `api/picture/${entry.picture}`;
      const broken = await image.decode().then(() => "", () => refusal(image.src));
      return {entry, image, broken};
    })();
    loading.catch(() => fetched.delete(number));
    fetched.set(number, loading);
    for (const old of fetched.keys()) {
      if (fetched.size <= KEPT) break;
      fetched.delete(old);
    }
  }
  return fetched.get(number);
}

// Why a picture cannot be shown; what the server is asked in vain is tried again.
async function refusal(source) {
  try { await call(source); } catch (error) {
    if (error.refused) return error.message;
    throw error;
  }
  return "The picture cannot be shown.";
}

const open = (k) => !$("undecided").checked || !done.has(queue[k]);

function following(from) {
  let k = from;
  while (k < queue.length && !open(k)) k += 1;
  return k;
}

function ahead() {
  const places = [];
  for (let k = following(place + 1); k < queue.length && places.length < AHEAD;
    k = following(k + 1)) places.push(k);
  return places;
}

async function begin() {
  const query = new URLSearchParams(
    {name: $("order").value, undecided: $("undecided").checked});
  const answer = await surely(`api/order?${query}`);
  colours = answer.colours;
  for (const id of ["on", "off"]) $(id).hidden = !answer.points;
  document.querySelectorAll(".points").forEach((part) => { part.hidden = !answer.points; });
  [queue, place, seen, at] = [answer.numbers, 0, [], answer.at];
  done.clear();
  progress(answer);
  await show(0);
}

function progress(answer) {
  answer.log.forEach((number) => done.add(number));
  at = answer.at;
  const share = answer.objects ? answer.reviewed / answer.objects : 1;
  $("left").textContent = `${answer.left.toLocaleString("en")} left of ` +
    `${answer.objects.toLocaleString("en")}` +
    (answer.conflicts ? ` · ${answer.conflicts} decided in different ways` : "");
  $("bar").firstElementChild.style.width = `${100 * share}%`;
  $("bar").setAttribute("aria-valuenow", Math.round(100 * share));
  $("agreement").lastElementChild.replaceChildren(...agreement(answer.agreement));
}

function agreement(counts) {
  const line = (text) => Object.assign(document.createElement("p"), {textContent: text});
  const share = (own, of) => `${Math.round(100 * own / of)} % (${own} of ${of})`;
  const {all, random} = counts;
  if (!all.decided) return [line("Nothing is decided yet.")];
  const lines = [line(`S2's choice is kept: ${share(all.S2, all.decided)}.`)];
  if (all["of third"]) lines.push(line(`Stage 3's: ${share(all.third, all["of third"])}.`));
  for (const [kind, own] of Object.entries(all.kinds))
    lines.push(line(`By ${kind}: ${share(own.S2, own.decided)}.`));
  if (counts.accuracy) {
    const [low, high] = counts.accuracy.map((v) => Math.round(100 * v));
    lines.push(line(`Of those asked at random, a fair sample: S2 is right in ` +
      `${share(random.S2, random.decided)}, 95 % interval ${low} to ${high} %.`));
  } else lines.push(line("An estimate of S2's accuracy takes the order “at random”."));
  return lines;
}

async function show(k) {
  place = following(k);
  if (place >= queue.length) return end();
  const number = queue[place];
  let loaded;
  for (;;) {
    try { loaded = await load(number); break; } catch (error) {
      say(error.refused ? error.message : "The server does not answer; trying again …");
      if (error.refused) return;
      await sleep(RETRY);
    }
  }
  if (queue[place] !== number) return; // another was asked for meanwhile
  const {entry, image, broken} = loaded;
  if (broken) say(broken);
  shown = {entry, image, drawn: [], marked: new Set(), several: false, points: [], pointed: -1};
  pointing("");
  take(entry.state);
  if (!entry.state.decided && entry.chosen >= 0) shown.marked.add(entry.chosen);
  document.body.dataset.object = number;
  document.body.dataset.shown = performance.now();
  draw();
  ahead().forEach((next) => load(queue[next]).then(strip, () => {}));
  strip();
  // What others have decided since it was fetched; nobody waits for it.
  call(`api/state/${number}`).then((state) => {
    if (shown?.entry !== entry || JSON.stringify(state) === JSON.stringify(entry.state)) return;
    take(state);
    draw();
  }, () => {});
}

// What is decided of the object by now.
function take(state) {
  shown.entry.state = state;
  if (!state.decided) return;
  shown.drawn = [...state.drawn];
  shown.marked = new Set(state.candidates);
  shown.drawn.forEach((_, k) => shown.marked.add(shown.entry.candidates.length + k));
  shown.several = shown.marked.size > 1;
}

function end() {
  shown = null;
  delete document.body.dataset.object;
  $("canvas").replaceChildren();
  $("candidates").replaceChildren();
  $("words").replaceChildren();
  $("next").replaceChildren();
  $("state").textContent = "";
  $("why").textContent = queue.length ? "All of these are decided." : "Nothing is left to decide.";
}

const every = () => [...shown.entry.candidates, ...shown.drawn];
const colour = (k) => colours[k % colours.length];

function make(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

function draw() {
  const {entry, image, marked} = shown;
  const [height, width] = entry.size;
  const canvas = $("canvas");
  canvas.replaceChildren();
  canvas.setAttribute("viewBox", `0 0 ${width} ${height}`);
  canvas.style.aspectRatio = `${width} / ${height}`;
  make("image", {href: image.src, width, height}, canvas);
  const all = every();
  all.forEach((candidate, k) => {
    const on = marked.has(k);
    make("path", {d: candidate.path, class: "halo", "stroke-width": on ? 7 : 3.5}, canvas);
    const path = make("path", {d: candidate.path, class: "mask", fill: colour(k).fill,
      "fill-rule": "evenodd", "fill-opacity": on ? 0.5 : 0.2, stroke: colour(k).fill,
      "stroke-width": on ? 4.5 : 2, "data-candidate": k}, canvas);
    path.addEventListener("click", () => { if (!dragged && !mode) choose(k); });
  });
  const placed = [];
  all.forEach((candidate, k) => badge(candidate, k, Math.max(width, height) / 40, placed));
  for (const {at: [x, y], on} of shown.points) {
    const radius = Math.max(width, height) / 90;
    make("circle", {cx: x, cy: y, r: radius, class: `point ${on ? "on" : "off"}`}, canvas);
  }
  const classes = entry.classes.length ? ` · ${entry.classes.join(", ")}` : "";
  $("why").replaceChildren(
    Object.assign(document.createElement("b"), {textContent: entry.why}), `${classes} · ${entry.name}`);
  words();
  buttons(all);
  const {who: name, decided, conflict} = entry.state;
  $("state").textContent = (decided ? `${name} has decided.` : "") +
    (conflict.length ? ` ${conflict.join(", ")} decided otherwise before.` : "");
  $("all").setAttribute("aria-pressed", shown.several);
}

function badge(candidate, k, radius, placed) {
  const [height, width] = shown.entry.size;
  const box = candidate.box || bounds(candidate.path);
  const corners = [[box[0], box[1]], [box[2], box[1]], [box[0], box[3]], [box[2], box[3]]];
  const inside = ([x, y]) => [Math.min(Math.max(x, radius), width - radius),
    Math.min(Math.max(y, radius), height - radius)];
  const free = ([x, y]) => placed.every(([px, py]) => Math.hypot(x - px, y - py) >= 2 * radius);
  const [x, y] = corners.map(inside).find(free) || inside(corners[0]);
  placed.push([x, y]);
  const group = make("g", {class: "badge"}, $("canvas"));
  make("circle", {cx: x, cy: y, r: radius, fill: colour(k).fill, stroke: "#fff",
    "stroke-width": radius / 6}, group);
  make("text", {x, y, fill: colour(k).ink, "font-size": radius * 1.25, "font-weight": 700,
    "text-anchor": "middle", "dominant-baseline": "central"}, group).textContent = k + 1;
}

function bounds(path) {
  const numbers = path.match(/\d+/g).map(Number);
  const [x, y] = [0, 1].map((side) => numbers.filter((_, i) => i % 2 === side));
  return [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)];
}

function buttons(all) {
  const {entry, marked} = shown;
  $("candidates").replaceChildren(...all.map((candidate, k) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", marked.has(k));
    const number = Object.assign(document.createElement("span"),
      {className: "number", textContent: k + 1});
    number.style.background = colour(k).fill;
    number.style.color = colour(k).ink;
    const tags = [k === entry.chosen && "S2", k === entry.third && "stage 3"].filter(Boolean);
    button.append(number, candidate.label || (k - entry.candidates.length === shown.pointed ? "your points" : "your drawing"), Object.assign(
      document.createElement("span"), {className: "tag", textContent: tags.join(", ")}));
    button.addEventListener("click", () => choose(k));
    return button;
  }));
}

function words() {
  const {entry} = shown;
  const said = entry.state.expressions || entry.expressions;
  $("words").replaceChildren(...said.map((text, k) => {
    const row = document.createElement("li");
    const struck = text === null;
    row.classList.toggle("struck", struck);
    const field = Object.assign(document.createElement("textarea"),
      {value: struck ? entry.expressions[k] : text, disabled: struck, maxLength: 500, rows: 1});
    field.setAttribute("aria-label", `Expression ${k + 1}`);
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") { event.preventDefault(); field.blur(); }
      if (event.key === "Escape") { field.value = text; field.blur(); }
    });
    field.addEventListener("change", () => correct(k, field.value));
    const strike = Object.assign(document.createElement("button"),
      {type: "button", textContent: struck ? "↺" : "✕"});
    strike.setAttribute("aria-label", `${struck ? "Keep" : "Strike out"} expression ${k + 1}`);
    strike.addEventListener("click", () => correct(k, struck ? entry.expressions[k] : null));
    row.append(field, strike);
    return row;
  }));
  $("words").querySelectorAll("textarea").forEach((field) => {
    field.addEventListener("input", () => fit(field));
    fit(field);
  });
}

// As high as its text is.
function fit(field) {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
}

async function correct(k, text) {
  const {entry} = shown;
  const said = [...(entry.state.expressions || entry.expressions)];
  said[k] = text === null || !text.trim() ? null : text;
  await guarded(async () => {
    const state = await surely(`api/words/${entry.number}`, {who: who(), expressions: said});
    entry.state = state;
    if (shown?.entry === entry) draw();
  });
}

function strip() {
  if (!shown) return;
  Promise.all(ahead().map(async (k) => {
    const {entry, image} = await load(queue[k]);
    const button = Object.assign(document.createElement("button"), {type: "button"});
    const text = (content, name) => Object.assign(document.createElement("span"),
      {textContent: content, className: name});
    button.append(Object.assign(new Image(), {src: image.src, alt: ""}),
      text(entry.expressions[0], ""), text(entry.why, "why"));
    button.addEventListener("click", () => guarded(() => go(k), true));
    return button;
  })).then((parts) => { $("next").replaceChildren(...parts); }, () => {});
}

// One thing at a time. While the page moves to another object, a key does nothing, as it was pressed
// for the one before. All else is waited for: a key after a click on a point has the point's mask.
// What waits for something that fails is not done.
async function guarded(work, moves = false) {
  if (busy?.moves) return;
  const before = busy?.done;
  const own = busy = {moves};
  own.done = (async () => {
    try {
      if (before && !await before) return false;
      await work();
      return true;
    } catch (error) {
      say(error.message);
      return false;
    } finally {
      if (busy === own) busy = null;
    }
  })();
  await own.done;
}

async function go(k) {
  seen.push(place);
  await show(k);
}

async function decide(chosen) {
  if (!shown) return;
  await guarded(async () => {
    const {entry, drawn} = shown;
    const count = entry.candidates.length;
    const pressed = performance.now();
    const state = await surely(`api/object/${entry.number}`, {
      who: who(), order: $("order").value,
      candidates: [...chosen].filter((k) => k < count),
      drawn: [...chosen].filter((k) => k >= count).map((k) => drawn[k - count].counts)});
    entry.state = state;
    done.add(entry.number);
    window.taken = (window.taken || 0) + 1; // how many the page has shown as taken
    const others = state.conflict.length ? `${state.conflict.join(", ")} decided otherwise.` : "";
    await go(place + 1);
    if (others) say(others);
    requestAnimationFrame(() => { window.delay = performance.now() - pressed; });
    call(`api/progress?since=${at}`).then(progress, () => {});
  }, true);
}

function choose(k) {
  if (!shown || k >= every().length) return;
  if (!shown.several) return decide([k]);
  if (!shown.marked.delete(k)) shown.marked.add(k);
  draw();
}

function several() {
  if (!shown) return;
  shown.several = !shown.several;
  shown.marked = new Set(shown.several ? every().keys() : [shown.entry.chosen].filter((k) => k >= 0));
  draw();
}

async function back() {
  if (mode && shown?.points.length) return point(null);
  await guarded(async () => {
    if (!seen.length) return say("This is the first one.");
    const k = seen.pop();
    const kept = done.delete(queue[k]);
    await show(k);
    if (kept) done.add(queue[k]);
  }, true);
}

const actions = {
  Enter: () => decide(shown ? shown.marked : []), 0: () => decide([]), a: several,
  s: () => guarded(() => go(place + 1), true), Backspace: back,
  b: () => drawing(!$("canvas").classList.contains("drawing")),
  p: () => pointing(mode === "on" ? "" : "on"), n: () => pointing(mode === "off" ? "" : "off"), "?": () => $("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
  if (event.target.closest("input:not([type=checkbox]), select")) return;
  if (event.target.closest("button, summary") && event.key === "Enter") return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const action = /^[1-9]$/.test(key) ? () => choose(key - 1) : actions[key];
  if (!action) return;
  event.preventDefault();
  if (!event.repeat) action();
});
for (const [id, key] of [["back", "Backspace"], ["skip", "s"], ["none", 0], ["all", "a"],
  ["draw", "b"], ["on", "p"], ["off", "n"], ["accept", "Enter"], ["help", "?"]])
  $(id).addEventListener("click", (event) => { event.currentTarget.blur(); actions[key](); });

$("take").addEventListener("click", () =>
  download(`api/export/${$("form").value}?alone=${$("alone").checked}`, `${$("form").value}.zip`));

// A box drawn on the picture.
let corner = null;
let dragged = false;
let rubber = null;

function drawing(on) {
  if (on) pointing("");
  $("canvas").classList.toggle("drawing", on);
  $("draw").setAttribute("aria-pressed", on);
}

function pixel(event) {
  const point = new DOMPoint(event.clientX, event.clientY);
  const own = point.matrixTransform($("canvas").getScreenCTM().inverse());
  return [own.x, own.y];
}

$("canvas").addEventListener("pointerdown", (event) => {
  const touch = event.pointerType === "touch";
  if (!shown || mode || event.button || (touch && !$("canvas").classList.contains("drawing"))) return;
  [corner, dragged] = [{event, at: pixel(event)}, false];
});
window.addEventListener("pointermove", (event) => {
  if (!corner) return;
  const {clientX, clientY} = corner.event;
  dragged ||= Math.hypot(event.clientX - clientX, event.clientY - clientY) > DRAG;
  if (!dragged) return;
  rubber ||= make("rect", {fill: "none", stroke: "#fff", "stroke-dasharray": "6 4",
    "stroke-width": 2, "vector-effect": "non-scaling-stroke"}, $("canvas"));
  const [x0, y0, x1, y1] = corners(event);
  for (const [key, value] of Object.entries({x: x0, y: y0, width: x1 - x0, height: y1 - y0}))
    rubber.setAttribute(key, value);
});
window.addEventListener("pointerup", async (event) => {
  if (!corner) return;
  const box = dragged ? corners(event) : null;
  corner = null;
  rubber?.remove();
  rubber = null;
  setTimeout(() => { dragged = false; }, 0); // after the click that ends the drag
  if (!box) return;
  drawing(false);
  const {entry} = shown;
  await guarded(async () => {
    say("Looking in the box …");
    const found = await call(`api/box/${entry.number}`, {box});
    say("");
    if (shown?.entry !== entry) return;
    shown.drawn.push(found);
    const number = every().length - 1;
    if (!shown.several) shown.marked.clear();
    shown.marked.add(number);
    draw();
  });
});

// Points on the object and off it: each click asks anew, and what it makes is one candidate.
function pointing(kind) {
  mode = $("on").hidden ? "" : kind;
  if (mode) drawing(false);
  $("canvas").classList.toggle("pointing", Boolean(mode));
  for (const id of ["on", "off"]) $(id).setAttribute("aria-pressed", mode === id);
}

$("canvas").addEventListener("click", (event) => {
  if (mode && shown) point({at: pixel(event), on: event.shiftKey ? mode === "off" : mode === "on"});
});

// One more point; null takes the last one back.
async function point(added) {
  await guarded(async () => {
    const {entry, points: before} = shown;
    const points = added ? [...before, added] : before.slice(0, -1);
    shown.points = points;
    draw(); // where it is, while what it means is found
    let found = null;
    if (points.some(({on}) => on)) {
      say("Looking at the points …");
      try {
        found = await call(`api/points/${entry.number}`,
          {points: points.map(({at}) => at), on: points.map(({on}) => on)});
      } catch (error) {
        if (shown?.entry === entry) { shown.points = before; draw(); }
        throw error;
      }
      say("");
    }
    if (shown?.entry !== entry) return;
    if (shown.pointed < 0) shown.pointed = shown.drawn.length;
    const number = entry.candidates.length + shown.pointed;
    shown.marked.delete(number);
    shown.drawn.splice(shown.pointed, 1, ...(found ? [found] : []));
    if (found) {
      if (!shown.several) shown.marked.clear();
      shown.marked.add(number);
    } else shown.pointed = -1;
    draw();
  });
}

function corners(event) {
  const [[ax, ay], [bx, by]] = [corner.at, pixel(event)];
  return [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
}

$("who").value = localStorage.getItem("who") ||
  `guest ${Math.random().toString(36).slice(2, 6)}`;
$("who").addEventListener("change", () => localStorage.setItem("who", who()));
localStorage.setItem("who", $("who").value);
frame("review").catch(() => {});
$("order").addEventListener("change", begin);
$("undecided").addEventListener("change", begin);
begin();
