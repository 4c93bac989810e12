"use strict";
/* Two phones on the sandbox's network. Plain JavaScript, run as it stands. */

const CODE = document.documentElement.dataset.serviceCode;
const NETWORK = "/africastalking";
const MPESA = "/daraja/prompts";
const MESSAGES_KEPT = 500;
const HOPS_KEPT = 50;
const TAP_MS = 900; // how soon the same key again means its next letter

const KEYS = [
  ["1", ".,?", ".,?!'-@1"], ["2", "abc", "abc2"], ["3", "def", "def3"],
  ["4", "ghi", "ghi4"], ["5", "jkl", "jkl5"], ["6", "mno", "mno6"],
  ["7", "pqrs", "pqrs7"], ["8", "tuv", "tuv8"], ["9", "wxyz", "wxyz9"],
  ["*", "", "*"], ["0", "␣", " 0"], ["#", "", "#"],
];

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** 0712…, 712…, 254712… and +254712… are one number; anything else stays as it is. */
function e164(raw) {
  const digits = raw.replace(/[\s().-]/g, "").replace(/^00/, "+");
  if (/^0[17]\d{8}$/.test(digits)) return "+254" + digits.slice(1);
  if (/^[17]\d{8}$/.test(digits)) return "+254" + digits;
  return digits.startsWith("+") ? digits : "+" + digits;
}

function operator(number) {
  if (/^\+254(73|78|75[0-6]|762|767|10)/.test(number)) return "Airtel";
  if (/^\+25477/.test(number)) return "Telkom";
  if (/^\+25476[3-6]/.test(number)) return "Equitel";
  return /^\+254/.test(number) ? "Safaricom" : "Roaming";
}

function nairobi(instant) {
  return new Date(instant).toLocaleTimeString("en-GB",
    { timeZone: "Africa/Nairobi", hour: "2-digit", minute: "2-digit" });
}

async function call(body, to = `${NETWORK}/ussd`) {
  const answer = await fetch(to, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error || `The sandbox answered ${answer.status}.`);
  return said;
}

function bubble(message, kind = "") {
  const time = make("time", { datetime: message.at }, nairobi(message.at));
  const head = make("header", {}, make("b", {}, message.from), time);
  return make("li", { class: kind }, head, message.message);
}

class Phone {
  constructor(line) {
    this.line = line;
    line.append(document.getElementById("handset").content.cloneNode(true));
    for (const name of ["person", "other", "screen", "network", "mail", "unread", "clock", "words",
      "typed", "mode", "ignore", "call", "clear", "end", "keypad", "inbox", "messages", "soft-left", "soft-right"]) {
      this[name.replace("-l", "L").replace("-r", "R")] = line.querySelector("." + name);
    }
    this.session = null;
    this.prompt = null;
    this.busy = false;
    this.letters = false;
    this.tap = { key: "", at: 0, turn: 0 };
    this.read = 0;
    this.person.value = line.dataset.number;
    this.buildKeypad();
    this.listen();
    this.changeNumber();
    this.rest();
  }

  get number() {
    return e164(this.person.value || this.other.value);
  }

  buildKeypad() {
    for (const [key, letters] of KEYS) {
      const button = make("button", { type: "button", "aria-label": `${key} ${letters}`.trim() },
        key, make("small", { "aria-hidden": "true" }, letters));
      button.dataset.key = key;
      button.addEventListener("click", () => this.press(key));
      this.keypad.append(button);
    }
  }

