// The galaxies of the data set that are most like one, as a model sees them.

import { askJson } from "./galaxies.js";
import { add } from "./plots.js";

export function similarTo(galaxy, models, open) {
  const fitting = models.filter(galaxy.takenBy);
  if (!galaxy.objid || !fitting.length) return null;
  const panel = document.createElement("section");
  panel.className = "similar";
  add(panel, "h2", `Galaxies like ${galaxy.objid}`);
  const line = add(panel, "p");
  add(line, "label", "As seen by ").htmlFor = "seen-by";
  const select = add(line, "select");
  select.id = "seen-by";
  for (const model of fitting) add(select, "option", model.name);
  const row = add(panel, "div", "", "neighbours");
  let asked = 0;
  const list = async (name) => {
    const mine = ++asked;
    panel.setAttribute("aria-busy", "true");
    row.replaceChildren();
    const wait = add(row, "p", "Looking for them; a model that is asked first looks at all galaxies …", "soft");
    try {
      const answer = await askJson(`/similar/${galaxy.objid}?n=12${name && `&model=${name}`}`);
      if (mine !== asked) return;
      select.value = answer.model;
      wait.remove();
      for (const one of answer.neighbours) showNeighbour(row, one, open);
    } catch (error) {
      if (mine !== asked) return;
      row.replaceChildren();
      add(row, "p", error.message, "error");
    }
    panel.setAttribute("aria-busy", "false");
  };
  select.addEventListener("change", () => list(select.value));
  add(panel, "p", "Distance between the features in front of the model's head: 0, the same; 1, any two galaxies.", "soft");
  list("");
  return panel;
}

function showNeighbour(row, one, open) {
  const button = add(row, "button", "", "neighbour");
  button.type = "button";
  Object.assign(add(button, "img"), { src: `/objects/${one.objid}/image.jpg`, alt: "", loading: "lazy", width: 150, height: 150, onerror: (event) => event.target.remove() });
  add(button, "span", one.objid);
  add(button, "span", `z ${one.truths.redshift?.toFixed(4) ?? "unknown"}`);
  add(button, "span", `distance ${one.distance.toFixed(3)}`);
  button.addEventListener("click", () => open(one.objid));
}
