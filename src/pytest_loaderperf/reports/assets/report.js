// Draws the charts of a report, each when it comes into view and whenever its width changes.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const MIB = 2 ** 20;
const HEIGHT = 260;
// Of the whole page, so that charts follow light and dark.
const STYLE = {
  background: "none", color: "var(--text)", fontFamily: "inherit", fontSize: "12px", overflow: "visible",
};
const COMMON = { height: HEIGHT, marginBottom: 42, style: STYLE };

// --- the forest plot: rows of one scale, on which what is worse lies to the left of 0

const COLORS = {
  failed: "var(--bad)", inconclusive: "var(--other)", improved: "var(--good)", rest: "var(--quiet)",
};
const [WORST, BEST] = DATA.scale;

function forest(element, width, marks) {
  return Plot.plot({
    width,
    height: element.clientHeight,
    margin: 0,
    style: STYLE,
    x: { domain: [WORST, BEST], axis: null, range: [20, width - 20] }, // room for labels
    y: { axis: null },
    marks,
  });
}

function axis(element, width) {
  const end = { text: (text) => text, frameAnchor: "top", dy: 6, fontWeight: 600 };
  return forest(element, width, [
    Plot.axisX({
      anchor: "bottom", tickSize: 0, tickPadding: -12, ticks: width / 72, label: null,
      tickFormat: (change) => (change === 0 ? "same" : `${d3.format(".0f")(100 * Math.abs(change))} %`),
    }),
    Plot.text(["← worse"], { ...end, textAnchor: "start", fill: "var(--bad)", x: [WORST] }),
    Plot.text(["better →"], { ...end, textAnchor: "end", fill: "var(--good)", x: [BEST] }),
  ]);
}

function row(element, width) {
  const { change, interval, tolerance } = DATA.rows[element.dataset.index];
  const color = COLORS[element.dataset.state];
  const seen = Math.max(WORST, Math.min(BEST, change));
  const outside = change < WORST ? "◂" : change > BEST ? "▸" : "";
  return forest(element, width, [
    Plot.rectX([tolerance], { x1: (t) => -t, x2: (t) => t, fill: "var(--band)", clip: true }),
    Plot.ruleX([-tolerance], { stroke: "var(--quiet)", strokeDasharray: "2 3", clip: true }),
    Plot.ruleX([0], { stroke: "var(--quiet)" }),
    interval && Plot.ruleY([interval], {
      x1: "0", x2: "1", y: null, stroke: color, strokeWidth: 3, clip: true,
    }),
    outside
      ? Plot.text([outside], { x: [seen], text: [outside], fill: color, fontSize: 18 })
      : Plot.dot([seen], { x: [seen], r: 5, fill: color, stroke: "var(--page)", strokeWidth: 1.5 }),
  ]);
}

// All rows of a group that is folded, as one.
function strip(element, width) {
  const { index, count, state } = element.dataset;
  const rows = DATA.rows.slice(+index, +index + +count).filter((each) => "change" in each);
  return forest(element, width, [
    Plot.ruleX([0], { stroke: "var(--quiet)" }),
    Plot.tickX(rows, { x: "change", stroke: COLORS[state], strokeOpacity: 0.45, insetTop: 5, insetBottom: 5, clip: true }),
  ]);
}

// --- the charts of a check

