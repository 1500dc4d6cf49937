// The problem map: a row a problem, a column a stage, a block a condition and seed; a letter a cell (MOVES of problem_map.py).

import { colours, drawn, sized, withCursor } from "./map_canvas.js";

const NARROWEST = 5; // CSS pixels of a column
const WIDEST = 56;
const NAMED = 13; // from here on columns have their stages' names, upright
const FLAT = 48; // and from here on as one reads
const HEADED = 64; // of a block: from here on it has its condition's name, and not only the colour
const GAP = 12; // between blocks

const data = JSON.parse(document.getElementById("map-data").textContent);
const map = document.getElementById("map");
const heads = map.querySelector(".map-heads");
const canvas = map.querySelector("canvas");
const at = document.getElementById("map-at");
const columns = data.blocks.flatMap((block, place) => data.stages.map((stage, of) => ({ block, place, stage, letters: block.columns[of] })));
const seeds = new Set(data.blocks.map((block) => block.seed)).size;
let wide = WIDEST;

const left = (column) => column * wide + columns[column].place * GAP;
const shape = () => ({ rows: data.problems.length, columns: columns.length, row: data.row, left, wide: wide - 1 });

function draw(width) {
  const room = width - (data.blocks.length - 1) * GAP;
  wide = Math.max(NARROWEST, Math.min(WIDEST, Math.floor(room / columns.length)));
  const pen = sized(canvas, left(columns.length - 1) + wide, data.problems.length * data.row);
  const of = colours(document.querySelectorAll("#map-keys .map-key"), "move");
  for (const [place, { letters }] of columns.entries()) fill(pen, of, left(place), letters);
  name();
  mark();
}

// Neighbours of one kind are one rectangle. What is lost is two bars: a pattern, for who does not tell the colours.
function fill(pen, of, x, letters) {
  for (let from = 0, to = 0; from < letters.length; from = to) {
    while (letters[to] === letters[from]) to += 1;
    const [y, height] = [from * data.row, (to - from) * data.row];
    const move = letters[from];
    pen.fillStyle = move === "l" ? of.w : of[move];
    pen.fillRect(x, y, wide - 1, height);
    if (move !== "l") continue;
    const bar = Math.max(1, Math.floor((wide - 1) / 3));
    pen.fillStyle = of.l;
    pen.fillRect(x, y, bar, height);
    pen.fillRect(x + wide - 1 - bar, y, bar, height);
  }
}

function made(css, place, width, ...content) {
  const head = document.createElement("span");
  head.className = css;
  head.style.left = `${left(place)}px`;
  head.style.width = `${width}px`;
  head.append(...content);
  return head;
}

// The names above the blocks, and above columns that are wide enough.
function name() {
  const named = wide >= NAMED;
  heads.className = `map-heads ${wide >= FLAT ? "flat" : named ? "upright" : "unnamed"}`;
  const blocks = data.blocks.map((block, place) => {
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.dataset.condition = block.place;
    const width = data.stages.length * wide;
    const headed = width >= HEADED;
    const condition = document.createElement("b");
    condition.append(swatch, headed ? block.condition : "");
    const seed = headed ? `seed ${block.seed}` : block.seed;
    return made("map-head", place * data.stages.length, width, condition, seeds > 1 ? seed : "");
  });
  const stages = named ? columns.map(({ stage }, place) => made("map-stage", place, wide - 1, stage)) : [];
  heads.replaceChildren(...blocks, ...stages);
}

function say({ row, column }) {
  const { block, stage, letters } = columns[column];
  const whose = seeds > 1 ? `${block.condition}, seed ${block.seed}` : block.condition;
  const id = document.createElement("b");
  id.textContent = data.problems[row];
  at.replaceChildren(id, ` · ${whose} after ${stage}: ${data.moves[letters[row]]} · right in the end in ${data.solved[row]} of ${data.blocks.length}`);
}

function open({ row, column }) {
  const { block, stage } = columns[column];
  const chosen = new URLSearchParams({ problem: data.problems[row], seed: block.seed, stage });
  location.assign(`${data.open}${data.open.endsWith("?") ? "" : "&"}${chosen}`);
}

const mark = withCursor(map, shape, say, open);
drawn(map, draw);
