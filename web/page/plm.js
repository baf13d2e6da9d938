/* plm.js - live data, views, keys, and the start of the page. */
"use strict";

/* ---- live data ---- */

const SILENT_MS = 5000; /* two frames a second come from a plmweb that goes on */
const live = {
	source: null,
	frame: null,
	stream: false,
	boot: "",
	heard: 0,
	open(wanted) {
		if (this.source && this.stream === wanted && this.source.readyState !== 2) return;
		if (this.source) this.source.close();
		this.stream = wanted;
		this.heard = performance.now();
		const source = (this.source = new EventSource("/api/live" + (wanted ? "?stream=1" : "")));
		source.onmessage = (event) => this.take(JSON.parse(event.data));
		source.addEventListener("history", (event) => plots.reset(JSON.parse(event.data)));
		source.addEventListener("stream", (event) => stream.take(JSON.parse(event.data)));
		source.onerror = () =>
			this.lost(
				source.readyState === 2
					? "plmweb refuses this page, or does not answer; the page tries again"
					: "plmweb does not answer; the page goes on when it does",
			);
	},
	lost(text) {
		badge("no connection", "bad");
		notice(text);
	},
	/* Neither a stopped plmweb nor a network that is gone ends a connection: silence tells. */
	watch() {
		if (performance.now() - this.heard < SILENT_MS) return;
		if (this.source.readyState === 1)
			this.lost("plmweb is silent; the page asks again until it answers");
		this.source.close();
		this.open(this.stream);
	},
	take(frame) {
		this.frame = frame;
		this.heard = performance.now();
		const known = this.boot;
		if (frame.boot !== "0") this.boot = frame.boot;
		if (known && frame.boot !== "0" && known !== frame.boot) {
			toast("another boot of the runtime has taken its place");
			stream.forget();
		}
		header(frame);
		if (frame.point) plots.add(frame.point);
		if (view.name === "overview") {
			tiles(frame);
			progress(frame);
			stream.running(frame);
		}
		if (view.name === "workers") workers.live(frame);
	},
};
function badge(text, kind) {
	$("state").textContent = text;
	$("state").className = "badge " + (kind || "");
}
function header(frame) {
	const up = frame.state === "up";
	$("name").textContent = frame.name || "";
	document.title = frame.name ? "plm · " + frame.name : "plm";
	const text =
		up && frame.paused
			? "paused"
			: up && frame.closed
				? "closed"
				: up && frame.memory_short
					? "memory short"
					: frame.state;
	badge(text, up ? (text === "up" ? (frame.trouble ? "warn" : "good") : "warn") : "bad");
	notice(frame.trouble);
	const acts = up && !frame.read_only;
	$("pause").hidden = $("drain").hidden = !acts;
	$("pause").textContent = frame.paused || frame.closed ? "Resume" : "Pause";
	$("drain").hidden = !acts || frame.closed || frame.paused;
}

/* ---- views ---- */

const view = { name: "" };
const VIEWS = { overview: {}, tasks, task: detail, workers, objects, functions, history: past };
function route() {
	token.take();
	const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
	const [name, ...rest] = path.split("/");
	view.name = VIEWS[name] ? name : "overview";
	for (const section of document.querySelectorAll("main > section"))
		section.hidden = section.id !== view.name;
	for (const link of document.querySelectorAll("nav a")) {
		const here = link.hash === "#/" + (view.name === "task" ? "tasks" : view.name);
		if (here) {
			link.setAttribute("aria-current", "page");
			link.scrollIntoView({ block: "nearest", inline: "nearest" });
		} else link.removeAttribute("aria-current");
	}
	$("tip").hidden = true;
	live.open(view.name === "overview" && !document.hidden);
	if (view.name === "overview" && live.frame) {
		tiles(live.frame);
		progress(live.frame);
	}
	plots.build();
	stream.dirty = true;
	const enter = VIEWS[view.name].enter;
	if (enter)
		enter.call(
			VIEWS[view.name],
			view.name === "task" ? decodeURIComponent(rest.join("/")) : new URLSearchParams(query || ""),
		);
}
const go = (name) => {
	location.hash = "#/" + name;
};

/* ---- keys ---- */

