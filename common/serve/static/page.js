// The page: ways to name a galaxy, up to four of them side by side, and their answers as a file.

import { commonRange, inOrder, legendOf, showCard } from "./answers.js";
import { MAGNITUDES, ask, askJson, endingsOf, ofDataSet, ofFile, ofRow, readTable } from "./galaxies.js";
import { add, plotSpectrum } from "./plots.js";
import { similarTo } from "./similar.js";

const MOST = 4, FILES = { csv: "predictions.csv", votable: "predictions.vot" };
const KINDS = { img: "image", fits: "cut-out", spectra: "spectrum", ssel: "spectrum" };
const EXAMPLES = ["2", "4", "5", "6"], IDS = ["id", "objid", "name"];
const byId = (id) => document.getElementById(id);
const shown = [];
let models = [], turns = 0, origin = null;

function say(text) {
  byId("status").textContent = text;
}

function fail(message) {
  byId("error").textContent = message;
  byId("error").hidden = !message;
}

// === What is shown ===

const answered = (galaxy) => Object.values(galaxy.answers).filter((answer) => !answer.error);

// Ask all models that take a galaxy; one that fails says so in its card, unless all do.
async function askAll(galaxy) {
  const chosen = models.filter(galaxy.takenBy);
  if (!chosen.length) throw new Error(`${galaxy.title}: no trained model takes this; mlflow run b2r --no-conda trains one for magnitudes`);
  const answers = await Promise.all(chosen.map((model) => galaxy.ask(model).catch((error) => ({ error: error.message }))));
  galaxy.answers = Object.fromEntries(chosen.map((model, n) => [model.name, answers[n]]));
  if (answered(galaxy).length) return;
  const messages = new Map();
  for (const [name, { error }] of Object.entries(galaxy.answers)) messages.set(error, [...(messages.get(error) ?? []), name]);
  throw new Error([...messages].map(([error, names]) => `${names.join(", ")}: ${error}`).join("\n"));
}

function showHead(column, galaxy) {
  const head = add(column, "div", "", "head");
  galaxy.heading = add(head, "h2", galaxy.title);
  galaxy.heading.tabIndex = -1;
  if (galaxy.note) add(head, "p", galaxy.note, "soft");
  const button = add(head, "button", "Remove");
  Object.assign(button, { type: "button", ariaLabel: `Remove ${galaxy.title}` });
  button.addEventListener("click", () => remove(galaxy));
}

function showPictures(column, galaxy) {
  const pictures = add(column, "div", "", "pictures");
  pictures.append(...galaxy.figures);
  if (!galaxy.spectrum) return;
  const figure = add(pictures, "figure", "", "spectrum"), redshiftOf = (name) => galaxy.answers[name]?.prediction?.redshift;
  const guess = ["s2r", "ss2r", "b2r", "i2r", "f2r"].find((name) => redshiftOf(name) != null);
  plotSpectrum(figure, galaxy.spectrum, guess ? redshiftOf(guess) : galaxy.truths.redshift, guess ?? "catalogue");
}

function render() {
  byId("tools").hidden = !shown.length;
  byId("shown").replaceChildren();
  const asked = models.filter((model) => shown.some((galaxy) => model.name in galaxy.answers));
  const outputs = asked.flatMap((model) => model.outputs.map((output) => ({ model, output })));
  add(byId("shown"), "p", legendOf(outputs.map(({ output }) => output), shown.length > 1), "soft legend");
  const list = add(byId("shown"), "div", "", `galaxies of-${shown.length}`);
  const pictured = shown.some((galaxy) => galaxy.figures.length || galaxy.spectrum);
  // Head and pictures, then a row for each output: what is compared stands side by side.
  list.style.setProperty("--rows", outputs.length + (pictured ? 2 : 1));
  const ranges = outputs.map(({ model, output }) => commonRange(output, shown.map((galaxy) => galaxy.answers[model.name]), shown.map((galaxy) => galaxy.truths[output.name] ?? null)));
  for (const galaxy of shown) {
    const column = add(list, "article", "", "galaxy");
    column.setAttribute("aria-label", galaxy.title);
    showHead(column, galaxy);
    if (pictured) showPictures(column, galaxy);
    const cards = shown.length > 1 ? column : add(column, "div", "", "cards");
    outputs.forEach(({ model, output }, n) => showCard(cards, model, output, galaxy.answers[model.name] ?? null, galaxy.truths[output.name] ?? null, ranges[n]));
  }
  const alike = shown.find((galaxy) => galaxy.objid);
  if (alike) {
    alike.similar ??= similarTo(alike, models, (objid) => act(() => [ofDataSet(objid)]));
    if (alike.similar) byId("shown").append(alike.similar);
  }
  const ids = shown.filter((galaxy) => galaxy.objid).map((galaxy) => galaxy.objid);
  history.replaceState(null, "", ids.length ? `#objids=${ids.join(",")}` : location.pathname);
  document.title = shown.length ? `${shown.map((galaxy) => galaxy.title).join(", ")} – SDSS zoo` : "SDSS zoo: look at a galaxy";
}

