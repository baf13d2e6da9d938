/* base.js - the ground of the page: elements, numbers, colours, requests, tables. Text from the
 * runtime enters the page as textContent only. */
"use strict";

const $ = (id) => document.getElementById(id);
const clear = (node) => {
	node.replaceChildren();
	return node;
};

/* An element: el("td.num", "text", child, {title: "..."}). */
function el(what, ...parts) {
	const [tag, ...classes] = what.split(".");
	const node = document.createElement(tag);
	if (classes.length) node.className = classes.join(" ");
	for (const part of parts) {
		if (part === null || part === undefined || part === false) continue;
		if (part instanceof Node || typeof part !== "object") node.append(part);
		else if (Array.isArray(part)) node.append(...part);
		else
			for (const [key, value] of Object.entries(part)) {
				if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
				else if (value !== null && value !== undefined) node.setAttribute(key, value);
			}
	}
	return node;
}

/* ---- numbers as a person reads them ---- */

const fixed = (n, digits) => n.toFixed(digits).replace(/\.0+$/, "");
function count(n) {
	if (n === undefined || n === null) return "–";
	if (n < 10000) return String(Math.round(n));
	for (const [size, unit] of [
		[1e9, "G"],
		[1e6, "M"],
		[1e3, "k"],
	])
		if (n >= size) return fixed(n / size, n / size < 100 ? 1 : 0) + " " + unit;
	return String(n);
}
const exact = (n) => (n === undefined || n === null ? "–" : Math.round(n).toLocaleString("en-US"));
const plural = (n, word, end = "s") => `${exact(n)} ${word}${n === 1 ? "" : end}`;
function bytes(n) {
	if (n === undefined || n === null) return "–";
	let unit = 0;
	for (; n >= 1024 && unit < 5; unit++) n /= 1024;
	return fixed(n, unit && n < 100 ? 1 : 0) + " " + ["B", "KiB", "MiB", "GiB", "TiB", "PiB"][unit];
}
function span(ms) {
	if (ms === undefined || ms === null) return "–";
	if (ms === 0) return "< 1 ms";
	if (ms < 1) return fixed(ms * 1000, ms < 0.01 ? 1 : 0) + " µs";
	if (ms < 1000) return fixed(ms, ms < 10 ? 1 : 0) + " ms";
	const s = ms / 1000;
	if (s < 60) return fixed(s, s < 10 ? 1 : 0) + " s";
	const two = (a, b, x, y) => `${Math.floor(a)} ${x} ${Math.floor(b)} ${y}`;
	if (s < 3600) return two(s / 60, s % 60, "min", "s");
	if (s < 86400) return two(s / 3600, (s % 3600) / 60, "h", "min");
	return two(s / 86400, (s % 86400) / 3600, "d", "h");
}
/* "2026-11-30 10:16:15", of the person's time zone. */
function moment(ms) {
	if (!ms) return "–";
	const two = (n) => String(n).padStart(2, "0");
	const at = new Date(ms);
	const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
	return day + " " + [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
}

/* ---- light, dark, colours ---- */

const darkByDefault = matchMedia("(prefers-color-scheme: dark)");
function setTheme() {
	const chosen = localStorage.getItem("plm-theme");
	document.documentElement.dataset.theme = chosen || (darkByDefault.matches ? "dark" : "light");
}
function switchTheme() {
	const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
	localStorage.setItem("plm-theme", next);
	setTheme();
	plots.build();
	stream.dirty = true;
}
setTheme();
darkByDefault.addEventListener("change", () => {
	setTheme();
	plots.build();
	stream.dirty = true;
});
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/* The colour of a function: its hash chooses from the palette, and the next free colour is taken if
 * another function of this page already has the colour. */
const PALETTE = [
	"#4e79a7",
	"#f28e2b",
	"#59a14f",
	"#b07aa1",
	"#76b7b2",
	"#edc948",
	"#9c755f",
	"#ff9da7",
	"#86bcb6",
	"#d37295",
	"#499894",
	"#f1ce63",
	"#8cd17d",
	"#79706e",
	"#a0cbe8",
	"#d4a6c8",
	"#b6992d",
	"#d7b5a6",
];
const tints = new Map();
function tint(name) {
	let colour = tints.get(name);
	if (colour) return colour;
	let hash = 2166136261;
	for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
	let at = (hash >>> 0) % PALETTE.length;
	const taken = new Set(tints.values());
	for (let i = 0; i < PALETTE.length && taken.has(PALETTE[at]); i++) at = (at + 1) % PALETTE.length;
	colour = PALETTE[at];
	if (tints.size < 500) tints.set(name, colour);
	return colour;
}
/* "resize" of "/usr/bin/resize -x 3": commands are coloured by program. */
const program = (what) => what.split(/\s/, 1)[0].replace(/.*\/(?=.)/, "");

/* ---- messages ---- */

let toastTimer;
function toast(text) {
	$("toast").textContent = text;
	$("toast").hidden = false;
	clearTimeout(toastTimer);
	toastTimer = setTimeout(() => {
		$("toast").hidden = true;
	}, 5000);
}
function notice(text) {
	$("notice").textContent = text || "";
	$("notice").hidden = !text;
}

/* ---- asking the server ---- */

async function get(path, parameters) {
	const query = new URLSearchParams();
	for (const [key, value] of Object.entries(parameters || {}))
		if (value !== undefined && value !== null && value !== "") query.set(key, value);
	const text = query.toString();
	const answer = await fetch("/api/" + path + (text ? "?" + text : ""), { cache: "no-store" });
	const body = await answer.json();
	if (!answer.ok) throw new Error(body.error || answer.statusText);
	return body;
}

/* The token stands behind # in the address, which a browser never sends. */
const token = {
	get: () => sessionStorage.getItem("plm-token") || "",
	take() {
		const found = /^#token=([0-9a-f]+)/.exec(location.hash);
		if (!found) return;
		sessionStorage.setItem("plm-token", found[1]);
		history.replaceState(null, "", location.pathname + "#/overview");
	},
	ask: () =>
		new Promise((resolve) => {
			const dialog = $("ask");
			$("ask-token").value = "";
			dialog.onclose = () => {
				const given =
					dialog.returnValue === "ok"
						? $("ask-token")
								.value.trim()
								.replace(/.*token=/, "")
						: "";
				if (given) sessionStorage.setItem("plm-token", given);
				resolve(given !== "");
			};
			dialog.returnValue = "";
			dialog.showModal();
		}),
};
async function act(path, parameters) {
	if (!token.get() && !(await token.ask())) return false;
	try {
		const answer = await fetch("/api/" + path + "?" + new URLSearchParams(parameters || {}), {
			method: "POST",
			headers: { Authorization: "Bearer " + token.get() },
		});
		const body = await answer.json();
		if (answer.status === 401) sessionStorage.removeItem("plm-token");
		toast(answer.ok ? body.done : body.error);
		return answer.ok;
	} catch (error) {
		toast("plmweb does not answer: " + error.message);
		return false;
	}
}

/* ---- lists by pages ---- */

/* The server reads lists by cursors, so the way back is a stack of them. A page replaces the page
 * before: of a million rows the browser holds one page. */
const pager = (name, load) => ({
	starts: [0],
	following: null,
	get start() {
		return this.starts[this.starts.length - 1];
	},
	get number() {
		return this.starts.length;
	},
	reset() {
		this.starts = [0];
	},
	/* following: where the next page begins; null: this is the last. */
	show(following) {
		this.following = following;
		$(name + "-back").hidden = this.number === 1;
		$(name + "-next").hidden = following === null;
	},
	turn(step) {
		if (step > 0 && this.following !== null) this.starts.push(this.following);
		else if (step < 0 && this.number > 1) this.starts.pop();
		else return;
		this.following = null;
		load();
	},
	bind() {
		$(name + "-back").onclick = () => this.turn(-1);
		$(name + "-next").onclick = () => this.turn(1);
	},
});

/* ---- tables ---- */

const refLink = (ref) => (ref ? el("a.mono", { href: "#/task/" + ref }, ref) : "–");
const stateMark = (state) => el("span.state." + state.replace(/[^a-z]/g, ""), state);

/* Columns: {title, cell: (row) => text or node, num, wide, mono, sort}. */
function table(node, columns, rows, options = {}) {
	const head = columns.map((column) => {
		const th = el("th" + (column.num ? ".num" : ""));
		if (column.sort && options.onSort) {
			const mark = options.sort === column.sort ? (options.rising ? " ▲" : " ▼") : "";
			th.append(
				el("button", column.title + mark, {
					type: "button",
					onclick: () => options.onSort(column.sort),
				}),
			);
		} else th.append(column.title);
		return th;
	});
	const body = rows.map((row, i) => {
		const tr = el(
			"tr",
			columns.map((column) => {
				const value = column.cell(row);
				return el(
					"td" +
						(column.num ? ".num" : "") +
						(column.wide ? ".wide" : "") +
						(column.mono ? ".mono" : ""),
					value === undefined || value === null ? "–" : value,
				);
			}),
		);
		if (options.open) {
			tr.dataset.open = options.open(row);
			tr.dataset.row = i;
		}
		return tr;
	});
	if (!rows.length)
		body.push(el("tr", el("td.empty", options.empty || "nothing", { colspan: columns.length })));
	const chosen = [...node.querySelectorAll("tr.chosen")].map((tr) => tr.dataset.open)[0];
	node.replaceChildren(el("thead", el("tr", head)), el("tbody", body));
	if (chosen)
		for (const tr of node.querySelectorAll("tbody tr"))
			tr.classList.toggle("chosen", tr.dataset.open === chosen);
}
function choose(step) {
	const rows = [...document.querySelectorAll(`#${view.name} tbody tr[data-open]`)];
	if (!rows.length) return;
	const at = rows.findIndex((tr) => tr.classList.contains("chosen"));
	const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + step))];
	rows.forEach((tr) => tr.classList.toggle("chosen", tr === next));
	next.scrollIntoView({ block: "nearest" });
}
const chosenRef = () =>
	view.name === "task"
		? detail.ref
		: (document.querySelector(`#${view.name} tr.chosen`) || { dataset: {} }).dataset.open;

function chips(node, names, chosen, changed) {
	clear(node).append(
		...names.map((name) =>
			el("button", name, {
				type: "button",
				"aria-pressed": chosen.has(name),
				onclick() {
					if (!chosen.delete(name)) chosen.add(name);
					chips(node, names, chosen, changed);
					changed();
				},
			}),
		),
	);
}
