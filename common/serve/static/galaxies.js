// A galaxy, wherever it is from: what to show of it, how a model is asked about it, and how the service's table is.

import { add } from "./plots.js";

export const MAGNITUDES = { bands: ["u", "g", "r", "i", "z"], wise: ["w1", "w2", "w3", "w4"] };
const TRUE_REDSHIFT = ["redshift", "spectroscopic_redshift"];

export async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("the service does not answer");
  }
  // A proxy before the service refuses in words of its own.
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error ?? `the service is not reached: HTTP ${answer.status}`);
  return answer;
}

export const askJson = async (path, options) => (await ask(path, options)).json();

// What to ask of a model: its distributions where it has some.
const formOf = (model) => (model.outputs.some((output) => output.distribution) ? "grid" : "");
const taking = (inputs) => (model) => model.inputs.some((input) => inputs.includes(input.name));

function picture(source, text, caption, className = "") {
  const figure = document.createElement("figure");
  figure.className = className;
  Object.assign(add(figure, "img"), { src: source, alt: text });
  if (caption) add(figure, "figcaption", caption);
  return figure;
}

export async function ofDataSet(objid) {
  const address = `/objects/${encodeURIComponent(objid)}`, about = await askJson(address), figures = [];
  const has = Object.keys(about.inputs).filter((name) => about.inputs[name]);
  if (about.inputs.img || about.inputs.fits) figures.push(picture(`${address}/image.jpg`, "colour image of the galaxy", "30″ across"));
  if (about.inputs.fits) {
    figures.push(picture(`${address}/cutouts.png`, "the galaxy in u, g, r, i and z", "", "wide"));
    const names = add(figures[1], "figcaption", "", "bands");
    for (const band of MAGNITUDES.bands) add(names, "span", band);
  }
  return {
    objid, figures, title: `Galaxy ${objid}`, truths: about.truths, takenBy: taking(has),
    note: about.part === "train" ? "Models trained on this data set learnt from this galaxy: their answers flatter them." : `One of the ${about.part} galaxies: no weights were fitted to it, but by models with a split of their own.`,
    spectrum: about.inputs.spectra ? await askJson(`${address}/spectrum.json`) : null,
    ask: (model) => askJson(`/infer/${model.name}/${encodeURIComponent(objid)}?pdf=${formOf(model)}`),
    name: (form) => form.append("objid", objid),
  };
}

// The endings that some models take, longest first: .fits.gz before .gz.
export function endingsOf(models) {
  const known = models.flatMap((model) => model.inputs).flatMap((input) => input.endings);
  return [...new Set(known)].sort((a, b) => b.length - a.length);
}

export function ofFile(file, scale, models) {
  const endings = endingsOf(models), ending = endings.find((one) => file.name.toLowerCase().endsWith(one));
  if (!ending) throw new Error(`${file.name}: expected a file that ends in ${endings.join(", ")}`);
  const form = (fields) => {
    const made = new FormData();
    for (const [name, value] of Object.entries(fields)) made.append(name, value);
    return made;
  };
  const isImage = models.some((model) => model.inputs.some((input) => input.name === "img" && input.endings.includes(ending)));
  return {
    title: file.name, truths: {}, takenBy: (model) => model.inputs.some((input) => input.endings.includes(ending)),
    figures: isImage ? [picture(URL.createObjectURL(file), "the uploaded image", "as uploaded")] : [],
    ask: (model) => askJson(`/predict/${model.name}`, { method: "POST", body: form({ scale, pdf: formOf(model), file }) }),
    name: (asked) => {
      asked.append("scale", scale);
      asked.append("file", file);
    },
  };
}

// What is no number goes as it is, for the service to say so.
const cell = (text) => (text === "" ? null : Number.isNaN(Number(text)) ? text : Number(text));

// Texts by name: u, g, r, i, z and w1 to w4 as they are typed, or whatever the service knows as a name of magnitudes.
export function ofRow(texts, title, inputs, id) {
  const row = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, cell(text)]));
  const truth = TRUE_REDSHIFT.map((name) => row[name]).find((value) => typeof value === "number");
  return {
    title, figures: [], truths: truth === undefined ? {} : { redshift: truth }, takenBy: taking(inputs),
    ask: async (model) => {
      const body = JSON.stringify({ rows: [row], pdf: formOf(model) });
      const answer = await askJson(`/predict/${model.name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
      return { ...answer, ...answer.results[0] };
    },
    name: (form) => form.append("row", JSON.stringify({ ...row, id })),
  };
}

export function readTable(text) {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() && !line.startsWith("#"));
  if (lines.length < 2) throw new Error("table: expected a line of names and a line for each galaxy");
  const mark = [",", ";", "\t"].find((one) => lines[0].includes(one)) ?? /\s+/;
  const [names, ...rows] = lines.map((line) => line.trim().split(mark).map((one) => one.trim().replace(/^"(.*)"$/, "$1")));
  return rows.map((cells, n) => {
    if (cells.length !== names.length) throw new Error(`table, line ${n + 2}: expected ${names.length} cells as in the first line, found ${cells.length}`);
    return Object.fromEntries(names.map((name, k) => [name, cells[k]]));
  });
}
