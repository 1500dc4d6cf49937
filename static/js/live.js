// The page's one stream of server-sent events: each event is fired on the body as live:<name>, so that htmx's
// fragments and the page's own modules hear it. The cursor goes along: a page that comes back misses nothing.

const address = document.body.dataset.live ?? document.body.dataset.inbox; // without news of its own, a person's alone
let cursor = document.body.dataset.cursor ?? "";
let source = null;
let again = null;

// What a person has folded or unfolded stays so when news comes in; a form's groups open where something is to be fixed.
htmx.registerExtension("folds", {
  htmx_before_morph_attr: (element, { attrName }) => attrName !== "open" || !element.matches("details:not(form details)"),
});

function show(open) {
  for (const mark of document.querySelectorAll(".live")) {
    mark.dataset.open = open ? "yes" : "no";
    mark.textContent = open ? "live" : "connecting …";
  }
}

function receive(event) {
  if (event.lastEventId) cursor = event.lastEventId;
  document.body.dispatchEvent(new CustomEvent(`live:${event.type}`, { detail: JSON.parse(event.data) }));
}

function open() {
  if (source || document.hidden) return;
  const url = new URL(address, location.href);
  if (cursor) url.searchParams.set("cursor", cursor);
  if (document.body.dataset.newest) url.searchParams.set("notifications", document.body.dataset.newest);
  source = new EventSource(url);
  source.onopen = () => show(true);
  source.onerror = () => {
    show(false);
    if (source?.readyState === EventSource.CLOSED) {  // refused, so the browser does not try again by itself
      close();
      again = setTimeout(open, 3000);
    }
  };
  for (const name of ["state", "telemetry", "rollouts", "notifications"]) source.addEventListener(name, receive);
}

function close() {
  clearTimeout(again);
  source?.close();
  source = null;
}

if (address) {
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);
  open();
}
