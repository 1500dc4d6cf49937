// Times of day in the reader's own zone: the server writes them in UTC, and says so, for pages without scripts.

const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const minutes = { hour: "2-digit", minute: "2-digit", hour12: false };
const clock = new Intl.DateTimeFormat(undefined, minutes);
const precise = new Intl.DateTimeFormat(undefined, { ...minutes, second: "2-digit" });

function show() {
  for (const time of document.querySelectorAll("time[data-clock]")) {
    const at = new Date(time.dateTime);
    const today = at.toDateString() === new Date().toDateString();
    const written = (time.dataset.clock === "seconds" ? precise : clock).format(at);
    time.textContent = today ? written : `${day.format(at)} ${written}`;
  }
}

document.addEventListener("htmx:after:swap", show);
show();