function remove(galaxy) {
  const place = shown.indexOf(galaxy);
  shown.splice(place, 1);
  render();
  say(`${galaxy.title} is no longer shown; ${shown.length} left.`);
  (shown[Math.min(place, shown.length - 1)]?.heading ?? byId("results")).focus();
}

function refuseTooMany(count, kept) {
  if (count + kept <= MOST) return;
  if (kept) throw new Error(`${kept} ${kept > 1 ? "galaxies are" : "galaxy is"} shown, and at most ${MOST} fit side by side: remove one first, or untick Compare`);
  throw new Error(`expected at most ${MOST} galaxies, found ${count}; zoo predict takes any number`);
}

// === What a user does ===

// Make: returns promises of galaxies, to be shown beside the others, or in their place.
async function act(make) {
  const mine = ++turns, results = byId("results"), beside = byId("beside").checked;
  if (!results.contains(document.activeElement)) origin = document.activeElement;
  results.setAttribute("aria-busy", "true");
  fail("");
  say("Asking the models …");
  try {
    const kept = beside ? [...shown] : [], made = await make();
    refuseTooMany(made.length, kept.length);
    const added = await Promise.all(made);
    await Promise.all(added.map(askAll));
    if (mine !== turns) return;
    shown.splice(0, shown.length, ...kept, ...added);
    render();
    const count = added.reduce((sum, galaxy) => sum + answered(galaxy).length, 0);
    say(`${added.length > 1 ? `${added.length} galaxies` : added[0].title}: ${count} ${count > 1 ? "answers" : "answer"}${shown.length > 1 ? `; ${shown.length} side by side` : ""}.`);
    if (shown.length === 1 && added[0].objid) byId("objid").value = added[0].objid;
    added[0].heading.focus();
  } catch (error) {
    if (mine !== turns) return;
    if (!beside) {
      shown.length = 0;
      render();
    }
    say("");
    fail(error.message);
    byId("error").scrollIntoView({ block: "nearest" });
  } finally {
    if (mine === turns) results.setAttribute("aria-busy", "false");
  }
}

function on(id, event, make) {
  byId(id).addEventListener(event, (happened) => {
    happened.preventDefault();
    act(make);
  });
}

function uploaded() {
  const [file] = byId("file").files;
  if (!file) throw new Error("choose a file first");
  return [ofFile(file, byId("scale").value, models)];
}

function typed() {
  const value = (name) => byId(`mag-${name}`)?.value.trim() ?? "";
  const given = Object.keys(MAGNITUDES).filter((input) => MAGNITUDES[input].some((name) => value(name) !== ""));
  if (!given.length) throw new Error("type u, g, r, i and z, or W1 to W4; some models answer where one is missing");
  const texts = Object.fromEntries(given.flatMap((input) => MAGNITUDES[input]).map((name) => [name, value(name)]));
  return [ofRow(texts, `Your magnitudes: ${Object.values(texts).filter(Boolean).join(" ")}`, given, "typed")];
}

function pasted() {
  const rows = readTable(byId("table").value), names = Object.keys(rows[0]);
  const wise = names.some((name) => /w[1-4]/i.test(name)), bands = !wise || names.some((name) => /(^|[^a-z])[ugriz]($|[^a-z])/i.test(name));
  const given = [...(bands ? ["bands"] : []), ...(wise ? ["wise"] : [])], key = names.find((name) => IDS.includes(name.toLowerCase()));
  return rows.map((row, n) => ofRow(row, `Galaxy ${key ? row[key] : n + 1} of the table`, given, key ? row[key] : String(n + 1)));
}

