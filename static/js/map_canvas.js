// What maps on a canvas share: sharp drawing, a cursor that pointer and arrow keys move, and opening the cell under it.

const PAGE = 25; // rows that Page Down moves by
const KEYS = {
  ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1],
  PageDown: [PAGE, 0], PageUp: [-PAGE, 0], Home: [Number.NEGATIVE_INFINITY, 0], End: [Number.POSITIVE_INFINITY, 0],
};

// The canvas at this size in CSS pixels, and a pen that draws in them.
export function sized(canvas, width, height) {
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  return pen;
}

// Letter or number of each key → its colour, so that light and dark are the style sheet's.
export function colours(keys, name) {
  return Object.fromEntries([...keys].map((key) => [key.dataset[name], getComputedStyle(key).backgroundColor]));
}

// `shape()` says rows, columns, top(row), left(column), wide (a column's width); say(cursor) and open(cursor) are the map's own.
// Returns what puts the marks in their places again after drawing.
export function withCursor(map, shape, say, open) {
  const canvas = map.querySelector("canvas");
  const rowMark = map.querySelector(".map-row");
  const cellMark = map.querySelector(".map-cell");
  let cursor = null; // { row, column }

  function mark() {
    rowMark.hidden = cellMark.hidden = cursor === null;
    if (cursor === null) return;
    const { top, left, wide } = shape();
    const place = { top: `${top(cursor.row)}px`, height: `${top(cursor.row + 1) - top(cursor.row)}px` };
    Object.assign(rowMark.style, place, { width: canvas.style.width });
    Object.assign(cellMark.style, place, { left: `${left(cursor.column)}px`, width: `${wide}px` });
  }

  function move(row, column) {
    const { rows, columns } = shape();
    const within = (value, count) => Math.max(0, Math.min(count - 1, value));
    cursor = { row: within(row, rows), column: within(column, columns) };
    mark();
    say(cursor);
  }

  function under(event) {
    const { rows, columns, top, left } = shape();
    const box = canvas.getBoundingClientRect();
    let [row, column] = [0, 0];
    while (row + 1 < rows && top(row + 1) <= event.clientY - box.top) row += 1;
    while (column + 1 < columns && left(column + 1) <= event.clientX - box.left) column += 1;
    return [row, column];
  }

  canvas.addEventListener("pointermove", (event) => move(...under(event)));
  canvas.addEventListener("click", (event) => {
    move(...under(event));
    open(cursor);
  });
  map.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" && cursor) return open(cursor);
    const by = KEYS[event.key];
    if (!by) return;
    event.preventDefault();
    if (cursor) move(cursor.row + by[0], cursor.column + by[1]);
    else move(0, 0);
    cellMark.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  return mark;
}

// Draw now, for another width, and for the other scheme of colours.
export function drawn(map, draw) {
  let width = 0;
  const again = () => {
    width = map.clientWidth;
    draw(width);
    map.dataset.drawn = "yes";
  };
  new ResizeObserver(() => map.clientWidth !== width && again()).observe(map);
  document.addEventListener("theme", again);
  again();
}