function pairs(element, width) {
  const found = DATA.checks[element.dataset.index].pairs[element.dataset.metric];
  const points = found.ratios.map((ratio, i) => ({ ratio, row: `pair ${i + 1}` }));
  const shown = [1, found.ratio, ...found.ratios, ...(found.interval ?? [])];
  // A limit that is far away would leave no room for the points.
  const farthest = Math.max(0.05, ...shown.map((ratio) => Math.abs(ratio - 1)));
  if (Math.abs(found.limit - 1) < 4 * farthest) {
    shown.push(found.limit);
  }
  const [low, high] = d3.extent(shown);
  const space = Math.max((high - low) * 0.08, 0.005);
  const domain = [low - space, high + space];
  const worse = found.better === "higher" ? [domain[0], found.limit] : [found.limit, domain[1]];
  const all = { ratio: found.ratio, row: "all", low: found.interval?.[0], high: found.interval?.[1] };
  return Plot.plot({
    ...COMMON,
    width,
    height: 80 + 16 * (points.length + 1),
    marginLeft: 56,
    x: { domain, label: "candidate / baseline", grid: true },
    y: { domain: [...points.map((point) => point.row), "all"], label: null },
    marks: [
      Plot.rectX([worse], { x1: "0", x2: "1", fill: "var(--bad)", fillOpacity: 0.12, clip: true }),
      Plot.ruleX([found.limit], { stroke: "var(--bad)", strokeDasharray: "4 3", clip: true }),
      Plot.ruleX([1], { stroke: "currentColor" }),
      Plot.dot(points, { x: "ratio", y: "row", r: 3.5, fill: "var(--candidate)" }),
      found.interval
        ? Plot.ruleY([all], { x1: "low", x2: "high", y: "row", stroke: "var(--other)", strokeWidth: 4 })
        : null,
      Plot.dot([all], { x: "ratio", y: "row", r: 5, fill: "var(--other)" }),
    ],
  });
}

function memory(element, width) {
  const check = DATA.checks[element.dataset.index];
  const lines = check.memory.flatMap(({ seconds, processes }) =>
    Object.entries(processes).map(([name, bytes]) => ({ seconds, name, mib: bytes / MIB })),
  );
  const added = check.memory.map(({ seconds, added }) => ({ seconds, mib: added / MIB }));
  const last = d3.rollups(lines, (each) => each[each.length - 1], (each) => each.name);
  return Plot.plot({
    ...COMMON,
    width,
    marginRight: 64,
    x: { label: "seconds" },
    y: { label: "MiB", grid: true, zero: true },
    marks: [
      Plot.lineY(lines, { x: "seconds", y: "mib", z: "name", stroke: "var(--candidate)" }),
      Plot.text(last.map(([, each]) => each), {
        x: "seconds", y: "mib", text: "name", textAnchor: "start", dx: 6, fill: "var(--candidate)",
      }),
      Plot.lineY(added, { x: "seconds", y: "mib", stroke: "var(--other)", strokeWidth: 2.5 }),
      Plot.text(added.slice(-1), {
        x: "seconds", y: "mib", text: ["added"], textAnchor: "start", dx: 6, fill: "var(--other)",
      }),
      check.peak === null
        ? null
        : Plot.ruleY([check.peak / MIB], { stroke: "var(--other)", strokeDasharray: "4 3" }),
      check.peak === null
        ? null
        : Plot.text(["peak"], {
            y: [check.peak / MIB], frameAnchor: "left", dx: 4, dy: -7, textAnchor: "start",
            fill: "var(--other)",
          }),
    ],
  });
}

function history(element, width) {
  const metric = element.dataset.metric;
  const scale = metric === "peak_memory" ? MIB : 1;
  const all = DATA.checks[element.dataset.index].history;
  const points = all
    .filter((each) => metric in each)
    .map((each) => ({ ...each, value: each[metric] / scale }));
  const commits = [...new Set(all.map((each) => each.commit))];
  const machines = new Set(points.map((each) => each.machine)).size;
  const step = Math.ceil(commits.length / (width / 90)); // labels that do not overlap
  return Plot.plot({
    ...COMMON,
    width,
    marginRight: 40,
    x: {
      type: "point",
      domain: commits,
      label: null,
      ticks: commits.filter((_, i) => i % step === 0),
    },
    y: { label: metric === "peak_memory" ? "MiB" : "samples/s", grid: true, zero: true, nice: true },
    symbol: { legend: machines > 1 },
    marks: [
      Plot.lineY(points, { x: "commit", y: "value", z: "machine", stroke: "var(--candidate)" }),
      Plot.dot(points, {
        x: "commit", y: "value", r: 4, stroke: "var(--candidate)", symbol: "machine",
        title: (each) => `${each.commit} ${each.day}`,
      }),
    ],
  });
}

