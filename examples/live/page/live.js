const api = "/api/auth/sessions";
const $ = (id) => document.getElementById(id);

function light(name, on, text) {
  $(name + "-light").classList.toggle("on", on);
  if ($(name).textContent !== text) $(name).textContent = text;
}

// listen opens both connections. One that the server ends is not opened again:
// it would be refused.
function listen() {
  const events = new EventSource("/events"); // connects again by itself
  events.onopen = () => light("events", true, "on");
  events.onerror = () => light("events", false, "off: connection lost");
  events.addEventListener("end", (e) => {
    events.close();
    light("events", false, "off: " + e.data);
    signedOut("This session is over: " + e.data + ".");
  });
  openSocket();
}

function openSocket() {
  const socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/ws");
  const sending = setInterval(() => {
    if (socket.readyState === WebSocket.OPEN) socket.send("Is anybody there?");
  }, 1000);
  socket.onopen = () => light("socket", true, "on");
  socket.onclose = (e) => {
    clearInterval(sending);
    light("socket", false, "off: " + (e.reason || "connection lost"));
    if (e.code === 1008) {
      signedOut("This session is over: " + e.reason + ".");
    } else if (listing) {
      setTimeout(openSocket, 2000);
    }
  };
}

function signedOut(message) {
  listing = clearInterval(listing);
  $("message").textContent = message;
  $("signed-in").hidden = true;
  $("login").hidden = false;
}

function signedIn() {
  $("message").textContent = "";
  $("signed-in").hidden = false;
  $("login").hidden = true;
  listing = setInterval(list, 3000);
  listen();
}

let listing; // the timer, while signed in

// list shows the sessions, and returns whether there is one.
async function list() {
  const answer = await fetch(api).catch(() => null);
  const body = await answer?.json();
  if (answer?.status === 401) {
    signedOut(body.code === "unauthenticated" ? "" : body.detail);
  } else if (!answer?.ok) {
    $("message").textContent = body?.detail ?? "The server does not answer.";
  }
  if (!answer?.ok) return false;
  const items = body.sessions.map((s) => {
    const button = document.createElement("button");
    button.id = s.id;
    button.textContent = s.current ? "Revoke this one" : "Revoke";
    button.onclick = () => revoke("/" + s.id);
    const item = document.createElement("li");
    item.append(`${s.device} from ${s.ip}, since ${new Date(s.created_at).toLocaleString()}`, button);
    return item;
  });
  const focused = document.activeElement?.id;
  $("sessions").replaceChildren(...items);
  if (focused) $(focused)?.focus();
  return true;
}

async function revoke(path) {
  const answer = await fetch(api + path, { method: "DELETE" });
  const body = await answer.json();
  $("message").textContent = answer.ok ? `Revoked: ${body.count}` : body.detail;
  if (answer.ok && !body.revoked.includes(current())) await list();
}

const current = () => $("sessions").querySelector("button")?.id; // it comes first

$("login").onsubmit = async (e) => {
  e.preventDefault();
  const answer = await fetch("/login", { method: "POST", body: new URLSearchParams(new FormData($("login"))) });
  if (!answer.ok) {
    $("message").textContent = await answer.text();
  } else if (await list()) {
    signedIn();
  }
};
$("others").onclick = () => revoke("");
$("logout").onclick = () => fetch("/logout", { method: "POST" });

if (await list()) signedIn();
