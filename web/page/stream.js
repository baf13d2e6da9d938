/* stream.js - the task stream: a row a worker (a worker of several cpus has a row for each), a
 * rectangle a task. */
"use strict";

/* ---- overview: the task stream ---- */

const HOW = ["done", "failed", "cancelled"];
const stream = {
	/* "worker.lane" -> {tasks: [{b, e, name, how, ref}], blocks: [...], now: [...]} */
	rows: new Map(),
	/* process slot -> {worker, lane}, also of processes that have ended */
	places: new Map(),
	lines: [] /* [label, row] */,
	clock: null,
	window: 15000,
	held: null,
	dirty: true,
	trouble: "",
	drawn: 0,
	boxes: [],
	forget() {
		this.rows.clear();
		this.places.clear();
		this.clock = null;
		this.dirty = true;
	},
	row(worker, process) {
		const place = this.places.get(process);
		const key = worker + "." + (place && place.worker === worker ? place.lane : 0);
		let row = this.rows.get(key);
		if (!row) this.rows.set(key, (row = { tasks: [], blocks: [], now: [] }));
		return row;
	},
	/* Each process of a worker that stays has a lane. A new process takes the lane of one that leaves
	 * or has ended; a spare shares the lane of a process that waits. Returns the lanes of each worker. */
	place(workers) {
		const lanes = new Map(workers.filter((w) => w[0] >= 0).map((w) => [w[0], new Set()]));
		const stays = (w) => w[1] >= 0 && !["spare", "leaving", "dead"].includes(w[3]);
		const placeOf = (w) => {
			const place = this.places.get(w[1]);
			return place && place.worker === w[0] ? place : null;
		};
		const put = (w, lane) => {
			this.places.set(w[1], { worker: w[0], lane });
			return lanes.get(w[0]).add(lane);
		};
		const own = workers.filter((w) => w[0] >= 0);
		const late = own.filter(stays).filter((w) => {
			const place = placeOf(w);
			if (!place || lanes.get(w[0]).has(place.lane)) return true;
			put(w, place.lane);
			return false;
		});
		for (const w of late) {
			let lane = 0;
			while (lanes.get(w[0]).has(lane)) lane++;
			put(w, lane);
		}
		const waits = own.filter((w) => w[3] === "blocked");
		for (const w of own.filter((w) => w[3] === "spare" && !placeOf(w))) {
			const at = waits.findIndex((other) => other[0] === w[0]);
			put(w, at < 0 ? 0 : placeOf(waits.splice(at, 1)[0]).lane);
		}
		for (const [worker, set] of lanes)
			if (!set.size) {
				const last = own.find((w) => w[0] === worker);
				set.add((placeOf(last) || { lane: 0 }).lane);
			}
		return lanes;
	},
	arrange(workers) {
		const lanes = [...this.place(workers)].sort((a, b) => a[0] - b[0]);
		this.lines = lanes.flatMap(([worker, set]) =>
			[...set]
				.sort((a, b) => a - b)
				.map((lane) => [
					set.size > 1 ? `w${worker}.${lane}` : "w" + worker,
					worker + "." + lane,
				]),
		);
	},
	/* The time of the runtime's clock now, in ms. */
	now() {
		return this.clock === null ? null : performance.now() + this.clock;
	},
	/* What ended just now comes with the next frame, so the picture is a little late. */
	edge() {
		return this.clock === null ? null : this.now() - 700;
	},
	take(part) {
		this.trouble = part.trouble || "";
		if (part.to === undefined) {
			this.note(part);
			return;
		}
		const clock = part.to - performance.now();
		this.clock =
			this.clock === null || Math.abs(clock - this.clock) > 2000
				? clock
				: Math.max(clock, this.clock - 0.5);
		for (const [worker, begin, ran, name, how, ref, process] of part.tasks)
			this.row(worker, process).tasks.push({
				b: part.to + begin,
				e: part.to + begin + ran,
				name: part.names[name],
				how,
				ref,
			});
		for (const [worker, busy, rate, name, process] of part.blocks)
			this.row(worker, process).blocks.push({
				b: Math.max(part.from, part.to - 1000),
				e: part.to,
				busy,
				rate,
				name: part.names[name],
			});
		const old = part.to - 75000;
		for (const row of this.rows.values()) {
			if (row.tasks.length > 6000 || (row.tasks[0] && row.tasks[0].e < old))
				row.tasks = row.tasks.filter((task) => task.e > old).slice(-6000);
			while (row.blocks.length && row.blocks[0].e < old) row.blocks.shift();
		}
		this.note(part);
		this.dirty = true;
	},
	note(part) {
		const dense = part.blocks && part.blocks.length;
		$("stream-note").textContent =
			this.trouble ||
			(this.held !== null
				? "held"
				: dense
					? "shades: many short tasks, as dark as the worker is busy"
					: part.lost
						? `${exact(part.lost)} events were overwritten before they were read`
						: part.without_room
							? `${plural(part.without_room, "process", "es")} without room in /dev/shm for events`
							: "");
	},
	/* What runs just now comes from the list of workers. */
	running(frame) {
		const workers = frame.workers || [];
		this.arrange(workers);
		for (const row of this.rows.values()) row.now = [];
		const now = this.now();
		for (const w of workers)
			if (w[0] >= 0 && w[8] && now !== null)
				this.row(w[0], w[1]).now.push({
					name: program(w[9]),
					what: w[9],
					ref: w[8],
					b: now - w[10],
				});
		this.legend();
		this.dirty = true;
	},
	legend() {
		const names = new Map();
		for (const row of this.rows.values()) {
			for (const task of row.tasks.slice(-300))
				names.set(task.name, (names.get(task.name) || 0) + 1);
			for (const block of row.blocks.slice(-20))
				names.set(block.name, (names.get(block.name) || 0) + 50);
			for (const { name } of row.now) names.set(name, (names.get(name) || 0) + 1);
		}
		const most = [...names]
			.sort((a, b) => b[1] - a[1])
			.slice(0, 14)
			.map(([name]) => name);
		const key = most.join("\n");
		if (key === this.legendKey) return;
		this.legendKey = key;
		const mark = (name, colour, kind) => {
			const i = el("i" + (kind || ""));
			i.style.background = colour;
			return el("span", i, name);
		};
		clear($("legend")).append(
			...most.map((name) => mark(name, tint(name))),
			mark("failed", css("--failed"), ".box"),
			mark("idle", css("--idle"), ".box"),
		);
	},
	height() {
		const n = this.lines.length || 1;
		return n <= 16 ? 22 : n <= 48 ? 14 : 9;
	},
	draw() {
		const canvas = $("stream"),
			ratio = devicePixelRatio || 1;
		const step = this.height(),
			rows = this.lines.length,
			left = 44,
			bottom = 22;
		const width = canvas.parentNode.clientWidth,
			height = Math.max(60, rows * step + bottom);
		if (
			canvas.width !== Math.round(width * ratio) ||
			canvas.height !== Math.round(height * ratio)
		) {
			canvas.width = Math.round(width * ratio);
			canvas.height = Math.round(height * ratio);
			canvas.style.height = height + "px";
		}
		const g = canvas.getContext("2d"),
			end = this.held !== null ? this.held : this.edge();
		g.setTransform(ratio, 0, 0, ratio, 0, 0);
		g.clearRect(0, 0, width, height);
		this.boxes = [];
		const scale = (width - left - 4) / this.window,
			from = end === null ? 0 : end - this.window;
		const dim = css("--dim"),
			line = css("--line"),
			failed = css("--failed"),
			idle = css("--idle");
		g.textBaseline = "middle";
		g.fillStyle = idle;
		this.lines.forEach((_, i) => g.fillRect(left, i * step + 1, width - left - 4, step - 2));
		this.axis(g, left, width - 4, rows * step, dim, line, scale);
		g.font = (step < 12 ? 9 : 11) + "px system-ui, sans-serif";
		this.lines.forEach(([label, key], i) => {
			const y = i * step;
			if (step > 12 || i % 5 === 0) {
				g.fillStyle = dim;
				g.textAlign = "right";
				g.fillText(label, left - 8, y + step / 2);
			}
			const row = this.rows.get(key);
			if (row && end !== null)
				this.drawRow(g, row, y, step, left, width - 4, from, end, scale, failed);
		});
		this.drawn++;
	},
	drawRow(g, row, y, step, left, right, from, end, scale, failed) {
		const box = (b, e) => {
			const x = Math.max(left, left + (b - from) * scale);
			return [x, Math.max(0.6, Math.min(right, left + (e - from) * scale) - x)];
		};
		for (const block of row.blocks) {
			if (block.e < from || block.b > end) continue;
			const [x, w] = box(block.b, block.e);
			g.globalAlpha = 0.3 + 0.65 * Math.min(1, block.busy);
			g.fillStyle = tint(block.name);
			g.fillRect(x, y + 1, w + 0.5, step - 2);
			g.globalAlpha = 1;
			this.boxes.push({ x, w, y, h: step, block });
		}
		let tasks = row.tasks;
		/* Lengths of running tasks come in whole ms: a task that seems to begin just before the end of
		 * the last began at that end. */
		const begin = (b) =>
			tasks.slice(-8).reduce((at, task) => (task.e > at && task.e - at < 100 ? task.e : at), b);
		if (this.held === null)
			tasks = tasks.concat(row.now.map((task) => ({ ...task, b: begin(task.b), e: end, how: -1 })));
		const shown = tasks
			.filter((task) => task.e >= from && task.b <= end)
			.sort((a, b) => a.b - b.b || b.e - a.e);
		const open = [];
		for (const task of shown) {
			/* a task inside of another is drawn smaller, on top */
			while (open.length && open[open.length - 1] <= task.b + 1e-6) open.pop();
			const inset = Math.min(open.length * 3, step / 2 - 2);
			open.push(task.e);
			const [x, w] = box(task.b, task.e);
			g.fillStyle = task.how === 1 ? failed : tint(task.name);
			g.globalAlpha = task.how === 2 ? 0.35 : 1;
			g.fillRect(x, y + 1 + inset, w > 3 ? w - 0.6 : w, step - 2 - 2 * inset);
			g.globalAlpha = 1;
			if (w > 46 && step >= 14 && task.how !== 1) {
				g.save();
				g.beginPath();
				g.rect(x, y, w - 4, step);
				g.clip();
				g.fillStyle = "#000c";
				g.textAlign = "left";
				g.fillText(task.name, x + 5, y + step / 2 + 0.5);
				g.restore();
			}
			this.boxes.push({ x, w, y: y + inset, h: step - 2 * inset, task });
		}
	},
	axis(g, left, right, y, dim, line, scale) {
		const every = this.window <= 5000 ? 1000 : this.window <= 15000 ? 5000 : 10000;
		g.font = "12px system-ui, sans-serif";
		g.fillStyle = dim;
		g.strokeStyle = line;
		for (let ago = 0; ago <= this.window; ago += every) {
			const x = right - ago * scale;
			g.beginPath();
			g.moveTo(x, 0);
			g.lineTo(x, y + 4);
			g.stroke();
			g.textAlign = ago === 0 ? "right" : x - left < 24 ? "left" : "center";
			g.fillText(ago ? `−${ago / 1000} s` : "now", x, y + 13);
		}
	},
	at(event) {
		const area = $("stream").getBoundingClientRect(),
			x = event.clientX - area.left,
			y = event.clientY - area.top;
		let best = null;
		for (const box of this.boxes)
			if (y >= box.y && y < box.y + box.h && x >= box.x - 1.5 && x <= box.x + box.w + 1.5)
				best = box;
		return best;
	},
	hover(event) {
		const box = this.at(event),
			tip = $("tip");
		if (!box) {
			tip.hidden = true;
			return;
		}
		tip.textContent = box.task
			? `${box.task.what || box.task.name}\n${span(box.task.e - box.task.b)}, ${box.task.how < 0 ? "running" : HOW[box.task.how]}\n${box.task.ref}`
			: `${box.block.name}\n${count(box.block.rate)} tasks/s, ${Math.round(100 * box.block.busy)} % busy`;
		tip.hidden = false;
		const wide = tip.offsetWidth,
			high = tip.offsetHeight;
		tip.style.left = Math.max(4, Math.min(innerWidth - wide - 8, event.clientX + 12)) + "px";
		tip.style.top =
			(event.clientY + 18 + high > innerHeight ? event.clientY - high - 8 : event.clientY + 16) +
			"px";
	},
	hold() {
		this.held = this.held === null ? this.edge() : null;
		$("stream-hold").textContent = this.held === null ? "Hold" : "Go on";
		this.dirty = true;
	},
	/* Some twelve pictures a second while the page is seen. */
	play() {
		let last = 0;
		const frame = (time) => {
			if (view.name === "overview" && (this.dirty || this.held === null) && time - last > 80) {
				last = time;
				this.dirty = false;
				this.draw();
			}
			requestAnimationFrame(frame);
		};
		requestAnimationFrame(frame);
	},
};
