import {$, call, download, frame, listed, make, say, sleep, timeLeft, told} from "./common.js";

// Many pictures: jobs that the server does one after the other; this page only looks.
const LOOK = 1000; // ms between looks at a job that runs
const PART = 50; // rows of the table at once
const OWN_WORDS = /\.(zip|jsonl?|csv)$/i; // files that may have expressions of their own
const ACTIVE = ["waiting", "running"];

let picked = []; // files to send
let open = decodeURIComponent(location.hash.slice(1)); // the job that is looked at
let first = 0; // row of the table
let drawn = ""; // what the table shows

function choose(event) {
  picked = [...event.target.files];
  for (const id of ["folder", "files"]) if (event.target.id !== id) $(id).value = "";
  $("source").value = "";
  const size = picked.reduce((sum, file) => sum + file.size, 0) / 1e6;
  $("chosen").textContent = picked.length ?
    `${picked.length.toLocaleString("en")} files, ${size.toFixed(1)} MB, are sent to this page.` :
    "Or a place on the machine that this page runs on:";
}
$("folder").addEventListener("change", choose);
$("files").addEventListener("change", choose);
$("source").addEventListener("input", () => {
  if (!$("source").value) return;
  for (const id of ["folder", "files"]) $(id).value = "";
  picked = [];
  $("chosen").textContent = "A place on the machine that this page runs on:";
});

$("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("begin").disabled = true;
  try {
    const source = $("source").value.trim();
    if (!source && !picked.length) throw new Error("Choose pictures first, or name their place.");
    if (!$("expressions").value.trim() && ![source, ...[...picked].map((file) => file.name)].some(
      (name) => OWN_WORDS.test(name))) throw new Error("Write what to look for, one object per line.");
    const job = await call("api/folders", {title: $("title").value, source,
      expressions: $("expressions").value, models: $("models").value,
      correct: $("correct").value});
    await send(job.name);
    await call(`api/folders/${encodeURIComponent(job.name)}/start`, {});
    say("");
    look(job.name);
  } catch (error) { say(error.message); } finally { $("begin").disabled = false; }
});

async function send(name) {
  for (const [k, file] of (picked.length ? picked : []).entries()) {
    say(`Sending ${k + 1} of ${picked.length} …`);
    const path = encodeURIComponent(file.webkitRelativePath || file.name);
    const answer = await fetch(`api/folders/${encodeURIComponent(name)}/file?path=${path}`, {method: "PUT", body: file});
    if (!answer.ok) throw new Error((await answer.json()).error || `error ${answer.status}`);
  }
}

function look(name) {
  [open, first, drawn] = [name, 0, ""];
  location.hash = encodeURIComponent(name);
  update().catch((error) => say(told(error)));
}

async function update() {
  const {jobs} = await call("api/folders");
  listed("jobs", jobs.map((job) => [job.name, stateOf(job)]).reverse(), open, look);
  const job = jobs.some(({name}) => name === open) &&
    await call(`api/folders/${encodeURIComponent(open)}?first=${first}`);
  $("job").hidden = !job;
  if (job) show(job);
  return jobs;
}

function stateOf({state, done, total, left, failed}) {
  const bad = Object.keys(failed).length;
  const count = `${done.toLocaleString("en")} of ${total.toLocaleString("en")}`;
  return [total ? count : "", {new: "not started", running: timeLeft(left), waiting: "waits",
    stopped: "stopped", done: "done", failed: "ended early"}[state],
    bad ? `${bad} could not be used` : ""].filter(Boolean).join(" · ");
}

function show(job) {
  $("name").textContent = job.name;
  $("progress").textContent = stateOf(job);
  const share = job.total ? Math.round(100 * job.done / job.total) : 0;
  $("bar").firstElementChild.style.width = `${share}%`;
  $("bar").setAttribute("aria-valuenow", share);
  $("error").textContent = job.error;
  $("stop").hidden = !ACTIVE.includes(job.state);
  $("go-on").textContent = job.state === "done" ? "Try again what could not be used" : "Go on";
  $("go-on").hidden = ACTIVE.includes(job.state) ||
    (job.state === "done" && !Object.keys(job.failed).length);
  $("export").hidden = !job.rows.some((row) => !row.error);
  const now = JSON.stringify([job.name, first, job.rows, job.of]);
  if (now === drawn) return; // lest a picture that is looked at is drawn anew
  drawn = now;
  $("rows").hidden = !job.rows.length;
  $("rows").tBodies[0].replaceChildren(...job.rows.map((row) => line(job.name, row)));
  $("part").textContent = job.of > PART ?
    `${first + 1} to ${first + job.rows.length} of ${job.of.toLocaleString("en")}` : "";
  $("before").hidden = !first;
  $("after").hidden = first + PART >= job.of;
}

function line(name, row) {
  const picture = make("td");
  if (!row.error) {
    const at = `api/folders/${[name, "picture", row.stem, row.object].map(encodeURIComponent).join("/")}`;
    const link = make("a", {href: at, target: "_blank"}, make("img",
      {src: `${at}?small=true`, loading: "lazy", alt: `The answer in ${row.picture}`}));
    picture.append(link);
  }
  const sure = make("td", {}, row.error ? make("b", {className: "warn", textContent: row.error}) :
    make("b", {className: `sure ${(row.sure || "nothing").replace(" ", "-")}`,
      textContent: row.sure || "nothing found"}));
  if (!row.error) sure.append(make("span", {className: "hint", textContent: row.message}));
  return make("tr", {}, picture, make("td", {textContent: row.picture}),
    make("td", {textContent: (row.expressions || []).join(" | ")}), sure);
}

const act = (what) => async () => {
  try { await call(`api/folders/${encodeURIComponent(open)}/${what}`, {}); await update(); }
  catch (error) { say(told(error)); }
};
$("stop").addEventListener("click", act("stop"));
$("go-on").addEventListener("click", act("start"));
for (const [id, by] of [["before", -PART], ["after", PART]])
  $(id).addEventListener("click", () => { first += by; update().catch(() => {}); });
$("take").addEventListener("click", () =>
  download(`api/folders/${encodeURIComponent(open)}/export/${$("form").value}`,
    `${open}-${$("form").value}.zip`));

async function begin() {
  await frame("folder");
  const {models, corrects, chosen} = await call("api/choices");
  for (const [id, list, value] of [["models", models, chosen.models],
    ["correct", corrects, chosen.correct]]) {
    $(id).replaceChildren(...list.map(({name, title}) =>
      make("option", {value: name, textContent: title})));
    $(id).value = value;
  }
}

for (let begun = false; ;) {
  try {
    if (!begun) { await begin(); begun = true; }
    const jobs = await update();
    if ($("message").textContent.startsWith("The server does not")) say("");
    await sleep(jobs.some(({state}) => ACTIVE.includes(state)) ? LOOK : 3 * LOOK);
  } catch (error) {
    say(told(error));
    await sleep(LOOK);
  }
}
