/* overview.js - tiles, progress of each function, and plots. */
"use strict";

/* ---- overview: tiles and progress ---- */

function meter(...parts) {
	const bar = el("div.meter");
	for (const [share, kind] of parts) {
		const part = el("i" + (kind ? "." + kind : ""));
		part.style.width = Math.max(0, Math.min(100, 100 * share)) + "%";
		bar.append(part);
	}
	return bar;
}
function tile(label, value, sub, bar) {
	return el(
		"div.tile",
		el("div.label", label),
		el("div.value", value),
		bar || el("div.meter"),
		el("div.sub", sub, { title: sub }),
	);
}
const share = (part, whole) => (whole ? part / whole : 0);
function tiles(frame) {
	if (frame.cores === undefined) {
		clear($("tiles"));
		return;
	}
	const tasks = frame.tasks || {};
	const used = share(frame.store_used, frame.store_bytes),
		table_ = share(frame.records_used, frame.records_max);
	const memory = share(frame.memory_total - frame.memory_free, frame.memory_total);
	clear($("tiles")).append(
		tile(
			"Finished tasks",
			frame.rate === undefined ? "…" : count(frame.rate) + " /s",
			`up ${span(frame.uptime_ms)}` +
				(frame.restarts ? `, ${plural(frame.restarts, "restart")}` : ""),
		),
		tile(
			"Busy cpus",
			frame.busy === undefined ? "…" : fixed(frame.busy, 1) + " / " + frame.cpus,
			plural(frame.cores, "core") +
				(frame.drained ? `, ${frame.drained} drained` : "") +
				`, ${plural(frame.clients, "client")}`,
			meter([share(frame.busy, frame.cpus)]),
		),
		tile(
			"Queue",
			count(frame.queued),
			tasks.waiting === undefined ? "" : `${count(tasks.waiting)} wait for arguments`,
		),
		tile(
			"Store",
			bytes(frame.store_used),
			`of ${bytes(frame.store_bytes)}, ${bytes(frame.store_reserved)} reserved`,
			meter(
				[used, used > 0.9 ? "full" : ""],
				[share(frame.store_reserved - frame.store_used, frame.store_bytes), "more"],
			),
		),
		tile(
			"Memory free",
			frame.memory_total ? bytes(frame.memory_free) : "–",
			frame.memory_short ? "short: no task starts" : `of ${bytes(frame.memory_total)}`,
			meter([memory, frame.memory_short ? "full" : ""]),
		),
		tile(
			"Records",
			count(frame.records_used),
			`of ${count(frame.records_max)} tasks and objects`,
			meter([table_, table_ > 0.9 ? "full" : ""]),
		),
	);
}
const STATES = ["done", "running", "ready", "waiting", "failed", "cancelled"];
function progress(frame) {
	const groups = (frame.groups || []).map((group) => ({
		...group,
		all: STATES.reduce((sum, state) => sum + group[state], 0),
	}));
	groups.sort((a, b) => b.all - a.all || (a.name < b.name ? -1 : 1));
	$("progress-note").textContent = !groups.length
		? frame.counted_ms === undefined
			? "counting…"
			: "no tasks in the table"
		: frame.counted_ms > 3000
			? `counted ${span(frame.counted_ms)} ago`
			: "";
	clear($("progress")).append(
		...groups.slice(0, 24).map((group) => {
			const bar = el("div.bar");
			bar.style.setProperty("--tint", tint(group.name));
			for (const state of STATES) {
				if (!group[state]) continue;
				const part = el("i." + state, { title: `${exact(group[state])} ${state}` });
				part.style.flexGrow = group[state];
				if (state === "running" || state === "failed") part.style.minWidth = "3px";
				bar.append(part);
			}
			const swatch = el("i.swatch");
			swatch.style.background = tint(group.name);
			const numbers = [`${count(group.done)} / ${count(group.all)}`];
			if (group.running) numbers.push(`${count(group.running)} run`);
			if (group.failed) numbers.push(`${count(group.failed)} failed`);
			if (group.mean_ms) numbers.push(`⌀ ${span(group.mean_ms)}`);
			return el(
				"div.progress",
				el(
					"div.what",
					swatch,
					el("a", group.name, {
						href: "#/tasks?q=" + encodeURIComponent(group.name),
						title: group.name,
					}),
				),
				bar,
				el("div.numbers", numbers.join(" · ")),
			);
		}),
	);
}