function sweep(element, width) {
  const { points, label: parameters, limit } = DATA.sweeps[element.dataset.index];
  const box = document.createElement("div");
  box.className = "charts";
  // Beside each other where there is room, as the style sheet has them.
  const each = width < 800 ? width : (width - 16) / 2;
  const highest = d3.max(points, (point) => point.peak_memory);
  const settings = points.map((point) => point.setting);
  const sizes = settings.every((setting) => typeof setting === "number")
    ? { type: "log", base: 2, ticks: settings, tickFormat: "d" }
    : { type: "point", domain: settings };
  const chart = (label, value, rule) =>
    Plot.plot({
      ...COMMON,
      width: each,
      x: { ...sizes, label: parameters },
      y: { label, grid: true, zero: true },
      marks: [
        Plot.ruleY(rule, { stroke: "var(--bad)", strokeDasharray: "4 3" }),
        Plot.lineY(points, { x: "setting", y: value, stroke: "var(--candidate)" }),
        Plot.dot(points, {
          x: "setting", y: value, r: (p) => (p.best ? 7 : 4),
          fill: (p) => (p.best ? "var(--other)" : "var(--candidate)"),
        }),
      ],
    });
  box.append(
    chart("samples/s", "throughput", []),
    chart("MiB of memory", (p) => p.peak_memory / MIB, limit < 2 * highest ? [limit / MIB] : []),
  );
  return box;
}

// Calls as boxes, each below its caller, as wide as the time that it took on one side.
function calls(element, width) {
  const { side, index, why } = element.dataset;
  const { unit, stacks } = DATA.checks[index].why[why];
  const root = { name: "all", within: new Map(), candidate: 0, baseline: 0 };
  for (const [names, candidate, baseline] of stacks) {
    let node = root;
    for (const name of names) {
      if (!node.within.has(name)) {
        node.within.set(name, { name, within: new Map(), candidate: 0, baseline: 0 });
      }
      node = node.within.get(name);
    }
    node.candidate += candidate;
    node.baseline += baseline;
  }
  const tree = (which) => d3.hierarchy(root, (d) => [...d.within.values()]).sum((d) => d[which]);
  const others = tree(side === "candidate" ? "baseline" : "candidate");
  const other = new Map(others.descendants().map((d) => [d.data, d.value]));
  const laid = tree(side);
  const widest = Math.max(laid.value, others.value); // both sides have one scale
  d3.partition().size([laid.value, laid.height + 1])(laid);
  const boxes = laid.descendants().filter((d) => d.x1 - d.x0 > widest / 500);
  const more = (d) => (side === "candidate" ? 1 : -1) * (d.value - other.get(d.data));
  const most = d3.max(boxes, (d) => Math.abs(more(d))) || 1;
  const letters = (d) => Math.floor(((d.x1 - d.x0) / widest) * width / 6.5) - 1;
  const place = { x1: "x0", x2: "x1", y1: "y0", y2: "y1" };
  return Plot.plot({
    ...COMMON,
    width,
    height: 60 + 20 * d3.max(boxes, (d) => d.y1),
    marginLeft: 8,
    marginRight: 8,
    x: { label: unit, domain: [0, widest] },
    y: { axis: null, reverse: true },
    marks: [
      Plot.rect(boxes, {
        ...place,
        fill: (d) => (more(d) > 0 ? "var(--bad)" : "var(--candidate)"),
        fillOpacity: (d) => 0.05 + (0.4 * Math.abs(more(d))) / most,
        stroke: "var(--line)",
        title: (d) => `${d.data.name}\n${d.value.toPrecision(3)} ${unit}, ${d3.format("+.3g")(more(d))} ${unit}`,
      }),
      Plot.text(boxes, {
        x: "x0",
        y: (d) => (d.y0 + d.y1) / 2,
        dx: 4,
        textAnchor: "start",
        text: (d) => (letters(d) > 3 ? d.data.name.slice(0, letters(d)) : ""),
      }),
    ],
  });
}

