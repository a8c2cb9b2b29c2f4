"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const count = data.events.length;
  const scroll = document.getElementById("scroll");
  const names = document.getElementById("names");
  const chosenBox = document.getElementById("chosen");
  const all = document.getElementById("all");
  const rows = [...document.getElementById("rows").rows];
  const lane = 30, small = 22, gap = 8, axis = 40;
  let width = 18;  // of one event
  let chosen = -1;
  let captions = [];  // texts of bars, which stay in sight as long as their bar is

  const make = (name, attributes, text) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const hue = (task) => "t" + (task % 8);
  const taskName = (task) => data.tasks[task] ?? "?";
  const titled = (element, text) => (element.append(make("title", {}, text)), element);
  // As much of TEXT as has room; a few letters say nothing.
  const shorten = (text, room) => {
    const letters = Math.floor((room - 6) / 6.2);
    return text.length <= letters ? text : letters < 6 ? "" : text.slice(0, letters - 1) + "\u2026";
  };

  // Spans that overlap go into rows of their own; the number of rows.
  const stack = (spans) => {
    const ends = [];
    for (const s of [...spans].sort((a, b) => a.from - b.from)) {
      let row = ends.findIndex((end) => end <= s.from);
      if (row < 0) row = ends.length;
      ends[row] = s.to;
      s.row = row;
    }
    return Math.max(ends.length, 1);
  };

  class Drawing {
    constructor() {
      this.y = axis;
      this.back = make("g", {});
      this.front = make("g", {});
      this.marks = make("g", {});
      captions = [];
      names.textContent = "";
    }
    x(i) { return i * width; }
    label(text, height, swatch, group) {
      const div = document.createElement("div");
      if (group) div.className = "group";
      if (swatch !== undefined) {
        const square = document.createElement("i");
        square.className = "swatch " + hue(swatch);
        div.append(square);
      }
      // Where there is no room, the number behind a name stays.
      const cut = text.lastIndexOf("#"), span = document.createElement("span"), number = document.createElement("b");
      span.textContent = cut > 0 ? text.slice(0, cut) : text;
      number.textContent = cut > 0 ? text.slice(cut) : "";
      div.title = text;
      div.append(span, number);
      div.style.top = this.y + "px";
      div.style.height = height + "px";
      names.append(div);
    }
    group(text) {
      this.y += gap;
      this.label(text, small, undefined, true);
      this.back.append(make("rect", {x: 0, y: this.y, width: this.x(count), height: small, class: "shade"}));
      this.y += small;
    }
    bar(from, to, row, style, text, title) {
      const y = this.y + row * small + 3, w = Math.max(this.x(to) - this.x(from), 3);
      this.front.append(titled(make("rect", {x: this.x(from), y, width: w, height: small - 6, rx: 2, class: style}), title));
      const shown = shorten(text, w);
      if (!shown) return;
      const caption = make("text", {x: this.x(from) + 4, y: y + small - 10}, shown);
      captions.push({caption, from: this.x(from), to: this.x(from) + w});
      this.front.append(caption);
    }
    rule() { this.back.append(make("path", {d: `M0 ${this.y + 0.5}H${this.x(count)}`, class: "rule"})); }
  }

  const keepInSight = () => {
    for (const {caption, from, to} of captions) {
      const room = to - caption.textContent.length * 6.2 - 6;
      caption.setAttribute("x", Math.max(from, Math.min(scroll.scrollLeft, room)) + 4);
    }
  };

  const drawAxis = (d, height) => {
    const every = Math.ceil(50 / width / 5) * 5;
    for (let i = 0; i < count; i += every) {
      d.back.append(make("path", {d: `M${d.x(i) + 0.5} ${axis - 12}V${height}`, class: "rule"}));
      d.back.append(make("text", {x: d.x(i) + 2, y: axis - 14, class: "axis"}, String(i + 1)));
    }
  };

  const waitsOf = (task) => data.locks.flatMap((l) => l.waits.filter((w) => w[0] === task).map((w) => ({from: w[1], to: w[2], name: l.name})));

  const drawTasks = (d) => {
    const middle = [];
    data.tasks.forEach((name, task) => {
      d.label(name, lane, task);
      const y = middle[task] = d.y + lane / 2;
      const runs = data.runs.filter((r) => r[0] === task);
      const ends = data.events.findIndex((e) => e[0] === task && e[1] === "exit");
      const until = ends < 0 ? count : ends;
      if (!runs.length || runs[0][1] < until) d.back.append(make("path", {d: `M0 ${y}H${d.x(until)}`, class: "idle"}));
      for (const w of waitsOf(task)) {
        const path = make("path", {d: `M${d.x(w.from)} ${y}H${d.x(w.to)}`, class: "waits"});
        d.front.append(titled(path, `${name} waits for ${w.name}`));
      }
      for (const [, from, to] of runs) {
        const box = {x: d.x(from), y: y - 9, width: d.x(to) - d.x(from), height: 18, rx: 3, class: "run " + hue(task)};
        d.front.append(titled(make("rect", box), `${name} runs`));
      }
      d.y += lane;
      d.rule();
    });
    data.events.forEach(([task, kind], i) => {
      const x = d.x(i) + width / 2, y = middle[task];
      if (kind === "point") d.marks.append(make("circle", {cx: x, cy: y, r: Math.min(4, width / 2.5), class: "point"}));
      else if (kind !== "resume" && width >= 8) d.marks.append(make("path", {d: `M${x} ${y - 4}V${y + 4}`, class: "tick"}));
    });
    for (const [at, from, to, preemption] of data.switches) {
      const style = preemption ? " pre" : "", x = d.x(at), y1 = middle[from], y2 = middle[to], down = y2 > y1 ? 1 : -1;
      const end = y2 - down * 9;
      const says = `${taskName(from)} ${preemption ? "is stopped although it could" : "cannot"} go on; ${taskName(to)} runs`;
      d.marks.append(titled(make("path", {d: `M${x} ${y1 + down * 9}V${end - down * 6}`, class: "arrow" + style}), says));
      d.marks.append(make("path", {d: `M${x - 4} ${end - down * 7}L${x} ${end}L${x + 4} ${end - down * 7}Z`, class: "head" + style}));
    }
  };

  const drawLocks = (d) => {
    const shown = data.locks.filter((l) => all.checked || l.contended);
    if (!shown.length) return;
    d.group("Locks");
    for (const l of shown) {
      const spans = [...l.holds.map(([task, from, to, exclusive]) => ({task, from, to, exclusive, held: true})),
                     ...l.waits.map(([task, from, to, exclusive]) => ({task, from, to, exclusive, held: false}))];
      const lines = stack(spans);
      d.label(l.name, lines * small);
      for (const s of spans) {
        const how = s.exclusive ? "alone" : "shared";
        const short = taskName(s.task) + (s.held ? (s.exclusive ? "" : " (shared)") : " waits");
        const title = s.held ? `${taskName(s.task)} holds ${l.name}, ${how}` : `${taskName(s.task)} waits for ${l.name}`;
        d.bar(s.from, s.to, s.row, (s.held ? "hold " : "want ") + hue(s.task), short, title);
      }
      d.y += lines * small;
      d.rule();
    }
  };

  const drawSizes = (d) => {
    if (!data.sizes.length) return;
    d.group("File sizes");
    for (const l of data.sizes) {
      d.label("inode " + l.inode, small);
      for (const [from, to, bytes] of l.steps) d.bar(from, to, 0, "size", String(bytes), `inode ${l.inode} has ${bytes} bytes`);
      d.y += small;
      d.rule();
    }
  };

  const drawBlocks = (d) => {
    if (!data.blocks.length) return;
    const most = 40, shown = data.blocks.slice(0, most), left = data.blocks.length - shown.length;
    const inodes = [];
    d.group("Disk blocks" + (left > 0 ? ` (${left} more in the table)` : ""));
    for (const l of shown) {
      d.label(l.first === l.last ? "block " + l.first : `blocks ${l.first} to ${l.last}`, small);
      for (const [from, to, use, inode] of l.spans) {
        if (inode && !inodes.includes(inode)) inodes.push(inode);
        if (use === "free") continue;
        const style = use === "file" && inodes.indexOf(inode) % 2 ? "other" : use;
        const whose = inode ? "inode " + inode : use === "metadata" ? "metadata" : "in use";
        let text = whose;
        if (use === "pending") text = "given back" + (inode ? " by " + whose : "");
        if (use === "metadata" && inode) text = "metadata of " + whose;
        d.bar(from, to, 0, "block " + style, text, text);
      }
      for (const [at, write] of l.accesses) {
        const task = data.events[at][0], x = d.x(at) + width / 2, y = d.y + small / 2;
        const says = `${taskName(task)} ${write ? "writes" : "reads"} here`;
        d.marks.append(titled(make("circle", {cx: x, cy: y, r: 7, class: "touch " + hue(task)}), says));
        d.marks.append(make("text", {x, y: y + 3.2, class: "letter"}, write ? "W" : "R"));
      }
      d.y += small;
      d.rule();
    }
  };

  const draw = () => {
    const d = new Drawing();
    drawTasks(d);
    drawLocks(d);
    drawSizes(d);
    drawBlocks(d);
    const height = d.y + gap, total = Math.max(d.x(count), 1) + 60;
    drawAxis(d, height);
    const svg = make("svg", {width: total, height, viewBox: `0 0 ${total} ${height}`, "aria-hidden": "true"});
    if (data.bad !== null) {
      const after = data.bad >= count, x = d.x(data.bad);
      d.back.append(make("rect", {x, y: 0, width: after ? 8 : width, height, class: "bad"}));
      const text = after ? "the check fails" : "fails here", left = x + 84 > total;
      d.marks.append(make("text", {x: left ? x - 2 : x + 2, y: 14, class: "flag", "text-anchor": left ? "end" : "start"}, text));
    }
    d.cursor = make("rect", {x: -100, y: 0, width, height, class: "cursor"});
    svg.append(d.back, d.front, d.marks, d.cursor);
    scroll.replaceChildren(svg);
    names.style.height = height + "px";
    cursor = d.cursor;
    mark();
    keepInSight();
  };

  let cursor = null;
  const mark = () => { if (chosen >= 0) cursor.setAttribute("x", chosen * width); };
  const choose = (i, follow) => {
    if (i < 0 || i >= count) return;
    if (chosen >= 0) rows[chosen].classList.remove("is-chosen");
    chosen = i;
    rows[i].classList.add("is-chosen");
    const [number, step, task, what] = [...rows[i].cells].map((c) => c.textContent);
    const then = data.bad === count && i === count - 1 ? " After it the check of the result fails." : "";
    chosenBox.textContent = `Event ${number}, step ${step}: ${task} ${what}.${then}`;
    mark();
    if (follow) reveal(i);
  };
  const reveal = (i) => {
    const x = i * width;
    if (x < scroll.scrollLeft + width || x > scroll.scrollLeft + scroll.clientWidth - 2 * width) scroll.scrollLeft = x - scroll.clientWidth / 2;
  };
  const zoom = (to) => {
    const middle = (scroll.scrollLeft + scroll.clientWidth / 2) / width;
    width = Math.min(Math.max(to, 3), 80);
    draw();
    scroll.scrollLeft = middle * width - scroll.clientWidth / 2;
  };

  scroll.addEventListener("click", (e) => {
    const x = e.clientX - scroll.getBoundingClientRect().left + scroll.scrollLeft;
    choose(Math.min(Math.floor(x / width), count - 1), false);
  });
  scroll.addEventListener("keydown", (e) => {
    const far = 10;
    const to = {
      ArrowRight: chosen + 1,
      ArrowLeft: chosen - 1,
      PageDown: Math.min(chosen + far, count - 1),
      PageUp: Math.max(chosen - far, 0),
      Home: 0,
      End: count - 1,
    }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    choose(to, true);
  });
  document.getElementById("rows").addEventListener("click", (e) => {
    const row = e.target.closest("tr");
    if (row) choose(rows.indexOf(row), true);
  });
  const last = () => Math.min(data.bad ?? count - 1, count - 1);
  document.getElementById("in").addEventListener("click", () => zoom(width * 1.5));
  document.getElementById("out").addEventListener("click", () => zoom(width / 1.5));
  document.getElementById("fit").addEventListener("click", () => zoom((scroll.clientWidth - 60) / Math.max(count, 1)));
  const bad = document.getElementById("bad");
  bad.hidden = data.bad === null;
  bad.addEventListener("click", () => choose(last(), true));
  all.addEventListener("change", draw);
  if (data.locks.every((l) => l.contended) || data.locks.length <= 8) {
    all.checked = true;
    document.getElementById("all-label").hidden = true;
  }
  document.getElementById("copy")?.addEventListener("click", () => {
    const field = document.getElementById("replay");
    field.select();
    navigator.clipboard?.writeText(field.value).catch(() => {});
  });

  scroll.addEventListener("scroll", keepInSight, {passive: true});
  new ResizeObserver(() => { if (chosen >= 0) reveal(chosen); }).observe(scroll);

  width = Math.min(Math.max((scroll.clientWidth - 60) / Math.max(count, 1), 14), 40);
  draw();
  const asked = Number(/^#event=(\d+)$/.exec(location.hash)?.[1]);  // a link to one event, by its number in the table
  choose(asked >= 1 && asked <= count ? asked - 1 : last(), true);
})();
