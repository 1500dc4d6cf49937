// The problem map: one row per problem, or per band of problems that never change, one column per stage, one block per condition
// and seed; a letter a cell (MOVES of problem_map.py).

import { colours, drawn, sized, withCursor } from "./map_canvas.js";

const NARROWEST = 5; // CSS pixels of a column
const WIDE = 56; // of a column, where no name needs more
const WIDEST = 160;
const NAMED = 13; // from here on columns have their stages' names, upright; as one reads where all of them fit
const HEADED = 90; // of a block: from here on it has its condition's name, and not only the colour; sooner where every name fits
const GAP = 12; // between blocks
const AROUND = 8; // a stage's name
const SWATCH = 20; // with what is around it
const LABELLED = 640; // from here on labels of rows stand beside the map, else on it
const LABELS = 176; // their width

const data = JSON.parse(document.getElementById("map-data").textContent);
const map = document.getElementById("map");
const heads = map.querySelector(".map-heads");
const canvas = map.querySelector("canvas");
const at = document.getElementById("map-at");
const columns = data.blocks.flatMap((block, place) => data.stages.map((stage, of) => ({ block, place, stage, letters: block.columns[of] })));
const seeds = new Set(data.blocks.map((block) => block.seed)).size;
const tops = [0];
for (const height of data.heights) tops.push(tops.at(-1) + height);
const needs = { stage: longest(data.stages, 400, 11) + AROUND, block: longest(data.blocks.map((block) => block.condition), 600, 12) + SWATCH };
const widest = Math.min(WIDEST, Math.max(WIDE, needs.stage, Math.ceil(needs.block / data.stages.length)));
let wide = widest;

const top = (row) => tops[row];
const left = (column) => column * wide + columns[column].place * GAP;
const shape = () => ({ rows: data.problems.length, columns: columns.length, top, left, wide: wide - 1 });

// Of these names as they are written, in CSS pixels.
function longest(names, weight, size) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;
  return Math.ceil(Math.max(...names.map((one) => pen.measureText(one).width)));
}

function draw(width) {
  const beside = data.labels.length > 0 && width >= LABELLED;
  const room = width - (data.blocks.length - 1) * GAP - (beside ? LABELS : 0);
  wide = Math.max(NARROWEST, Math.min(widest, Math.floor(room / columns.length)));
  const pen = sized(canvas, left(columns.length - 1) + wide, tops.at(-1));
  const of = colours(document.querySelectorAll("#map-keys .map-key"), "move");
  for (const [place, { letters }] of columns.entries()) fill(pen, of, left(place), letters);
  name();
  label(beside);
  mark();
}

// Neighbours of one kind are one rectangle. What is lost is two bars: a pattern, for who does not tell the colours.
function fill(pen, of, x, letters) {
  for (let from = 0, to = 0; from < letters.length; from = to) {
    while (letters[to] === letters[from]) to += 1;
    const [y, height] = [top(from), top(to) - top(from)];
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
  const written = wide >= needs.stage ? "flat flat-narrow" : named ? "upright" : "unnamed";
  heads.className = `map-heads ${written}${seeds > 1 ? "" : " seedless"}`;
  const blocks = data.blocks.map((block, place) => {
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.dataset.condition = block.place;
    const width = data.stages.length * wide;
    const headed = width >= Math.min(HEADED, needs.block);
    const condition = document.createElement("b");
    condition.append(swatch, headed ? block.condition : "");
    const seed = headed ? `seed ${block.seed}` : block.seed;
    return made("map-head", place * data.stages.length, width, condition, seeds > 1 ? seed : "");
  });
  const stages = named ? columns.map(({ stage }, place) => made("map-stage", place, wide - 1, stage)) : [];
  heads.replaceChildren(...blocks, ...stages);
}

// How many problems rows stand for; on the map itself only what one row stands for, so that it hides nothing.
function label(beside) {
  const shown = data.labels.filter(([row]) => beside || data.says[row]);
  const labels = shown.map(([row, rows, says]) => {
    const one = document.createElement("span");
    one.textContent = says;
    one.style.top = `${(top(row) + top(row + rows)) / 2}px`;
    one.style.left = beside ? `${canvas.clientWidth + AROUND}px` : `${AROUND / 2}px`;
    return one;
  });
  map.querySelector(".map-labels").replaceChildren(...labels);
}

function say({ row, column }) {
  const { block, stage, letters } = columns[column];
  const whose = seeds > 1 ? `${block.condition}, seed ${block.seed}` : block.condition;
  const id = document.createElement("b");
  id.textContent = data.says[row] ?? data.problems[row];
  if (data.says[row]) return at.replaceChildren(id, ` · Enter or a click opens the first of them, ${data.problems[row]}`);
  at.replaceChildren(id, ` · ${whose} after ${stage}: ${data.moves[letters[row]]} · right in the end in ${data.solved[row]} of ${data.blocks.length}`);
}

function open({ row, column }) {
  const { block, stage } = columns[column];
  const chosen = new URLSearchParams({ problem: data.problems[row], seed: block.seed, stage });
  location.assign(`${data.open}${data.open.endsWith("?") ? "" : "&"}${chosen}`);
}

const mark = withCursor(map, shape, say, open);
drawn(map, draw);
