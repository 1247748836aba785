// From what a network gives for one galaxy to the columns of zoo predict; docs/howto/elsewhere.md says the same in words.

import { FORMULAS, ends, quantilesOf, widthOf } from "./distribution.js";
import { classOf } from "./votes.js";

const VALUES = { "raw": (raw) => raw, "10 ** raw": (raw) => 10 ** raw, "1e9 * raw": (raw) => 1e9 * raw };
const ENDS = {
  "value + e": (value, e) => value + e,
  "value + e * (1 + value)": (value, e) => value + e * (1 + value),
  "10 ** (log10(clip(value, 1e4, 1e14)) + e)": (value, e) => 10 ** (Math.log10(clip(value, 1e4, 1e14)) + e),
  "clip(value + e, 0, 1)": (value, e) => clip(value + e, 0, 1),
};
const clip = (value, low, high) => Math.min(Math.max(value, low), high);
const percent = (level) => (100 * level).toFixed(0);

function median(values) {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// The calibration of the largest set of inputs within those that were used.
export function calibrationFor(model, used, output) {
  const known = Object.keys(model.calibration).filter((key) => output in model.calibration[key]);
  const within = known.filter((key) => key && key.split("|").every((name) => used.includes(name)));
  const size = (key) => key.split("|").length;
  const best = within.reduce((found, key) => (found === "" || size(key) > size(found) ? key : found), "");
  return model.calibration[best][output];
}

function interval(bins, value, level, formula) {
  const place = bins.edges.filter((edge) => edge < value).length;
  return [bins.low, bins.high].map((ends) => ENDS[formula](value, ends[level][place]));
}

function ofNumber(model, output, calibration, [raw]) {
  const value = VALUES[output.value](raw), row = { [output.name]: value };
  for (const level of model.levels) {
    const [low, high] = interval(calibration, value, level, output.ends);
    row[`${output.name}_low_${percent(level)}`] = low;
    row[`${output.name}_high_${percent(level)}`] = high;
  }
  const narrow = model.levels[0], place = calibration.edges.filter((edge) => edge < value).length;
  const widths = calibration.high[narrow].map((high, bin) => high - calibration.low[narrow][bin]);
  const [least, most] = output.possible ?? [-Infinity, Infinity];
  return { row, unsure: widths[place] > model.unsure_factor * median(widths), impossible: value <= least || value >= most };
}

function ofDistribution(model, output, calibration, raw) {
  const quantile = quantilesOf(output, raw), at = (level) => FORMULAS[output.value](quantile(level));
  const value = at(0.5), row = { [output.name]: value };
  for (const level of model.levels) for (const end of ends) row[`${output.name}_${end}_${percent(level)}`] = at(calibration[end][level]);
  const [low, high] = ends.map((end) => row[`${output.name}_${end}_${percent(model.levels[0])}`]);
  const [least, most] = output.possible ?? [-Infinity, Infinity];
  const unsure = widthOf(output, low, value, high) > model.unsure_factor * calibration.typical;
  return { row, unsure, impossible: value <= least || value >= most };
}

function ofClasses(model, output, calibration, raw) {
  const logits = Array.from(raw, (chance) => Math.log(Math.max(chance, 1e-12)) / calibration.temperature);
  const most = Math.max(...logits), powers = logits.map((logit) => Math.exp(logit - most));
  const total = powers.reduce((sum, power) => sum + power, 0), chances = powers.map((power) => power / total);
  const best = chances.indexOf(Math.max(...chances)), threshold = calibration.threshold[model.one_level];
  const inside = output.classes.filter((_, number) => number === best || chances[number] >= threshold);
  const row = { [output.name]: output.classes[best], [`${output.name}_set_${percent(model.one_level)}`]: inside.join("|") };
  output.classes.forEach((label, number) => { row[`${output.name}_${label}`] = chances[number]; });
  return { row, unsure: chances[best] < calibration.typical / model.unsure_factor, impossible: false };
}

function ofVotes(model, output, calibration, raw) {
  const row = { [output.name]: classOf(output, raw) }, level = model.one_level, ends = {};
  let width = 0;
  output.answers.forEach((answer, number) => {
    const share = raw[number], name = `${output.name}_${answer}`;
    row[name] = share;
    [ends[`${name}_low_${percent(level)}`], ends[`${name}_high_${percent(level)}`]] = interval(calibration.answers[number], share, level, output.ends);
    const [low, high] = interval(calibration.answers[number], share, model.levels[0], output.ends);
    width += (high - low) / output.answers.length;
  });
  return { row: { ...row, ...ends }, unsure: width > model.unsure_factor * calibration.typical, impossible: false };
}

export function columnsOf(model, output, used, raw) {
  const known = output.classes.length || (output.value in VALUES && output.ends in ENDS) || output.value in FORMULAS;
  if (!known) throw new Error(`${model.name}: written by a newer zoo, whose ${output.name} this page does not know`);
  const fill = output.classes.length ? ofClasses : output.answers.length ? ofVotes : output.value in FORMULAS ? ofDistribution : ofNumber;
  return fill(model, output, calibrationFor(model, used, output.name), raw);
}