  listen() {
    // A key that is clicked leaves the cursor in the entry, so that typing goes on.
    this.line.querySelector(".handset").addEventListener("mousedown", (event) => {
      if (event.target.closest("button")) event.preventDefault();
    });
    this.screen.addEventListener("submit", (event) => {
      event.preventDefault(); // Enter comes here and nowhere else: once
      this.send();
    });
    this.line.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.hangUp();
    });
    this.call.addEventListener("click", () => this.send());
    this.end.addEventListener("click", () => this.hangUp());
    this.clear.addEventListener("click", () => {
      this.tap.key = "";
      this.typed.value = [...this.typed.value].slice(0, -1).join("");
    });
    this.ignore.addEventListener("click", () => this.answerPrompt({ ignore: true }));
    this.mode.addEventListener("click", () => this.setLetters(!this.letters));
    this.person.addEventListener("change", () => {
      this.other.hidden = this.person.value !== "";
      if (!this.other.hidden) this.other.focus();
      this.changeNumber();
    });
    this.other.addEventListener("input", () => this.changeNumber());
    this.inbox.addEventListener("click", () => this.markRead());
  }

  async changeNumber() {
    if (this.session) await this.hangUp();
    this.network.textContent = operator(this.number);
    this.read = this.received().length;
    this.showInbox();
    this.prompt = null;
    this.rest();
    this.see();
  }

  /** Show the clock, and be ready to dial. */
  rest() {
    this.session = null;
    this.setWords("", "idle");
    this.words.append(make("b", {}, nairobi(Date.now())), this.network.textContent);
    this.offer(CODE);
  }

  setWords(text, kind = "") {
    this.words.textContent = text;
    this.words.className = `words ${kind}`;
    this.words.scrollTop = 0;
  }

  /** Prepare the entry for what comes next: a dial, or an answer within a session. */
  offer(text) {
    const label = this.prompt ? "Send" : this.session ? "Answer" : "Dial";
    this.typed.value = text;
    this.typed.classList.toggle("secret", this.prompt !== null);
    this.typed.placeholder = this.prompt ? "PIN 1234" : "";
    this.typed.setAttribute("aria-label", this.prompt ? "M-PESA PIN" : label);
    this.call.setAttribute("aria-label", label);
    this.end.setAttribute("aria-label", this.prompt ? "Cancel" : "Hang up");
    this.softLeft.textContent = label;
    this.softRight.textContent = this.prompt ? "Cancel" : this.session ? "Hang up" : "";
    this.mode.hidden = !this.session;
    this.ignore.hidden = !this.prompt;
    this.setLetters(false);
  }

  setLetters(letters) {
    this.letters = letters && this.session !== null;
    this.mode.textContent = this.letters ? "Abc" : "123";
    this.tap.key = "";
  }

  press(key) {
    if (this.busy) return;
    if (key === "#" && this.session) return this.setLetters(!this.letters);
    if (!this.letters) return this.append(key);
    const choices = KEYS.find(([name]) => name === key)[2];
    const now = performance.now();
    const again = this.tap.key === key && now - this.tap.at < TAP_MS;
    const turn = again ? (this.tap.turn + 1) % choices.length : 0;
    if (again) this.typed.value = this.typed.value.slice(0, -1);
    const begins = /(^|\s)$/.test(this.typed.value);
    this.append(begins ? choices[turn].toUpperCase() : choices[turn]);
    this.tap = { key, at: now, turn };
  }

  append(text) {
    if (this.typed.value.length < this.typed.maxLength) this.typed.value += text;
    this.typed.scrollLeft = this.typed.scrollWidth;
  }

  async send() {
    if (this.busy) return;
    if (this.prompt) return this.answerPrompt({ pin: this.typed.value });
    const said = this.typed.value;
    const duplicate = document.getElementById("twice").checked;
    if (!this.session) this.setWords("USSD code running …", "busy");
    await this.turn(this.session
      ? { session: this.session, answer: said }
      : { phone: this.number, dial: said, duplicate });
  }

  async turn(body) {
    this.busy = true;
    this.markRead();
    try {
      const reply = await call(body);
      this.session = reply.ended ? null : reply.session;
      this.setWords(reply.screen || reply.error || "");
      if (reply.exchange) logHop(this.number, reply);
    } catch (error) {
      this.session = null;
      this.setWords(error instanceof TypeError ? "No network. Is Kabambe running?" : error.message);
    } finally {
      this.busy = false;
      this.offer(this.session ? "" : CODE);
      this.focusIfOurs();
      this.see();
    }
  }

  /** Show the prompt that waits on this number, and put away one that has ended; a call goes first. */
  see() {
    if (this.session || this.busy) return;
    const waiting = prompts.find((each) => each.to === this.number) ?? null;
    if (waiting?.id === this.prompt?.id) return;
    this.prompt = waiting;
    this.setWords(waiting ? `${waiting.words}\n\nEnter M-PESA PIN:` : "The request has ended.");
    this.offer(waiting ? "" : CODE);
    if (waiting) hint(`tab-${phones.indexOf(this) + 1}`);
    this.focusIfOurs();
  }

  async answerPrompt(said) {
    if (this.busy) return;
    this.busy = true;
    const { id } = this.prompt;
    try {
      const { result } = await call(said, `${MPESA}/${id}`);
      this.setWords(PROMPT_ENDS[result] ?? `M-PESA did not take it (${result}).`);
    } catch (error) {
      this.setWords(error instanceof TypeError ? "No network. Is Kabambe running?" : error.message);
    } finally {
      prompts = prompts.filter((each) => each.id !== id);
      this.prompt = null;
      this.busy = false;
      this.offer(CODE);
      this.see();
      this.focusIfOurs();
    }
  }

  focusIfOurs() {
    const active = document.activeElement;
    if (!COARSE && (active === document.body || this.line.contains(active))) {
      this.typed.focus({ preventScroll: true });
    }
  }

  async hangUp() {
    if (this.busy) return;
    if (this.prompt) return this.answerPrompt({ cancel: true });
    const session = this.session;
    this.rest();
    if (session) await call({ session, hangup: true }).catch(() => {});
    this.see();
  }

  /** Show what this number has received, newest first. */
  showInbox() {
    const ours = this.received();
    this.messages.replaceChildren(...ours.toReversed().map((message) => bubble(message)));
    this.showUnread(ours.length);
  }

  /** Put one new message on top, so that it alone is read out. */
  arrive(message) {
    this.messages.prepend(bubble(message, "fresh"));
    this.showUnread(this.received().length);
  }

  received() {
    return messages.filter((message) => message.to === this.number);
  }

  showUnread(count) {
    const unread = Math.max(0, count - this.read);
    this.inbox.querySelector(".empty").hidden = count > 0;
    this.unread.textContent = unread;
    this.mail.hidden = unread === 0;
  }

  markRead() {
    this.read = this.received().length;
    this.showUnread(this.read);
  }
}

