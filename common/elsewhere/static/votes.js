// The class that votes sum up to, such as SBc2m: the way of the commonest answers (Willett et al. 2013, section 4.1).

const LETTERS = { 5: "dcba", 7: "ric", 8: "rldiomu", 9: "rbn", 10: "tml", 11: "1234+?" };
const largest = (shares) => shares.indexOf(Math.max(...shares));

export function classOf({ questions }, raw) {
  const shares = Object.fromEntries(questions.map(({ number, first, answers }) => [number, raw.slice(first, first + answers.length)]));
  // Galaxy Zoo 1 asked one question.
  if (questions.length === 1) return questions[0].answers[largest(raw)];
  const letter = (number) => (number in shares && Math.max(...shares[number]) > 0 ? LETTERS[number][largest(shares[number])] : "");
  const yes = (number, least) => (least ? shares[number][0] >= shares[number][1] : shares[number][0] > shares[number][1]);
  const look = largest(shares[1]);
  if (look > 1) return "A";
  const [stem, shape] = look === 0 ? ["E", 7] : yes(2, true) ? ["Se", 9] : [yes(3) ? "SB" : "S", 5];
  const arms = stem.startsWith("S") && stem !== "Se" && yes(4) ? [11, 10] : [];
  const parts = [shape, ...arms].map(letter);
  if (parts.includes("")) return "";
  const odd = yes(6, true) ? letter(8) : "";
  return stem + parts.join("") + (odd && `(${odd})`);
}
