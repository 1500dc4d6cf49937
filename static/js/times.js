// Times of day in the reader's own zone: the server writes them in UTC, and says so, for pages without scripts.

const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });

function show() {
  for (const time of document.querySelectorAll("time[data-clock]")) {
    const at = new Date(time.dateTime);
    const today = at.toDateString() === new Date().toDateString();
    time.textContent = today ? clock.format(at) : `${day.format(at)} ${clock.format(at)}`;
  }
}

document.addEventListener("htmx:after:swap", show);
show();