// A button that fills in galaxies of SDSS.
function filled(id, fill) {
  byId(id).addEventListener("click", async () => {
    fail("");
    try {
      const [names, ...lines] = (await (await ask("/static/galaxies.csv")).text()).trim().split("\n");
      fill([names, ...lines.filter((line) => EXAMPLES.includes(line.split(",")[0]))].join("\n"));
    } catch (error) {
      fail(error.message);
    }
  });
}

async function download(form) {
  fail("");
  try {
    const body = new FormData();
    body.append("format", form);
    for (const galaxy of shown) galaxy.name(body);
    const link = document.createElement("a"), file = await (await ask("/table", { method: "POST", body })).blob();
    Object.assign(link, { href: URL.createObjectURL(file), download: FILES[form] });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    say(`${FILES[form]} is downloaded.`);
  } catch (error) {
    fail(error.message);
  }
}

// === The page itself ===

function layForms(health) {
  const inputs = models.flatMap((model) => model.inputs), endings = endingsOf(models);
  for (const name of Object.keys(MAGNITUDES).filter((one) => inputs.some((input) => input.name === one)).flatMap((one) => MAGNITUDES[one])) {
    const label = add(byId("magnitudes"), "label", name.replace("w", "W"));
    Object.assign(add(label, "input"), { id: `mag-${name}`, inputMode: "decimal", autocomplete: "off" });
  }
  const bands = inputs.some((input) => input.name === "bands");
  for (const id of ["example", "examples"]) byId(id).hidden = !bands;
  for (const id of ["type", "paste"]) byId(id).hidden = !byId("magnitudes").childElementCount;
  byId("choose").hidden = !health.data;
  byId("no-data").hidden = Boolean(health.data);
  byId("upload").hidden = !endings.length;
  byId("scaled").hidden = !inputs.some((input) => input.name === "img");
  byId("file").accept = endings.join();
  const kinds = [...new Set(Object.keys(KINDS).filter((kind) => inputs.some((input) => input.name === kind)).map((kind) => KINDS[kind]))];
  const text = kinds.join(", ").replace(/, ([^,]*)$/, " or $1");
  byId("kinds").textContent = `${text.charAt(0).toUpperCase()}${text.slice(1)} (${endings.filter((one) => !/\.[gf]z$/.test(one)).sort().join(" ")})`;
}

function listen() {
  on("choose", "submit", () => {
    if (!byId("objid").value.trim()) throw new Error("type the id of a galaxy, or ask for a random one");
    return [ofDataSet(byId("objid").value.trim())];
  });
  on("random", "click", async () => {
    byId("objid").value = (await askJson("/random/id")).objid;
    return [ofDataSet(byId("objid").value)];
  });
  on("upload", "submit", uploaded);
  on("type", "submit", typed);
  on("paste", "submit", pasted);
  filled("example", (text) => {
    const [row] = readTable(text);
    for (const band of MAGNITUDES.bands) byId(`mag-${band}`).value = row[`modelMag_${band}`];
    say("Magnitudes of a galaxy of SDSS are filled in.");
  });
  filled("examples", (text) => {
    byId("table").value = text;
    say("Four galaxies of SDSS are filled in.");
  });
  for (const form of Object.keys(FILES)) byId(form).addEventListener("click", () => download(form));
  byId("results").addEventListener("keydown", (event) => {
    if (event.key === "Escape") (origin ?? byId("results")).focus();
  });
  addEventListener("hashchange", openLink);
}

// The galaxies that the address names: #objids=1,2
function openLink() {
  const ids = new URLSearchParams(location.hash.slice(1)).get("objids")?.split(",").filter(Boolean) ?? [];
  if (!ids.length) return;
  shown.length = 0;
  act(() => {
    refuseTooMany(ids.length, 0);
    return ids.map(ofDataSet);
  });
}

const health = await askJson("/healthz");
models = inOrder((await askJson("/models")).models);
const trained = models.length ? `${models.length} trained models: ${models.map((model) => model.name).join(", ")}` : "No trained model yet: mlflow run b2r --no-conda trains one";
byId("about").textContent = `${trained}. ${health.data ? `Data set ${health.data} with ${health.objects.toLocaleString("en")} galaxies.` : "No data set."}`;
layForms(health);
listen();
openLink();
