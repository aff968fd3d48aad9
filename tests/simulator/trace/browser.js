// A browser of a few lines, for Node: the elements, the canvas and the events that the page's script uses. What the
// pen does is recorded. Arguments: the page, and a JSON list of what a person does; prints a JSON list of what is seen.
"use strict";

const { readFileSync } = require("node:fs");

const [page, actions] = [readFileSync(process.argv[2], "utf8"), JSON.parse(process.argv[3])];
const [, data] = page.match(/<script type="application\/json" id="data">([^<]*)<\/script>/);
const [, script] = page.match(/<script id="script">([^]*?)<\/script>/);

class Element {
  constructor() { Object.assign(this, { style: {}, children: [], listeners: {}, textContent: "", value: "", hidden: true }); }
  addEventListener(name, listener) { this.listeners[name] = listener; }
  append(...children) { this.children.push(...children); }
  setPointerCapture() {}
  fire(name, event) { this.listeners[name]({ preventDefault() {}, target: this, ...event }); }
}

let boxes = [], texts = [], frames = [];
const pen = {
  setTransform() {},
  clearRect() {},
  fillRect(x, y, width, height) { boxes.push([x, y, width, height, this.fillStyle, this.globalAlpha]); },
  fillText(text) { texts.push(text); },
};
const elements = {};
for (const id of ["title", "cycles", "find", "found", "whole", "canvas", "legend", "hover", "data"]) elements[id] = new Element();
elements.data.textContent = data;
elements.canvas.getContext = () => pen;
const body = new Element();
globalThis.document = Object.assign(new Element(), {
  body, documentElement: { clientWidth: 1284 },
  getElementById: (id) => elements[id], createElement: () => new Element(),
});
globalThis.window = Object.assign(new Element(), { devicePixelRatio: 1, innerWidth: 1284 });
globalThis.getComputedStyle = () => ({ getPropertyValue: (name) => name });
globalThis.requestAnimationFrame = (frame) => frames.push(frame);

(0, eval)(script);
const seen = actions.map(([id, name, event]) => {
  if (id === "legend") elements.legend.children[event].fire(name);
  else if (id) (elements[id] || globalThis[id]).fire(name, event.value === undefined ? event : { target: { value: event.value } });
  if (frames.length) { boxes = []; texts = []; frames.splice(0).forEach((frame) => frame()); }
  return {
    cycles: elements.cycles.textContent, found: elements.found.textContent, title: document.title, texts,
    hover: elements.hover.hidden ? null : elements.hover.textContent, boxes,
    operations: elements.legend.children.map((button) => button.children[1]),
  };
});
process.stdout.write(JSON.stringify(seen));