/* The wire: what the network posted, and what came back. */

function logHop(number, { exchange, error, ended }) {
  const list = document.getElementById("hops");
  document.getElementById("wire-empty").hidden = true;
  for (const details of list.querySelectorAll("details")) details.open = false;
  const fields = make("dl");
  for (const [name, value] of Object.entries(exchange.request)) {
    fields.append(make("dt", {}, name), make("dd", {}, value || "(empty)"));
  }
  const word = error && ended ? "failed" : exchange.response.slice(0, 3);
  const inside = make("div", { class: "exchange" },
    make("h3", {}, `POST ${exchange.url}`), fields,
    make("h3", {}, `Answer ${exchange.status ?? "none"}`), make("pre", {}, exchange.response || "(nothing)"));
  if (error) inside.append(make("p", { class: "problem" }, error));
  if (exchange.copy) {
    inside.append(make("p", { class: exchange.copy.identical ? "" : "problem" }, exchange.copy.identical
      ? `Sent twice: the second answer was the same, byte for byte (${exchange.copy.milliseconds} ms).`
      : `Sent twice: the second answer was different: ${exchange.copy.response}`));
  }
  const room = exchange.septets_advised;
  const used = `${exchange.septets} of ${room} ${exchange.encoding === "GSM-7" ? "septets" : "units, UCS-2"}`;
  const meter = make("meter", { min: 0, max: room, high: room - 10, optimum: 0, "aria-label": used });
  meter.value = Math.min(exchange.septets, room);
  inside.append(make("p", { class: "room" }, meter, used));
  const summary = make("summary", {}, make("b", {}, number.replace(/^\+254/, "0")), `hop ${exchange.hop}`,
    make("span", { class: error ? "word bad" : "word" }, word),
    make("span", {}, `${exchange.septets}/${room} · ${exchange.milliseconds} ms`));
  list.prepend(make("li", {}, make("details", { open: "" }, summary, inside)));
  while (list.children.length > HOPS_KEPT) list.lastChild.remove();
  hint("tab-wire");
}