/* ---- overview: plots ---- */

const plots = {
	points: [],
	list: [],
	series: [
		{ title: "Finished tasks a second", lines: [[1, "--accent", "tasks/s"]], text: count },
		{ title: "Queued tasks", lines: [[3, "--bar-ready", "queued"]], text: count },
		{ title: "Busy cpus", lines: [[2, "--bar-running", "busy"]], text: (n) => fixed(n, 1) },
		{
			title: "Store",
			lines: [
				[5, "--bar-done", "used"],
				[6, "--bar-ready", "reserved"],
			],
			text: bytes,
			binary: true,
		},
	],
	reset(points) {
		this.points = points;
		this.build();
	},
	add(point) {
		this.points.push(point);
		if (this.points.length > 600) this.points.shift();
		this.list.forEach(({ plot, spec }) => {
			plot.setData(this.data(spec));
			this.say(spec, plot);
		});
	},
	data(spec) {
		return [
			this.points.map((point) => point[0]),
			...spec.lines.map(([at]) => this.points.map((point) => point[at])),
		];
	},
	say(spec, plot) {
		const last = this.points[this.points.length - 1],
			at = plot && plot.cursor && plot.cursor.idx;
		const point = (at !== null && at !== undefined && this.points[at]) || last;
		spec.note.textContent = point
			? spec.lines.map(([i, , name]) => `${name} ${spec.text(point[i])}`).join(", ") +
				(point !== last ? " at " + new Date(point[0] * 1000).toLocaleTimeString() : "")
			: "";
	},
	build() {
		this.list.forEach(({ plot }) => plot.destroy());
		this.list = [];
		if (view.name !== "overview" || !window.uPlot) return;
		const box = clear($("plots"));
		for (const spec of this.series) {
			spec.note = el("span.dim");
			spec.place = el("div");
			box.append(el("div.panel", el("div.head", el("h2", spec.title), spec.note), spec.place));
		}
		for (const spec of this.series) {
			const place = spec.place;
			const axis = {
				stroke: css("--dim"),
				grid: { stroke: css("--line"), width: 1 },
				ticks: { stroke: css("--line"), width: 1 },
				font: "12px system-ui, sans-serif",
			};
			const now = Date.now() / 1000;
			const plot = new uPlot(
				{
					width: Math.max(200, place.clientWidth),
					height: 150,
					legend: { show: false },
					cursor: { y: false, drag: { x: false, y: false } },
					padding: [8, 26, 0, 0],
					scales: {
						x: {
							time: true,
							range: (u, low, high) =>
								low === null || low === undefined
									? [now - 60, now]
									: [Math.min(low, high - 60), high],
						},
						y: {
							range: (u, low, high) => [0, Math.max(spec.binary ? 1024 : 1, (high || 0) * 1.08)],
						},
					},
					axes: [
						{
							...axis,
							size: 30,
							space: 70,
							values: [
								[60, "{HH}:{mm}", null, null, null, null, null, null, 1],
								[1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1],
							],
						},
						{
							...axis,
							size: 66,
							values: (u, ticks) => ticks.map((n) => spec.text(n)),
							incrs: spec.binary ? [...Array(50)].map((_, i) => 2 ** i) : undefined,
						},
					],
					series: [
						{},
						...spec.lines.map(([, colour]) => ({
							stroke: css(colour),
							width: 1.5,
							fill: spec.lines.length === 1 ? css(colour) + "22" : undefined,
							points: { show: false },
						})),
					],
					hooks: { setCursor: [(u) => this.say(spec, u)] },
				},
				this.data(spec),
				place,
			);
			this.list.push({ plot, place, spec });
			this.say(spec, plot);
		}
	},
	resize() {
		this.list.forEach(({ plot, place }) =>
			plot.setSize({ width: Math.max(200, place.clientWidth), height: 150 }),
		);
	},
};
