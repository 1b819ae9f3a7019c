// What the page does: sorts tables, shows a number's protocol, embeds the curves, slides the grids.
"use strict";
document.documentElement.classList.add("js");

// Sorting: ascending, descending, the paper's order again.
for (const table of document.querySelectorAll(".table table")) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const number = (row, i) => {
    const value = row.cells[i].dataset.value;
    return value === undefined ? Infinity : Number(value);
  };
  const buttons = heads.flatMap((head) => head.querySelector("button") ?? []);
  table.tHead.addEventListener("keydown", (event) => {  // one tab stop a table; arrows move
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const next = step && buttons[buttons.indexOf(event.target) + step];
    if (!next) return;
    event.preventDefault();
    for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
    next.focus();
  });
  heads.forEach((head, i) => head.querySelector("button")?.addEventListener("click", () => {
    const order = { none: "ascending", ascending: "descending", descending: "none" }[head.ariaSort];
    for (const other of heads) if (other.hasAttribute("aria-sort")) other.ariaSort = "none";
    head.ariaSort = order;
    const sign = order === "descending" ? -1 : 1;
    const rows = order === "none" ? original
      : [...original].sort((a, b) => sign * (number(a, i) - number(b, i)));
    body.append(...rows);
  }));
}

// What scrolls sideways can be reached and scrolled with the keyboard; what does not is no stop.
const markScrolling = () => {
  for (const region of document.querySelectorAll(".scroll, pre")) {
    if (region.scrollWidth > region.clientWidth + 1 || region.scrollHeight > region.clientHeight + 1)
      region.tabIndex = 0;
    else region.removeAttribute("tabindex");
  }
};
addEventListener("resize", markScrolling);
addEventListener("load", markScrolling);
for (const details of document.querySelectorAll("details"))
  details.addEventListener("toggle", markScrolling);

// A number's protocol on hover and focus. One tab stop a table; the arrow keys move inside it.
const tip = document.getElementById("tip");
const hideTip = () => {
  tip.hidden = true;
  document.querySelector("[aria-describedby=tip]")?.removeAttribute("aria-describedby");
};
const showTip = (cell) => {
  hideTip();
  tip.textContent = cell.dataset.tip;
  tip.hidden = false;
  cell.setAttribute("aria-describedby", "tip");
  const box = cell.getBoundingClientRect();
  const left = Math.min(box.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
  const above = box.top - tip.offsetHeight - 6;
  tip.style.left = `${scrollX + Math.max(8, left)}px`;
  tip.style.top = `${scrollY + (above < 0 ? box.bottom + 6 : above)}px`;
};
const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
for (const body of document.querySelectorAll(".table tbody")) {
  const first = body.querySelector("[data-tip]");
  if (!first) continue;
  first.tabIndex = 0;
  const go = (cell) => {
    if (!cell?.dataset.tip) return;
    for (const other of body.querySelectorAll("[data-tip][tabindex='0']")) other.tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus();
  };
  body.addEventListener("keydown", (event) => {
    const cell = event.target.closest("[data-tip]");
    if (event.key === "Escape") hideTip();
    if (!cell || !(event.key in MOVES)) return;
    event.preventDefault();
    const [down, right] = MOVES[event.key];
    const row = [...body.rows][[...body.rows].indexOf(cell.parentElement) + down];
    go(row?.cells[cell.cellIndex + right]);
  });
  for (const cell of body.querySelectorAll("[data-tip]")) {
    cell.addEventListener("mouseenter", () => showTip(cell));
    cell.addEventListener("focus", () => showTip(cell));
    cell.addEventListener("mouseleave", hideTip);
    cell.addEventListener("blur", hideTip);
  }
}

// Curves: for the current colour scheme, again when it changes. Bokeh's legend hides curves.
const dark = matchMedia("(prefers-color-scheme: dark)");
const darkColours = JSON.parse(document.getElementById("dark-colours").textContent);
const recoloured = (text) => text.replace(/#[0-9a-f]{6}/g, (colour) => darkColours[colour] ?? colour);
const draw = async (figure) => {
  const text = figure.querySelector(".plot-data").textContent;
  const place = figure.querySelector(".canvas");
  figure.view?.clear();
  place.replaceChildren();
  const item = JSON.parse(dark.matches ? recoloured(text) : text);
  figure.view = await Bokeh.embed.embed_item(item, place);
};
const drawAll = async () => {
  for (const figure of document.querySelectorAll(".plot")) await draw(figure);
  document.documentElement.dataset.curves = dark.matches ? "dark" : "light";
};
if (document.querySelector(".plot")) {
  drawAll();
  dark.addEventListener("change", drawAll);
}

// Sample grids behind two sliders; "#name" points to a picture that the page already holds.
for (const browser of document.querySelectorAll(".browser")) {
  const data = JSON.parse(browser.querySelector(".browser-data").textContent);
  const image = browser.querySelector("img");
  const [steps, eta] = ["steps", "eta"].map((name) => browser.querySelector(`[name=${name}]`));
  const show = () => {
    const s = data.steps[steps.value];
    const [key, label] = data.etas[eta.value];
    const source = data.pictures[`${s} ${key}`];
    image.src = source.startsWith("#")
      ? document.querySelector(`[data-grid="${source.slice(1)}"]`).src : source;
    image.alt = `Generated images, S = ${s}, ${label}`;
    image.dataset.cell = `${s} ${key}`;
    browser.querySelector("[data-shows=steps]").textContent = s;
    browser.querySelector("[data-shows=eta]").textContent = label;
    steps.setAttribute("aria-valuetext", `S = ${s}`);
    eta.setAttribute("aria-valuetext", label);
  };
  steps.addEventListener("input", show);
  eta.addEventListener("input", show);
  show();
}
