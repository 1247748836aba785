// What a model says of a galaxy, in words and drawn: a card for each of its outputs.

import { add, plotClasses, plotIntervals, plotQuestions, rangeOf } from "./plots.js";

const LABELS = { redshift: "redshift", smass: "stellar mass", subclass: "sub-class", gz2c: "Galaxy Zoo 2 class", votes: "Galaxy Zoo 2 votes", class3: "star, galaxy or quasar", morph10: "morphology" };
const SEEN = { img: "an image", fits: "a cut-out", spectra: "a spectrum", ssel: "selected wavelengths", bands: "magnitudes", wise: "WISE" };
const isMass = (output) => output.name === "smass";

// Models in the order in which they are shown: of one output first, by what they predict.
export function inOrder(models) {
  const order = Object.keys(LABELS), place = ({ outputs: [{ name }] }) => (name in LABELS ? order.indexOf(name) : order.length);
  return models.sort((a, b) => a.outputs.length - b.outputs.length || place(a) - place(b));
}

function written(output, value) {
  if (isMass(output)) return `${value.toExponential(2)} Msun (log ${Math.log10(value).toFixed(2)})`;
  return `${value.toPrecision(4)} ${output.unit ?? ""}`.trim();
}

const short = (output, value) => (isMass(output) ? Math.log10(value).toFixed(2) : value.toPrecision(4));
const interval = (output, prediction) => ["low", "high"].map((end) => short(output, prediction[`${output.name}_${end}_68`])).join(" to ");

function distributionOf(output, answer) {
  const density = answer.prediction[`${output.name}_pdf`], borders = answer.grids?.[`${output.name}_pdf`];
  return density ? { borders, density } : null;
}

// Of drawings of numbers, once for all of them; empty where there is none.
export function legendOf(outputs, compared) {
  const numbers = outputs.filter((output) => !output.classes.length && !output.questions.length);
  const curve = numbers.some((output) => output.distribution) ? "Curve: how probable each value is; dark: its 68 %; line: its median. " : "";
  const axis = compared ? "What one model says of each has the same axis. " : "";
  return numbers.length ? `${axis}${curve}Bars hold the true value in 68, 90 and 95 of 100 cases.` : "";
}

// The axis that several answers have in common; none where one of them is alone, or they are classes.
export function commonRange(output, answers, truths) {
  const numbers = answers.map((answer, n) => ({ answer, truth: truths[n] })).filter(({ answer }) => typeof answer?.prediction?.[output.name] === "number");
  if (answers.length < 2 || !numbers.length) return null;
  const ranges = numbers.map(({ answer, truth }) => rangeOf(output.name, answer.prediction, truth, isMass(output), distributionOf(output, answer)));
  return [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];
}

// What each input says without the others: of a number its 68 % interval, of classes the likeliest.
function tableOfInputs(card, output, answer) {
  const name = output.name, table = add(card, "table");
  add(table, "caption", `Together, and each input alone${isMass(output) ? " (log mass)" : ""}`);
  const head = add(add(table, "thead"), "tr"), body = add(table, "tbody");
  for (const title of ["from", "answer", output.classes.length ? "probability" : output.questions.length ? "" : "68 % interval"]) {
    if (title) add(head, "th", title).scope = "col";
  }
  for (const [from, { prediction }] of [["all", answer], ...Object.entries(answer.from_each_input)]) {
    const row = add(body, "tr"), value = prediction[name];
    add(row, "th", from).scope = "row";
    add(row, "td", value === null ? "none" : typeof value === "string" ? value : short(output, value));
    if (output.questions.length) continue;
    if (value === null) add(row, "td", "");
    else if (output.classes.length) add(row, "td", `${(100 * prediction[`${name}_${value}`]).toFixed(1)} %`);
    else add(row, "td", interval(output, prediction));
  }
}

function showNumber(card, output, answer, truth, range) {
  add(card, "p", written(output, answer.prediction[output.name]), "value");
  add(card, "p", `68 %: ${isMass(output) ? "log " : ""}${interval(output, answer.prediction)}`, "interval");
  plotIntervals(card, output.name, answer.prediction, truth, isMass(output), distributionOf(output, answer), range);
  if (truth !== null) add(card, "p", `Orange: catalogue, ${written(output, truth)}.`, "soft");
}

function showValue(card, output, answer, truth, range) {
  const value = answer.prediction[output.name];
  if (!output.classes.length && !output.questions.length) {
    showNumber(card, output, answer, truth, range);
    return;
  }
  add(card, "p", value, "value");
  if (output.classes.length) {
    plotClasses(card, output.name, answer.prediction, output.classes, truth);
    add(card, "p", "Bold: the set that holds the true class in 90 of 100 cases.", "soft");
  } else {
    plotQuestions(card, answer.prediction, output.questions);
    add(card, "p", "Shares of all volunteers: each question's answers add up to the answer that leads to it. Left out: questions that fewer than 1 in 10 come to.", "soft");
  }
}

// Put a card into what holds it: the answer, or the error, of a model; null where the model does not take the galaxy.
export function showCard(parent, model, output, answer, truth, range) {
  const card = add(parent, "section", "", "card");
  const used = answer?.prediction?.inputs ?? model.inputs.map((input) => input.name).join("|");
  add(card, "h3", `${LABELS[output.name] ?? output.name} from ${used.split("|").map((name) => SEEN[name] ?? name).join(", ") || "nothing"}`);
  if (answer === null) {
    add(card, "p", `Not asked: ${model.name} takes what this galaxy does not have.`, "soft");
    return;
  }
  if (answer.error) {
    add(card, "p", `${model.name}: ${answer.error}`, "error");
    return;
  }
  if (answer.prediction[output.name] === null) add(card, "p", "No prediction.", "value");
  else {
    showValue(card, output, answer, truth, range);
    if (answer.from_each_input) tableOfInputs(card, output, answer);
  }
  for (const flag of answer.flags) add(card, "p", flag, "flag");
  if (answer.problem) add(card, "p", answer.problem, "flag");
  if (model.origin_note) add(card, "p", `${model.name} ${model.origin_note}`, "soft");
  const foot = add(card, "p", `${model.name}, version ${answer.version} `, "soft foot");
  for (const [text, address] of [["report", model.report], ["card", model.card], ["learnt from", model.picture], ["MLflow run", model.run]]) {
    if (!address) continue;
    Object.assign(add(foot, "a", text), { href: address, target: "_blank", rel: "noopener", ariaLabel: `${text} of ${model.name}` });
    foot.append(" ");
  }
}