const KEYS = {
	"o t w b f h": ["overview, tasks, workers, objects, functions, history", null],
	"/": [
		"filter",
		() => {
			const box = view.name === "history" ? "history-text" : "task-text";
			if (view.name !== "history") go("tasks");
			setTimeout(() => $(box).focus(), 0);
		},
	],
	"j k": ["next and previous row", null],
	"[ ]": ["previous and next page", null],
	Enter: [
		"open the row",
		() => {
			const ref = chosenRef();
			if (ref && view.name !== "task") go("task/" + ref);
		},
	],
	Escape: [
		"back",
		() => {
			if (view.name === "task") history.back();
		},
	],
	c: ["cancel the task", () => taskKey("cancel")],
	r: ["retry the task", () => taskKey("retry")],
	q: ["return the task to the queue", () => taskKey("requeue")],
	p: ["pause, or resume", () => $("pause").hidden || $("pause").click()],
	" ": ["hold the task stream", () => view.name === "overview" && stream.hold()],
	d: ["light or dark", switchTheme],
	"?": ["these keys", () => $("help").showModal()],
};
const LETTERS = {
	o: () => go("overview"),
	t: () => go("tasks"),
	w: () => go("workers"),
	b: () => go("objects"),
	f: () => go("functions"),
	h: () => go("history"),
	j: () => choose(1),
	k: () => choose(-1),
	"[": () => turn(-1),
	"]": () => turn(1),
	ArrowDown: () => choose(1),
	ArrowUp: () => choose(-1),
};
function turn(step) {
	const pages = VIEWS[view.name].pages;
	if (pages) pages.turn(step);
}
async function taskKey(verb) {
	const ref = chosenRef();
	if (!ref) {
		toast("choose a task first: j, k");
		return;
	}
	if (await act(verb, { ref })) {
		if (view.name === "task") detail.load();
		if (view.name === "tasks") tasks.load();
	}
}
function key(event) {
	if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]"))
		return;
	if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
		if (event.key === "Escape") event.target.blur();
		return;
	}
	if (event.target.tagName === "BUTTON" && (event.key === " " || event.key === "Enter")) return;
	const listed = KEYS[event.key],
		found = (listed && listed[1]) || LETTERS[event.key];
	if (!found || (event.key.startsWith("Arrow") && !document.querySelector("tr.chosen"))) return;
	event.preventDefault();
	found();
}

/* ---- start ---- */

function later(ms, call) {
	let timer;
	return () => {
		clearTimeout(timer);
		timer = setTimeout(call, ms);
	};
}
function start() {
	for (const [name, [what]] of Object.entries(KEYS))
		$("keys").append(el("dt", name === " " ? "space" : name), el("dd", what));
	$("theme").onclick = switchTheme;
	$("help-open").onclick = () => $("help").showModal();
	$("pause").onclick = () => act($("pause").textContent === "Resume" ? "resume" : "pause");
	$("drain").onclick = () => act("drain");
	$("task-filter").onsubmit = $("history-filter").onsubmit = (event) => event.preventDefault();
	$("task-text").oninput = later(250, () => tasks.anew());
	$("history-text").oninput = later(250, () => past.anew());
	for (const list of [tasks, objects, past]) list.pages.bind();
	$("stream-window").onchange = () => {
		stream.window = 1000 * $("stream-window").value;
		stream.dirty = true;
	};
	$("stream-hold").onclick = () => stream.hold();
	const canvas = $("stream");
	canvas.onmousemove = (event) => stream.hover(event);
	canvas.onmouseleave = () => {
		$("tip").hidden = true;
	};
	canvas.onclick = (event) => {
		const box = stream.at(event);
		if (box && box.task) go("task/" + box.task.ref);
	};
	document.addEventListener("keydown", key);
	document.addEventListener("click", (event) => {
		const row = event.target.closest("tr[data-open]");
		if (!row || event.target.closest("a, button") || getSelection().toString()) return;
		for (const other of row.parentNode.children) other.classList.toggle("chosen", other === row);
	});
	document.addEventListener("dblclick", (event) => {
		const row = event.target.closest("tr[data-open]");
		if (row && row.dataset.open) go("task/" + row.dataset.open);
	});
	/* A hidden page needs neither pictures nor events. */
	document.addEventListener("visibilitychange", () =>
		live.open(view.name === "overview" && !document.hidden),
	);
	addEventListener(
		"resize",
		later(150, () => {
			plots.resize();
			stream.dirty = true;
		}),
	);
	addEventListener("hashchange", route);
	setInterval(() => live.watch(), 1000);
	setInterval(() => {
		const tick = VIEWS[view.name].tick;
		if (tick && !document.hidden) tick.call(VIEWS[view.name]);
	}, 2000);
	setInterval(() => {
		if (view.name === "task" && !document.hidden) detail.follow(detail.ref);
	}, 700);
	route();
	stream.play();
}
start();