const CHARTS = { axis, row, strip, pairs, memory, history, sweep, calls };

function draw(element) {
  const width = element.clientWidth;
  if (width && width !== element.drawnWidth) {
    element.drawnWidth = width;
    element.replaceChildren(CHARTS[element.dataset.chart](element, width));
  }
}

const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => draw(target)));
const seen = new IntersectionObserver(
  (entries) => {
    entries
      .filter((entry) => entry.isIntersecting)
      .forEach(({ target }) => {
        seen.unobserve(target);
        draw(target);
        resized.observe(target);
      });
    performance.mark("drawn"); // for who measures how long that takes
  },
  { rootMargin: "200px" },
);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
all("[data-chart]").forEach((element) => seen.observe(element));

// --- groups of checks that can be folded, and filters

const form = document.getElementById("filter");

function fold(group, folded) {
  group.classList.toggle("folded", folded);
  group.querySelector("button").setAttribute("aria-expanded", String(!folded));
}

function filter() {
  const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
  const verdicts = new Set(all("[name=verdict]:checked", form).map((each) => each.value));
  const failed = form.elements.failed?.checked;
  const active = Boolean(words.length || verdicts.size || failed);
  const rows = all(".row");
  for (const each of rows) {
    const text = each.textContent.toLowerCase();
    // What failed, and each of the verdicts that are asked for.
    const asked = !(failed || verdicts.size)
      || (failed && "failed" in each.dataset) || verdicts.has(each.dataset.verdict);
    each.hidden = !(asked && words.every((word) => text.includes(word)));
    document.getElementById(each.querySelector("a").hash.slice(1)).hidden = each.hidden;
  }
  for (const group of all(".forest tbody")) {
    const shown = all(".row:not([hidden])", group).length;
    group.hidden = shown === 0;
    group.wasFolded ??= group.classList.contains("folded");
    fold(group, !active && group.wasFolded);
    if (!active) {
      delete group.wasFolded;
    }
  }
  const count = rows.filter((each) => !each.hidden).length;
  const total = `${rows.length} check${rows.length === 1 ? "" : "s"}`;
  document.getElementById("shown").textContent = active ? `${count} of ${total}` : total;
  form.querySelector("[type=reset]").hidden = !active;
}

if (form) {
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter)); // once its fields are empty
  form.addEventListener("submit", (event) => event.preventDefault());
  all(".forest .head button").forEach((button) => {
    const group = button.closest("tbody");
    button.addEventListener("click", () => fold(group, !group.classList.contains("folded")));
  });
}

// --- a link to a check unfolds it

function named() {
  const anchor = location.hash.slice(1);
  try {
    return decodeURIComponent(anchor);
  } catch {
    return anchor; // a "%" that encodes nothing
  }
}

function reveal() {
  const target = document.getElementById(named());
  if (target?.matches("details.check")) {
    if (target.hidden) {
      form.reset();
      filter();
    }
    target.open = true;
    target.scrollIntoView();
    target.querySelector("summary").focus({ preventScroll: true });
  }
}
addEventListener("hashchange", reveal);
reveal();
// Once more when all is there: the browser takes the focus away as it jumps to the link's target.
addEventListener("load", () => requestAnimationFrame(reveal));

// --- on paper all is shown that is not filtered out

let unfolded = [];
addEventListener("beforeprint", () => {
  unfolded = all("details:not([open]), tbody.folded");
  unfolded.forEach((each) => (each.tagName === "DETAILS" ? (each.open = true) : fold(each, false)));
  all("[data-chart]").forEach(draw);
});
addEventListener("afterprint", () => {
  unfolded.forEach((each) => (each.tagName === "DETAILS" ? (each.open = false) : fold(each, true)));
});
