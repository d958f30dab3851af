"use strict";
function curves(box) {  // draws the charts whose numbers lie in the box
  const spec = JSON.parse(box.querySelector("script").textContent);
  const dashes = ["", "7 3", "7 3 2 3", "2 3"], levelDashes = { "silent optimum": "2 3", "oracle": "8 3 2 3" };
  const off = new Set();  // seeds or lines that are switched off
  let clock = false;  // whether curves go along minutes, not steps
  const safe = text => String(text).replace(/[&<>"']/g, c => "&#" + c.charCodeAt(0) + ";");
  const colour = k => spec.colours[k % spec.colours.length], dash = k => dashes[k % dashes.length];
  const say = x => x === null || x === undefined ? "–" : (Math.abs(x) >= 1e4 || (x !== 0 && Math.abs(x) < 1e-3) ? x.toExponential(2) : x.toFixed(Math.abs(x) < 1 ? 3 : 2)).replace("-", "−");
  const tick = x => (Math.abs(x) >= 1e4 || (x !== 0 && Math.abs(x) < 1e-3) ? x.toExponential(0) : String(+x.toPrecision(6))).replace("-", "−");

  function summary(values) {  // of the seeds that are switched on and known
    const on = values.filter((x, seed) => x !== null && !(spec.by === "seed" && off.has(seed)));
    return on.length === 0 ? null : { mean: on.reduce((a, x) => a + x, 0) / on.length, low: Math.min(...on), high: Math.max(...on) };
  }

  function seen(chart) {  // what is to be drawn of a chart
    return chart.lines.map((line, k) => ({ k, name: line.name, xs: clock && line.minutes ? line.minutes : line.x, ys: line.y, of: line.y.map(summary) }))
      .filter(line => line.xs.length && !(spec.by === "line" && off.has(line.k)));
  }

  function span(numbers, least) {
    const low = numbers.reduce((a, x) => Math.min(a, x), Infinity), high = numbers.reduce((a, x) => Math.max(a, x), -Infinity);
    if (low > high) return [0, 1];
    const margin = (high - low) * least || Math.abs(high) * .1 || 1;
    return [low - margin, high + margin];
  }

  function ticks(low, high, most) {  // round numbers
    const raw = (high - low) / most, ten = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].map(x => x * ten).find(x => x >= raw);
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(k * step);
    return found;
  }

  function plan(chart, width) {  // where everything is
    const lines = seen(chart), levels = Object.entries(chart.levels), height = 232, left = 52, right = 10, top = 8, bottom = 40;
    const all = lines.flatMap(line => line.of.flatMap(x => x ? [x.low, x.high] : []));
    const [low, high] = chart.share ? [-.03, 1.03] : span([...all, ...levels.map(([, y]) => y)], .05);
    const xs = lines.flatMap(line => line.xs), [first, last] = xs.length > 1 ? [Math.min(...xs), Math.max(...xs)] : span(xs, 0);
    const wide = last > first ? last - first : 1;
    return { chart, lines, levels, width, height, left, right, top, bottom, low, high, first, last: first + wide,
      x: at => left + (at - first) / wide * (width - left - right), y: at => top + (high - at) / (high - low) * (height - top - bottom) };
  }

  function path(points) {  // through what is known
    return points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  }

  function drawn(line, p) {
    const known = line.of.map((x, i) => [line.xs[i], x, line.ys[i]]).filter(([, x]) => x), parts = [];
    const band = [...known.map(([x, y]) => [p.x(x), p.y(y.high)]), ...known.map(([x, y]) => [p.x(x), p.y(y.low)]).reverse()];
    parts.push(`<path d="${path(band)}Z" fill="${colour(line.k)}" opacity=".16"/>`);
    if (spec.by === "seed" && spec.switches.length > 1) spec.switches.forEach((_, seed) => {
      const own = off.has(seed) ? [] : known.filter(([, , y]) => y[seed] !== null).map(([x, , y]) => [p.x(x), p.y(y[seed])]);
      parts.push(`<path d="${path(own)}" fill="none" stroke="${colour(line.k)}" stroke-width=".8" opacity=".5"/>`);
    });
    const middle = known.map(([x, y]) => [p.x(x), p.y(y.mean)]);
    parts.push(`<path d="${path(middle)}" fill="none" stroke="${colour(line.k)}" stroke-width="2.2" stroke-linejoin="round" stroke-dasharray="${dash(line.k)}"/>`);
    if (middle.length < 10) parts.push(middle.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="3" fill="${colour(line.k)}"/>`).join(""));
    return parts.join("");
  }

  function grid(p) {
    const ys = ticks(p.low, p.high, 5).filter(y => y >= p.low && y <= p.high), xs = ticks(p.first, p.last, Math.max(2, (p.width - p.left - p.right) / 48));
    const base = p.height - p.bottom;
    return ys.map(y => `<line x1="${p.left}" x2="${p.width - p.right}" y1="${p.y(y)}" y2="${p.y(y)}" stroke="#e3e6ea"/><text x="${p.left - 6}" y="${p.y(y) + 4}" text-anchor="end">${tick(y)}</text>`).join("")
      + xs.map(x => `<line x1="${p.x(x)}" x2="${p.x(x)}" y1="${base}" y2="${base + 4}" stroke="#8a9099"/><text x="${p.x(x)}" y="${base + 16}" text-anchor="middle">${tick(x)}</text>`).join("")
      + `<line x1="${p.left}" x2="${p.width - p.right}" y1="${base}" y2="${base}" stroke="#8a9099"/><text x="${(p.left + p.width - p.right) / 2}" y="${p.height - 5}" text-anchor="middle">${clock && p.chart.lines.some(line => line.minutes) ? "minutes of training" : safe(p.chart.x)}</text>`;
  }

  function roomier(p, y) {  // at which end curves are farther from this height
    const away = end => Math.min(Infinity, ...p.lines.map(line => line.of.filter(Boolean).at(end)).filter(Boolean).map(x => Math.abs(p.y(x.mean) - p.y(y))));
    return away(0) > away(-1) ? [p.left + 4, "start"] : [p.width - p.right - 4, "end"];
  }

  function levels(p) {  // each with its name where there is room
    let above = Infinity;
    return [...p.levels].sort((a, b) => b[1] - a[1]).map(([name, y]) => {
      const at = p.y(y), text = at - 4 < p.top + 8 || at - above < 13 ? at + 12 : at - 4;
      const [x, anchor] = roomier(p, y);
      above = at;
      return `<line x1="${p.left}" x2="${p.width - p.right}" y1="${at}" y2="${at}" stroke="#444" stroke-width="1.2" stroke-dasharray="${levelDashes[name] ?? "10 3"}"/><text x="${x}" y="${text}" text-anchor="${anchor}" class="level">${safe(name)} ${say(y)}</text>`;
    }).join("");
  }

  function draw(figure, k) {
    const plot = figure.querySelector(".plot"), width = plot.clientWidth;
    if (!width) return;  // not seen yet
    const p = plan(spec.charts[k], width);
    plot.innerHTML = `<svg viewBox="0 0 ${width} ${p.height}" role="img" aria-label="${safe(p.chart.title)}">${grid(p)}${p.lines.map(line => drawn(line, p)).join("")}${levels(p)}<g class="cursor"></g></svg><div class="told" hidden></div>`;
    figure.plan = p;
    key(figure, p);
  }

  function key(figure, p) {  // names of lines, where no switch has them
    if (spec.by === "line" || p.chart.lines.length < 2) return;
    const old = figure.querySelector(".key") ?? figure.appendChild(Object.assign(document.createElement("div"), { className: "key" }));
    old.innerHTML = p.chart.lines.map((line, k) => sample(k) + safe(line.name)).join(" ");
  }
  const sample = k => `<svg class="sample" viewBox="0 0 26 8" aria-hidden="true"><line x1="1" x2="25" y1="4" y2="4" stroke="${colour(k)}" stroke-width="3" stroke-dasharray="${dash(k)}"/></svg>`;

  function point(figure, at) {  // tell of what is nearest to this place on the horizontal axis
    const p = figure.plan, told = figure.querySelector(".told");
    const near = p.lines.map(line => [line, line.xs.reduce((best, x, i) => line.of[i] && (best < 0 || Math.abs(x - at) < Math.abs(line.xs[best] - at)) ? i : best, -1)]).filter(([, i]) => i >= 0);
    if (!near.length) return;
    const x = near.reduce((best, [line, i]) => Math.abs(line.xs[i] - at) < Math.abs(best - at) ? line.xs[i] : best, near[0][0].xs[near[0][1]]);
    figure.at = x;
    figure.querySelector(".cursor").innerHTML = `<line x1="${p.x(x)}" x2="${p.x(x)}" y1="${p.top}" y2="${p.height - p.bottom}" stroke="#222" stroke-dasharray="2 2"/>`
      + near.map(([line, i]) => `<circle cx="${p.x(line.xs[i])}" cy="${p.y(line.of[i].mean)}" r="4" fill="${colour(line.k)}" stroke="#fff"/>`).join("");
    told.innerHTML = `<b>${safe(tick(+x.toPrecision(3)))}</b>` + near.map(([line, i]) => {
      const own = line.of[i], several = line.ys[i].length > 1;
      const seeds = several && spec.by === "seed" ? `<br><small>${line.ys[i].map((y, seed) => off.has(seed) ? "" : `${safe(spec.switches[seed])}: ${say(y)}`).filter(Boolean).slice(0, 12).join("<br>")}</small>` : several ? ` <small>${say(own.low)} to ${say(own.high)}</small>` : "";
      return `<br>${near.length > 1 ? sample(line.k) + safe(line.name) : ""} <b>${say(own.mean)}</b>${seeds}`;
    }).join("");
    told.hidden = false;
    const right = p.x(x) > p.width / 2;
    told.style.left = right ? "auto" : `${p.x(x) + 10}px`;
    told.style.right = right ? `${p.width - p.x(x) + 10}px` : "auto";
  }

  function hide(figure) { figure.querySelector(".told").hidden = true; figure.querySelector(".cursor").innerHTML = ""; }

  function listen(figure, k) {
    const plot = figure.querySelector(".plot");
    const follow = event => { const p = figure.plan; if (p) point(figure, p.first + (event.clientX - plot.getBoundingClientRect().left - p.left) / (p.width - p.left - p.right) * (p.last - p.first)); };
    plot.onpointermove = plot.onpointerdown = follow;
    plot.onpointerleave = plot.onblur = () => figure.plan && hide(figure);
    plot.onkeydown = event => {
      const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key], p = figure.plan;
      if (!way || !p || !p.lines.length) return;
      event.preventDefault();
      const xs = p.lines[0].xs, now = xs.findIndex(x => x >= (figure.at ?? p.first));
      point(figure, xs[Math.max(0, Math.min(xs.length - 1, now + way))]);
    };
    new ResizeObserver(() => draw(figure, k)).observe(plot);
  }

  const figures = [...box.querySelectorAll("figure.chart")], redraw = () => figures.forEach(draw);

  function switchFor(name, k) {
    const button = document.createElement("button");
    button.type = "button";
    button.ariaPressed = "true";
    button.innerHTML = (spec.by === "line" ? sample(k) : "") + safe(name);
    button.onclick = () => { off.has(k) ? off.delete(k) : off.add(k); button.ariaPressed = String(!off.has(k)); redraw(); };
    return button;
  }

  function clockSwitch() {
    const label = document.createElement("label");
    label.innerHTML = `along <select><option>steps</option><option>minutes</option></select>`;
    label.querySelector("select").onchange = event => { clock = event.target.selectedIndex === 1; redraw(); };
    return label;
  }

  const row = box.querySelector(".switches");
  if (spec.switches.length > 1) row.append(...spec.switches.map(switchFor));
  if (spec.charts.some(chart => chart.lines.length) && spec.charts.every(chart => chart.lines.every(line => line.minutes || !line.x.length))) row.append(clockSwitch());
  figures.forEach(listen);
}
document.querySelectorAll(".curves").forEach(curves);