/* Messages: a stream, and where there is none, a question every second. */

let messages = [];
const known = new Set();

function receive(message, id) {
  if (known.has(id)) return;
  known.add(id);
  messages.push(message);
  if (messages.length > MESSAGES_KEPT) messages.shift();
  for (const [index, phone] of phones.entries()) {
    if (message.to !== phone.number) continue;
    phone.arrive(message);
    hint(`tab-${index + 1}`);
  }
}

function forget() {
  messages = [];
  known.clear();
  for (const phone of phones) {
    phone.read = 0;
    phone.showInbox();
  }
}

function setLink(words, live) {
  const link = document.querySelector(".link");
  link.classList.toggle("live", live);
  link.querySelector(".link-words").textContent = words;
}

function follow() {
  if (!window.EventSource) return poll();
  const stream = new EventSource(`${NETWORK}/messages/stream`);
  stream.onopen = () => setLink("Connected", true);
  stream.onmessage = (event) => receive(JSON.parse(event.data), event.lastEventId);
  stream.addEventListener("emptied", forget);
  stream.onerror = () => {
    setLink("Reconnecting", false);
    if (stream.readyState === EventSource.CLOSED) poll(); // refused; else the browser resumes by itself
  };
}

async function poll() {
  try {
    const list = await (await fetch(`${NETWORK}/messages`)).json();
    if (list.length < messages.length) forget();
    for (const each of list.slice(-MESSAGES_KEPT)) receive(each, `${each.at} ${each.to} ${each.message}`);
    setLink("Connected", true);
  } catch {
    setLink("Reconnecting", false);
  }
  setTimeout(poll, 1000);
}

/* Prompts of M-PESA: a stream too, and else a question every second. */

let prompts = [];
const PROMPT_ENDS = {
  0: "Sent. M-PESA will confirm it by SMS.",
  1: "You do not have enough money in M-PESA.",
  17: "You have just paid the same. Wait two minutes.",
  1032: "You cancelled the request.",
  1037: "",
  2001: "Wrong PIN. Nothing was paid.",
  8006: "Your M-PESA PIN is locked.",
};

function showPrompts(list) {
  prompts = list;
  for (const phone of phones) phone.see();
}

function followPrompts() {
  if (!window.EventSource) return pollPrompts();
  const stream = new EventSource(`${MPESA}/stream`);
  stream.onmessage = (event) => showPrompts(JSON.parse(event.data));
  stream.onerror = () => {
    if (stream.readyState === EventSource.CLOSED) pollPrompts();
  };
}

async function pollPrompts() {
  try {
    showPrompts(await (await fetch(MPESA)).json());
  } catch { /* that the sandbox is gone is said where messages are followed */ }
  setTimeout(pollPrompts, 1000);
}

/* Tabs, on a small screen. */

const tabs = [...document.querySelectorAll("[role=tab]")];

function show(tab) {
  for (const each of tabs) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", String(chosen));
    each.tabIndex = chosen ? 0 : -1;
    document.getElementById(each.getAttribute("aria-controls")).classList.toggle("shown", chosen);
  }
  tab.classList.remove("news");
}

/** Mark a tab that has news behind it. */
function hint(id) {
  const tab = document.getElementById(id);
  if (tab.getAttribute("aria-selected") !== "true") tab.classList.add("news");
}

for (const [index, tab] of tabs.entries()) {
  tab.addEventListener("click", () => show(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(index + step + tabs.length) % tabs.length];
    show(next);
    next.focus();
  });
}

/* Start. */

const COARSE = window.matchMedia("(pointer: coarse)").matches;
const phones = [];
for (const line of document.querySelectorAll(".line")) phones.push(new Phone(line));
document.getElementById("wire-clear").addEventListener("click", () => {
  document.getElementById("hops").replaceChildren();
  document.getElementById("wire-empty").hidden = false;
});
setInterval(() => {
  for (const phone of phones) {
    phone.clock.textContent = nairobi(Date.now());
    const big = phone.words.querySelector("b");
    if (big && phone.words.classList.contains("idle")) big.textContent = nairobi(Date.now());
  }
}, 1000);
follow();
followPrompts();
phones[0].focusIfOurs();
