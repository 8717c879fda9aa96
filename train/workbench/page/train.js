import {$, call, frame, listed, make, say, sleep, told} from "./common.js";

// Trainings: processes of their own, which go on whatever becomes of this page.
const LOOK = 1500; // ms between looks
const FIELDS = ["name", "data", "val", "recipe", "model-set", "init", "epochs", "more"];

let open = decodeURIComponent(location.hash.slice(1)); // the training that is looked at
let stamp = ""; // of what is drawn
let compared = ""; // the training whose three pictures are shown

const fields = () => Object.fromEntries(FIELDS.map((id) => [id, $(id).value]));
const at = (what = "") => `api/trainings/${encodeURIComponent(open)}${what}`;

async function guarded(button, work) {
  button.disabled = true;
  try { await work(); } catch (error) { say(told(error)); } finally { button.disabled = false; }
}

$("plan").addEventListener("click", () => guarded($("plan"), async () => {
  say("Measuring a sample; this takes some time …");
  const {plan} = await call("api/trainings/plan", {fields: fields()});
  say("");
  $("planned").textContent = plan.trim();
  $("planned").hidden = false;
}));

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  guarded($("begin"), async () => {
    const run = await call("api/trainings", {fields: fields()});
    say("");
    look(run.name);
  });
});

function look(name) {
  [open, stamp, compared] = [name, "", ""];
  location.hash = encodeURIComponent(name);
  update().catch((error) => say(told(error)));
}

async function update() {
  const {runs, starts, recipes} = await call("api/trainings");
  options("init", starts.map(({title, init}) => [init, title]));
  options("recipe", recipes.map((name) => [name, name]));
  listed("runs", runs.map(({name, state}) => [name, state]), open, look);
  const known = runs.some(({name}) => name === open);
  $("run").hidden = !known;
  if (known) await show(await call(at()));
}

function options(id, pairs) {
  const now = JSON.stringify(pairs);
  if ($(id).dataset.known === now) return;
  const value = $(id).value;
  $(id).replaceChildren(...pairs.map(([own, title]) =>
    make("option", {value: own, textContent: title})));
  $(id).dataset.known = now;
  if (pairs.some(([own]) => own === value)) $(id).value = value;
}

async function show(run) {
  $("title").textContent = run.name;
  $("now").textContent = run.state;
  $("step").textContent = run.state === "done" ? "" : run.step;
  $("error").textContent = run.error;
  $("stop").hidden = run.state !== "running" || !run.own;
  $("go-on").hidden = !["stopped", "failed"].includes(run.state) || !run.own;
  const log = $("log");
  const below = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.textContent = run.log.join("\n");
  if (below) log.scrollTop = log.scrollHeight;
  $("said").hidden = !run.log.length;
  finish(run);
  if (run.stamp === stamp) return;
  const name = open;
  const curves = await fetch(at("/curves"));
  const matches = await fetch(at("/matches"));
  if (name !== open || !curves.ok || !matches.ok) return;
  $("curves").innerHTML = await curves.text(); // the server's own drawing
  const picture = await matches.blob();
  $("matches").hidden = !picture.size;
  const image = $("matches").querySelector("img");
  URL.revokeObjectURL(image.src);
  if (picture.size) image.src = URL.createObjectURL(picture);
  stamp = run.stamp;
}

function finish(run) {
  $("done").hidden = run.state !== "done";
  if (run.state !== "done" || compared === run.name) return;
  compared = run.name;
  $("checkpoint").replaceChildren("The checkpoint is ",
    make("code", {textContent: run.checkpoint}),
    `. Choose “${run.name}” as stage 3 on the page. `,
    make("a", {href: at("/report"), target: "_blank", textContent: "The whole report"}));
  $("verdict").replaceChildren(...run.verdict.map((text) => make("li", {textContent: text})));
  const titles = [...new Set(Object.values(run.rows).flatMap(Object.keys))];
  const sources = Object.entries(run.rows);
  const head = (text, scope) => Object.assign(make("th", {textContent: text}), {scope});
  $("measured").tHead.replaceChildren(
    make("tr", {}, head("", "col"), ...sources.map(([source]) => head(source, "col"))));
  $("measured").tBodies[0].replaceChildren(...titles.map((title) =>
    make("tr", {}, head(title, "row"), ...sources.map(([, row]) => make("td",
      {textContent: row[title] == null ? "–" : (100 * row[title]).toFixed(1)})))));
  $("measured").hidden = !titles.length;
  sides(run.name);
}

async function sides(name) {
  $("sides").textContent = "Drawing …";
  try {
    const found = (await call(`api/trainings/${encodeURIComponent(name)}/sides`)).sides;
    if (name !== open) return;
    $("sides").replaceChildren(...found.map(({name: picture, error, expression, shown}) => error ?
      make("p", {className: "warn", textContent: `${picture}: ${error}`}) : make("div", {},
      make("p", {textContent: `“${expression}”`}),
      make("div", {className: "sides"}, ...Object.entries(shown).map(([title, file]) =>
        make("figure", {}, make("img", {src: at(`/sides/${encodeURIComponent(file)}`),
          alt: `${title}: ${expression}`}), make("figcaption", {textContent: title})))))));
  } catch (error) { $("sides").textContent = error.message; }
}

for (const what of ["stop", "go-on"])
  $(what).addEventListener("click", () => guarded($(what), async () => {
    await call(at(`/${what}`), {});
    say("");
    await update();
  }));

for (let begun = false; ;) {
  try {
    if (!begun) { await frame("train"); begun = true; }
    await update();
    if ($("message").textContent.startsWith("The server does not")) say("");
  } catch (error) { say(told(error)); }
  await sleep(LOOK);
}
