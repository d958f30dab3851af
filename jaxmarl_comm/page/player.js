"use strict";
function player(box) {  // plays the film that lies in the box
  const film = JSON.parse(box.querySelector("script").textContent);
  const colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999933", "#882255"];
  const find = selector => box.querySelector(selector), all = selector => box.querySelectorAll(selector);
  const safe = text => String(text).replace(/[&<>"']/g, c => "&#" + c.charCodeAt(0) + ";");
  const seat = label => film.agents.indexOf(label);
  const colour = n => n < 0 ? "#777" : colours[n % colours.length];
  const body = film.agents.map(label => film.scene.findIndex(shape => shape.kind === "agent" && shape.label === label));
  let episode, view, scale, step = 0, timer = null;  // view and scale: of the episode's places and messages

  const length = take => take.places.length - 1;
  const most = (numbers, least) => numbers.reduce((a, x) => Math.max(a, x), least);
  const longest = () => Math.max(...episode.takes.map(length));
  const at = take => Math.min(step, length(take));
  const clipped = x => Math.max(-20, Math.min(20, x));
  const around = axis => {  // [middle, half] of where bodies are on this axis in the whole episode
    const all = episode.takes.flatMap(take => take.places.flat().concat(episode.targets).filter(known).map(place => clipped(place[axis])));
    const low = all.reduce((a, x) => Math.min(a, x), Infinity), high = most(all, -Infinity);
    return low > high ? [0, 1] : [(low + high) / 2, (high - low) / 2 + .3];
  };
  const largest = () => most(episode.takes.flatMap(take => take.messages.flat(2)).filter(x => typeof x === "number").map(Math.abs), 1e-6);
  const known = place => place.every(x => x !== null);
  const point = place => place[0] + "," + -place[1];

  function shade(x) {  // white is 0, blue is positive, orange negative
    if (x === null) return "#000";
    const part = Math.min(1, Math.abs(x) / scale), full = x > 0 ? [0, 114, 178] : [213, 94, 0];
    return "rgb(" + full.map(c => Math.round(255 + (c - 255) * part)).join(",") + ")";
  }

  function bubble(said, x, y, unit) {
    if (said === null) return "";
    if (typeof said === "string")
      return `<text x="${x}" y="${y}" font-size="${unit * 2.4}" font-weight="bold" text-anchor="middle">“${safe(said)}”</text>`;
    const shown = said.slice(0, film.numbers), side = unit;
    return shown.map((value, i) => `<rect x="${x + (i - shown.length / 2) * side}" y="${y - side}" width="${side}" height="${side * 1.3}" fill="${shade(value)}" stroke="#666" stroke-width="${unit / 20}"/>`).join("");
  }

  function ways(take, now, unit) {  // from each who has just spoken to those who can hear it
    const links = take.name !== "as it is" || now === 0 ? [] : take.hears ? take.hears[now - 1] : film.hears;
    return links.map(([listener, speaker]) => {
      const k = film.speakers.indexOf(speaker);
      const from = take.places[now][body[speaker]], to = take.places[now][body[listener]];
      if (k < 0 || take.messages[now - 1][k] === null || !known(from) || !known(to)) return "";
      const away = Math.hypot(to[0] - from[0], to[1] - from[1]) || 1;
      const along = [(to[0] - from[0]) / away, (from[1] - to[1]) / away], aside = [-along[1] * unit * .35, along[0] * unit * .35];
      const spot = (part, side) => [from[0] + (to[0] - from[0]) * part + aside[0] * side, -from[1] - (to[1] - from[1]) * part + aside[1] * side];
      const tip = spot(.62, 1), tail = [tip[0] - along[0] * unit, tip[1] - along[1] * unit];
      return `<g stroke="${colour(speaker)}" fill="${colour(speaker)}" stroke-width="${unit / 8}"><line x1="${spot(0, 1)[0]}" y1="${spot(0, 1)[1]}" x2="${spot(1, 1)[0]}" y2="${spot(1, 1)[1]}" stroke-dasharray="${unit / 3}"/>
        <polygon points="${tip} ${[tail[0] + aside[0], tail[1] + aside[1]]} ${[tail[0] - aside[0], tail[1] - aside[1]]}"/></g>`;
    }).join("");
  }

  function picture(take) {
    const now = at(take), unit = view.width / 44, parts = [];
    film.scene.forEach((shape, b) => {
      const place = take.places[now][b];
      if (shape.kind === "agent" || !known(place)) return;
      parts.push(`<circle cx="${place[0]}" cy="${-place[1]}" r="${shape.size}" fill="${shape.kind === "obstacle" ? "#666" : "#bbb"}" opacity=".8"/>`,
        `<text x="${place[0]}" y="${-place[1] + unit / 2}" font-size="${unit * 1.4}" text-anchor="middle">${safe(shape.label)}</text>`);
    });
    episode.targets.forEach((place, n) => {
      if (known(place)) parts.push(`<circle cx="${place[0]}" cy="${-place[1]}" r="${unit * (1.3 + n * .35)}" fill="none" stroke="${colour(n)}" stroke-width="${unit / 5}" stroke-dasharray="${unit / 2}"/>`);
    });
    parts.push(ways(take, now, unit));
    film.scene.forEach((shape, b) => {
      const place = take.places[now][b], n = seat(shape.label);
      if (shape.kind !== "agent" || !known(place)) return;
      const trail = take.places.slice(0, now + 1).map(places => places[b]).filter(known).map(point).join(" ");
      const team = film.team_of[n];
      parts.push(`<polyline points="${trail}" fill="none" stroke="${colour(n)}" stroke-width="${unit / 4}" opacity=".5"/>`,
        `<circle cx="${place[0]}" cy="${-place[1]}" r="${shape.size}" fill="${colour(n)}" stroke="#000" stroke-width="${unit / 6}" ${team === 1 ? `stroke-dasharray="${unit / 3}"` : ""}/>`,
        `<text x="${place[0]}" y="${-place[1] + shape.size + unit * 1.4}" font-size="${unit * 1.1}" text-anchor="middle">${safe(shape.label)}</text>`);
      const speaker = film.speakers.indexOf(n);
      if (speaker >= 0 && now > 0) parts.push(bubble(take.messages[now - 1][speaker], place[0], -place[1] - shape.size - unit * .5, unit));
    });
    return `<svg viewBox="${view.left} ${view.top} ${view.width} ${view.height}" role="img" aria-label="${safe(take.name)}, step ${now}">${parts.join("")}</svg>`;
  }

  function score(take) {  // who says what at which step
    const cell = (said, t) => {
      const numbers = Array.isArray(said), bands = numbers ? said.slice(0, film.numbers) : [];
      const paint = numbers ? `background:linear-gradient(${bands.map((x, i) => `${shade(x)} ${100 * i / bands.length}% ${100 * (i + 1) / bands.length}%`).join(",")})` : "";
      return `<td data-step="${t + 1}" style="${paint}" title="step ${t + 1}: ${safe(said === null ? "nothing" : said)}">${typeof said === "string" ? safe(said) : ""}</td>`;
    };
    return film.speakers.map((n, k) => `<tr><th style="color:${colour(n)}">${safe(film.agents[n])}</th>${take.messages.map((said, t) => cell(said[k], t)).join("")}</tr>`).join("");
  }

  function caption(take) {
    const worth = film.teams.map((team, k) => (film.teams.length > 1 ? team + " " : "") + String(take.returns[k] ?? "not a number").replace("-", "−") + ({true: ", success", false: ", no success"}[take.success[k]] ?? "")).join("; ");
    const name = {"as it is": "as it is", "muted": "muted: nobody hears", "shuffled": "shuffled: heard from another"}[take.name];
    return `<b>${safe(name)}</b><br>return ${safe(worth)}`;
  }

  function lay() {  // what stays while an episode is played
    const [[x, wide], [y, high]] = [around(0), around(1)], half = [Math.max(wide, high * .9, .7), Math.max(high, wide * .5, .5)];
    view = { left: x - half[0], top: -y - half[1], width: 2 * half[0], height: 2 * half[1] };
    scale = largest();
    find(".takes").innerHTML = episode.takes.map(take =>
      `<figure><figcaption>${caption(take)}</figcaption><div class="picture"></div><div class="score"><table>${score(take)}</table></div></figure>`).join("");
  }

  function draw() {
    all(".picture").forEach((frame, k) => { frame.innerHTML = picture(episode.takes[k]); });
    all("td.now").forEach(cell => cell.classList.remove("now"));
    all(`td[data-step="${step}"]`).forEach(cell => cell.classList.add("now"));
    find(".clock").textContent = `${episode.name} of ${film.of}, step ${step} of ${longest()}`;
    find("[name=step]").value = step;
  }

  function go(to) { step = Math.max(0, Math.min(longest(), to)); draw(); }
  function pause() { clearInterval(timer); timer = null; find("[name=play]").textContent = "Play"; }
  function play() {
    if (step >= longest()) go(0);
    find("[name=play]").textContent = "Pause";
    timer = setInterval(() => { go(step + 1); if (step >= longest()) pause(); }, 1000 / find("[name=speed]").value);
  }
  function choose(k) { episode = film.episodes[k]; find("[name=step]").max = longest(); lay(); go(longest()); }

  film.episodes.forEach((one, k) => find("[name=episode]").add(new Option(`${one.name} of ${film.of}`, k)));
  find("[name=episode]").onchange = event => { pause(); choose(Number(event.target.value)); };
  find("[name=play]").onclick = () => timer === null ? play() : pause();
  find("[name=speed]").onchange = () => { if (timer !== null) { pause(); play(); } };
  find("[name=step]").oninput = event => { pause(); go(Number(event.target.value)); };
  find(".takes").onclick = event => { if (event.target.dataset.step) { pause(); go(Number(event.target.dataset.step)); } };
  const told = [], talk = film.speakers.length > 0;
  if (film.episodes.some(one => one.targets.some(known))) told.push("A dashed ring is where the agent of its colour ought to be, whether it is told or not.");
  if (film.teams.length > 1) told.push(`Best and worst are those of ${film.teams[0]}.`);
  if (talk) told.push("Above an agent stands what it has just said: a word, or numbers as cells (blue positive, orange negative); arrows lead to whom it can reach. Below each picture stands what everybody says at each step: click to go there.");
  else told.push(`Nobody${film.scene.filter(shape => shape.kind === "agent").length > film.agents.length ? " of this side" : ""} talks.`);
  const width = most(film.episodes.flatMap(one => one.takes.flatMap(take => take.messages.flat().map(said => Array.isArray(said) ? said.length : 0))), 0);
  if (width > film.numbers) told.push(`Of ${width} numbers in a message the first ${film.numbers} are shown.`);
  find(".legend").textContent = told.join(" ");
  choose(0);
}
document.querySelectorAll(".replay").forEach(player);
