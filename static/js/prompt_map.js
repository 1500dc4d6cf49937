// Prompt maps, one a run: a row a prompt, a column some steps, the shade how much of its group is right.

import { colours, drawn, sized, withCursor } from "./map_canvas.js";

const NARROWEST = 2; // CSS pixels of a column
const SHADES = 4; // 0: none right … 4: all

for (const map of document.querySelectorAll(".prompt-map")) start(map);

function start(map) {
  const data = JSON.parse(document.getElementById(map.dataset.source).textContent);
  const canvas = map.querySelector("canvas");
  const at = document.getElementById(map.dataset.says);
  const cells = new Map(data.cells.map((cell) => [`${cell[0]} ${cell[1]}`, cell]));
  let wide = data.wide;

  const top = (row) => row * data.row;
  const left = (column) => column * wide;
  const shape = () => ({ rows: data.prompts.length, columns: data.columns.length, top, left, wide });
  const under = ({ row, column }) => cells.get(`${row} ${column}`);

  function draw(width) {
    wide = Math.max(NARROWEST, Math.min(data.wide, Math.floor(width / data.columns.length)));
    const pen = sized(canvas, data.columns.length * wide, data.prompts.length * data.row);
    const of = colours(map.closest("section").querySelectorAll(".rate-keys .map-key"), "rate");
    const gap = wide > 4 ? 1 : 0;
    for (const [row, column, right, rollouts] of data.cells) {
      pen.fillStyle = of[shade(right, rollouts)];
      pen.fillRect(left(column), top(row), wide - gap, data.row > 4 ? data.row - 1 : data.row);
    }
    mark();
  }

  // none and all are shades of their own
  function shade(right, rollouts) {
    if (right === 0 || right === rollouts) return right === 0 ? 0 : SHADES;
    return Math.max(1, Math.min(SHADES - 1, Math.ceil((right / rollouts) * (SHADES - 1))));
  }

  function say(cursor) {
    const [prompt, band, difficulty] = data.prompts[cursor.row];
    const [first, last] = data.columns[cursor.column];
    const steps = first === last ? `step ${first}` : `steps ${first} to ${last}`;
    const cell = under(cursor);
    const here = cell ? `${cell[2]} of ${cell[3]} right` : "did not come up";
    const where = document.createElement("b");
    where.textContent = `${steps}: ${here}`;
    at.replaceChildren(where, ` · ${band}, ${Math.round(100 * difficulty)} % at first · ${prompt}`);
  }

  function open(cursor) {
    const cell = under(cursor);
    if (cell) location.assign(data.open.replace("/0/", `/${cell[4]}/`));
  }

  const mark = withCursor(map, shape, say, open);
  drawn(map, draw);
}
