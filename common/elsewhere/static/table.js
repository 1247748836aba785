// Magnitudes as text: a table that was pasted, read by the rules of zoo predict.

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const FEWEST = 3;  // columns that say that a table has magnitudes, where some may be missing
const IDS = ["objid", "id", "object_id", "source_id", "specobjid", "name"];

function cellsOf(line, mark) {
  if (mark === " ") return line.trim().split(/\s+/);
  return line.split(mark).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));
}

function readCell(text, column, missing, flags) {
  const number = Number(text);
  if (missing.includes(text.toLowerCase()) || /^[+-]?inf(inity)?$/i.test(text)) return { flag: flags.MISSING.bit };
  if (!NUMBER.test(text)) return { flag: flags.BAD_INPUT.bit, expected: "a number" };
  if (column.sentinels.includes(number)) return { flag: flags.MISSING.bit };
  if (!(number > column.low && number < column.high)) return { flag: flags.BAD_INPUT.bit, expected: `${column.low} < value < ${column.high}` };
  return { value: number, flag: 0 };
}

// Columns of several galaxies, as texts by name, into what the models take; an input without its columns is left out.
export function loadColumns(inputs, columns, count, { missing, flags }) {
  const loaded = {};
  for (const item of inputs) {
    const measured = item.columns.length - item.errors, texts = ({ name }) => columns[name] ?? new Array(count).fill("");
    const there = item.columns.slice(0, measured).filter(({ name }) => name in columns).length;
    if (there < (item.gaps ? FEWEST : measured)) continue;
    const one = loaded[item.name] = { values: new Float32Array(count * item.columns.length), flags: new Int32Array(count), problems: {} };
    // Of some models single magnitudes may be missing or wrong, and errors of any.
    item.columns.forEach((column, place) => texts(column).forEach((text, n) => {
      const cell = readCell(text, column, missing, flags);
      one.values[n * item.columns.length + place] = cell.value ?? NaN;
      if (place >= measured) return;
      one.flags[n] |= cell.flag;
      if (cell.expected) one.problems[n] = [one.problems[n], `${column.short_name}: expected ${cell.expected}, found ${text}`].filter(Boolean).join("; ");
    }));
    for (let n = 0; item.gaps && n < count; n++) {
      const first = n * item.columns.length;
      if (one.flags[n] && !one.values.subarray(first, first + measured).every(Number.isNaN)) one.flags[n] = flags.MISSING_BAND.bit;
    }
  }
  return loaded;
}

export function readTable(text, inputs, about) {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() && !line.startsWith("#"));
  if (lines.length < 2) throw new Error("table: expected a line of names and a line for each galaxy");
  const mark = [",", ";", "\t"].find((one) => lines[0].includes(one)) ?? " ";
  const names = cellsOf(lines[0], mark).map((name) => name.toLowerCase());
  const rows = lines.slice(1).map((line, n) => {
    const cells = cellsOf(line, mark);
    if (cells.length !== names.length) throw new Error(`table, line ${n + 2}: expected ${names.length} cells as in the first line, found ${cells.length}`);
    return cells;
  });
  const columns = {};
  for (const { name, short_name: short } of inputs.flatMap((item) => item.columns)) {
    const places = names.flatMap((found, k) => (found === name.toLowerCase() || found === short ? [k] : []));
    if (places.length > 1) throw new Error(`table: expected one column ${short}, found ${places.length}`);
    if (places.length) columns[name] = rows.map((cells) => cells[places[0]]);
  }
  const load = (some) => loadColumns(some.filter((item) => item.columns.length), columns, rows.length, about);
  if (!Object.keys(load(inputs)).length) {
    const wanted = inputs.map((item) => item.columns.map((column) => column.short_name).join(", ")).join("; or ");
    throw new Error(`table: expected columns ${wanted} (or their long names), found ${names.join(", ")}`);
  }
  const id = IDS.find((name) => names.includes(name));
  const ids = rows.map((cells, n) => (id ? cells[names.indexOf(id)] : String(n)));
  return { load, ids, idName: id ?? "row" };
}

export function writeTable(rows) {
  const quoted = (cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  const line = (cells) => cells.map((cell) => quoted(String(cell ?? ""))).join(",");
  return [line(Object.keys(rows[0])), ...rows.map((row) => line(Object.values(row)))].join("\n") + "\n";
}
