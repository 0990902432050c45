// Charts as drawings: https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block. The numbers stand in a hidden table too.

import { el, svg } from "./dom.js";

const W = 640, H = 300, LEFT = 56, TOP = 16, RIGHT = 16, BOTTOM = 56;

/** A bar, line, area or pie chart with its title, its legend and its numbers. */
export function chart(block) {
  const { type, series = [], segments, axis_config: axis = {} } = block.chart;
  const many = segments ? [{ name: block.title, data: segments }] : series;
  const draw = { bar: bars, line: lines, area: lines, pie }[type];
  if (!draw) return el("div", { class: "unknown" }, `Unknown chart: ${type}`);
  const labels = segments ? segments.map((s) => s.label) : axis.categories || many[0].data.map((d) => d.label);
  const legend = segments ? labels : many.length > 1 ? many.map((s) => s.name) : [];
  return el("figure", { class: "chart" }, el("figcaption", {}, block.title),
    svg("svg", { viewBox: `0 0 ${W} ${segments || axis.x_label ? H : H - 24}`, "aria-hidden": "true" }, draw({ type, series: many, labels, axis })),
    legend.length ? el("ul", { class: "legend" }, legend.map((name, n) => el("li", { class: `c${n % 12}` }, name))) : null,
    numbers(block.title, many, labels));
}

function numbers(title, series, labels) {
  const row = (label, n) => el("tr", {}, el("th", { scope: "row" }, label), series.map((s) => el("td", {}, String(s.data[n]?.value ?? "–"))));
  return el("table", { class: "hidden" }, el("caption", {}, title),
    el("thead", {}, el("tr", {}, el("th", {}, ""), series.map((s) => el("th", { scope: "col" }, s.name)))),
    el("tbody", {}, labels.map(row)));
}

/** Round steps up to the largest value. */
function scale(series) {
  const values = series.flatMap((s) => s.data.map((d) => d.value));
  const top = Math.max(1, ...values), low = Math.min(0, ...values);
  const rough = (top - low) / 4, power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max([1, 2, 5, 10].find((m) => m * power >= rough) * power, Number.isInteger(top) ? 1 : 0);
  const [from, to] = [Math.floor(low / step) * step, Math.ceil(top / step) * step];
  const ticks = Array.from({ length: Math.round((to - from) / step) + 1 }, (_, n) => from + n * step);
  return { ticks, y: (value) => TOP + (H - TOP - BOTTOM) * (1 - (value - from) / (to - from)) };
}

function frame({ labels, axis }, { ticks, y }) {
  const width = (W - LEFT - RIGHT) / labels.length;
  const few = Math.ceil(labels.length / 10);
  return [
    ticks.map((tick) => [svg("line", { class: "grid", x1: LEFT, x2: W - RIGHT, y1: y(tick), y2: y(tick) }),
      svg("text", { x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, Number(tick.toFixed(6)).toLocaleString("en"))]),
    labels.map((label, n) => (n % few ? null : svg("text", { x: LEFT + width * (n + 0.5), y: H - BOTTOM + 18, "text-anchor": "middle" }, label))),
    axis.x_label ? svg("text", { class: "axis", x: (LEFT + W - RIGHT) / 2, y: H - 10, "text-anchor": "middle" }, axis.x_label) : null,
    axis.y_label ? svg("text", { class: "axis", x: 14, y: (TOP + H - BOTTOM) / 2, "text-anchor": "middle", transform: `rotate(-90 14 ${(TOP + H - BOTTOM) / 2})` }, axis.y_label) : null,
  ];
}

function bars(told) {
  const { series, labels } = told, at = scale(series), zero = at.y(0);
  const width = (W - LEFT - RIGHT) / labels.length, each = Math.min(56, (width * 0.7) / series.length);
  const bar = (value, n, s) => {
    const x = LEFT + width * (n + 0.5) + each * (s - series.length / 2);
    const y = Math.min(zero, at.y(value));
    return [
      svg("rect", { class: `c${s % 12}`, x: x + 1, y, width: Math.max(1, each - 2), height: Math.abs(zero - at.y(value)), rx: 3 }),
      each > 18 ? svg("text", { class: "value", x: x + each / 2, y: y - 5, "text-anchor": "middle" }, value.toLocaleString("en")) : null,
    ];
  };
  return [frame(told, at), series.map((s, i) => s.data.map((d, n) => bar(d.value, n, i)))];
}

function lines(told) {
  const { type, series, labels } = told, at = scale(series), width = (W - LEFT - RIGHT) / labels.length;
  const x = (n) => LEFT + width * (n + 0.5);
  return [frame(told, at), series.map((s, i) => {
    const path = s.data.map((d, n) => `${n ? "L" : "M"}${x(n)} ${at.y(d.value)}`).join("");
    const under = type === "area" ? svg("path", { class: `area c${i % 12}`, d: `${path}L${x(s.data.length - 1)} ${at.y(0)}L${x(0)} ${at.y(0)}Z` }) : null;
    return [under, svg("path", { class: `line c${i % 12}`, d: path }), s.data.map((d, n) => svg("circle", { class: `c${i % 12}`, cx: x(n), cy: at.y(d.value), r: 3.5 }))];
  })];
}

function pie({ series }) {
  const data = series[0].data, all = data.reduce((sum, d) => sum + Math.max(0, d.value), 0) || 1;
  const [cx, cy, r] = [W / 2, H / 2, 120];
  let turn = -Math.PI / 2;
  const point = (angle, far) => [cx + far * Math.cos(angle), cy + far * Math.sin(angle)];
  return data.map((d, n) => {
    const angle = (Math.max(0, d.value) / all) * Math.PI * 2;
    const [a, b] = [point(turn, r), point(turn + angle, r)];
    const middle = point(turn + angle / 2, r * 0.65);
    turn += angle;
    const whole = angle > Math.PI * 1.9999;
    const shape = whole ? svg("circle", { class: `c${n % 12} slice`, cx, cy, r }) : svg("path", { class: `c${n % 12} slice`,
      d: `M${cx} ${cy}L${a[0]} ${a[1]}A${r} ${r} 0 ${angle > Math.PI ? 1 : 0} 1 ${b[0]} ${b[1]}Z` });
    return [shape, angle > 0.3 ? svg("text", { class: "inside", x: middle[0], y: middle[1] + 4, "text-anchor": "middle" }, d.value.toLocaleString("en")) : null];
  });
}
