/* tasks.js - the list of tasks, and a task in full. */
"use strict";

/* ---- tasks ---- */

const taskColumns = [
	{ title: "Task", cell: (t) => refLink(t.ref), mono: true },
	{
		title: "State",
		cell: (t) =>
			stateMark(
				t.marks.includes("dead") ? "dead" : t.marks.includes("stopping") ? "stopping" : t.state,
			),
	},
	{ title: "What", wide: true, mono: true, cell: (t) => t.command || t.function },
	{ title: "Label", cell: (t) => t.label || "" },
	{ title: "Prio", num: true, sort: "priority", cell: (t) => t.priority },
	{ title: "Worker", num: true, cell: (t) => (t.worker === undefined ? "" : t.worker) },
	{ title: "Tries", num: true, sort: "attempt", cell: (t) => t.attempt },
	{ title: "Age", num: true, sort: "age", cell: (t) => span(t.age_ms) },
	{ title: "Queued", num: true, sort: "queue", cell: (t) => span(t.queue_ms) },
	{ title: "Ran", num: true, sort: "run", cell: (t) => (t.attempt ? span(t.run_ms) : "") },
	{
		title: "Value",
		num: true,
		sort: "bytes",
		cell: (t) => (t.value_bytes ? bytes(t.value_bytes) : ""),
	},
];
const PAGE = 100;
const tasks = {
	pages: pager("task", () => tasks.load()),
	rows: [],
	sort: "",
	rising: false,
	states: new Set(),
	busy: 0, /* the number of the last load */
	records: 0,
	matched: 0, /* tasks of an order from this page on */
	query() {
		return {
			state: [...this.states].join(","),
			q: $("task-text").value.trim(),
			sort: this.sort,
			order: this.rising ? "asc" : "desc",
		};
	},
	anew() {
		this.pages.reset();
		this.load();
	},
	/* Of an order a page is one pass over the table, in requests that each find the first tasks
	 * behind the page before among some of the records. */
	async load() {
		const run = ++this.busy,
			sorted = this.sort !== "";
		let rows = [],
			after = (sorted && this.pages.start) || null,
			cursor = sorted ? 0 : this.pages.start,
			end = false;
		this.matched = 0;
		try {
			while (!end && (sorted || rows.length < PAGE)) {
				const limit = sorted ? PAGE : PAGE - rows.length;
				const page = await get("tasks", { ...this.query(), cursor, after, limit });
				if (run !== this.busy) return;
				rows = rows.concat(page.tasks);
				if (sorted) {
					rows = this.first(rows);
					this.matched += page.matched;
					after = page.after;
				}
				({ cursor, end } = page);
				this.records = page.records;
				if (!end)
					$("task-note").textContent =
						`looked at ${exact(Math.min(cursor, page.records))} of ${exact(page.records)} records…`;
			}
			if (!end && !sorted) {
				const next = await get("tasks", { ...this.query(), cursor, limit: 1 });
				if (run !== this.busy) return;
				end = next.end && !next.tasks.length;
			}
			const more = sorted ? this.matched > PAGE && rows.length > 0 : !end;
			this.rows = rows;
			this.pages.show(more ? (sorted ? rows[rows.length - 1].place : cursor) : null);
			this.show();
		} catch (error) {
			if (run === this.busy) this.fail(error);
		}
	},
	/* The first page of them; a place is AT.KEY.POSITION. Later requests look at later records, and
	 * a stable sort leaves equal keys as they come. */
	first(rows) {
		const key = (row) => Number(row.place.split(".")[1]);
		return rows.sort((a, b) => key(b) - key(a)).slice(0, PAGE);
	},
	fail(error) {
		$("task-note").textContent = error.message;
		$("task-note").className = "bad";
	},
	show() {
		$("task-note").className = "dim";
		const before = PAGE * (this.pages.number - 1);
		$("task-note").textContent = this.rows.length
			? `tasks ${exact(before + 1)} to ${exact(before + this.rows.length)}` +
				(this.sort ? ` of ${exact(before + this.matched)}` : ", in the order of the table")
			: "";
		table($("task-table"), taskColumns, this.rows, {
			sort: this.sort,
			rising: this.rising,
			open: (t) => t.ref,
			empty: "no such task",
			onSort: (key) => {
				if (this.sort === key && this.rising) ((this.sort = ""), (this.rising = false));
				else if (this.sort === key) this.rising = true;
				else ((this.sort = key), (this.rising = false));
				this.anew();
			},
		});
	},
	chips() {
		chips(
			$("task-states"),
			["waiting", "ready", "running", "done", "failed", "dead", "cancelled"],
			this.states,
			() => this.anew(),
		);
	},
	enter(parameters) {
		if (parameters.has("state") || parameters.has("q")) {
			const before = JSON.stringify(this.query());
			this.states = new Set((parameters.get("state") || "").split(",").filter(Boolean));
			$("task-text").value = parameters.get("q") || "";
			/* back from a task: the page that was left */
			if (JSON.stringify(this.query()) !== before) this.pages.reset();
		}
		this.chips();
		this.load();
	},
	tick() {
		if ($("task-live").checked && this.records < 100000) this.load();
	},
};

/* ---- a task ---- */

const detail = {
	ref: "",
	outputs: { 1: null, 2: null },
	stream: 1,
	enter(ref) {
		this.ref = ref;
		this.text = "";
		this.next = 0;
		this.attempt = 0;
		this.settled = false;
		this.dropped = 0;
		this.shape = this.phase = "";
		this.ended = false;
		clear($("task")).append(el("p.dim", "…"));
		this.load();
	},
	facts(pairs) {
		return el(
			"dl.facts",
			pairs
				.filter(([, value]) => value !== undefined && value !== "")
				.map(([name, value]) => [el("dt", name), el("dd", value)])
				.flat(),
		);
	},
	async load() {
		const ref = this.ref;
		try {
			const task = await get("task", { ref });
			const phase = task.state + task.attempt;
			if (phase !== this.phase) this.log = await this.events(ref);
			this.phase = phase;
			this.ended = ["done", "failed", "cancelled"].includes(task.state);
			if (ref !== this.ref || view.name !== "task") return;
			this.show(task, this.log);
			if (task.marks.includes("command")) this.follow(ref);
		} catch (error) {
			if (ref !== this.ref) return;
			this.ended = true;
			const old = await this.fromJournal(ref);
			if (ref !== this.ref || view.name !== "task") return;
			if (old) this.showPast(old);
			else
				clear($("task")).append(el("div.title", el("h1.mono", ref)), el("p.bad", error.message));
		}
	},
	/* Of a durable task that has left the table, or of a boot that has ended. */
	async fromJournal(ref) {
		const known = past.rows.find((task) => task.ref === ref);
		if (!known) return null;
		try {
			return (await get("history", { id: known.id })).tasks[0];
		} catch {
			return known;
		}
	},
	showPast(task) {
		const output = (name, total) =>
			task[name] &&
			el(
				"div.panel.whole",
				el(
					"div.head",
					el("h2", name),
					el("span.dim", `the journal keeps the beginning of ${bytes(total)}`),
				),
				el("pre.output", task[name]),
			);
		const facts = this.facts([
			["history", task.id],
			["submitted", moment(task.submitted)],
			["began", task.began ? moment(task.began) : undefined],
			["ended", moment(task.ended)],
			["ran for", task.run_ms === undefined ? undefined : span(task.run_ms)],
			["attempts", task.attempts],
			["priority", task.priority],
			["label", task.label],
			["user", task.user],
			["exit code", task.exit_code],
			["signal", task.signal || undefined],
			["why", task.message],
		]);
		$("task").replaceChildren(
			el(
				"div.title",
				stateMark(task.state),
				el("h1.mono", task.command || task.function),
				el("span.dim.mono", task.ref),
			),
			el(
				"div.detail",
				el("div.panel.whole", el("div.head", el("h2", "From the journal")), facts),
				output("stdout", task.stdout_bytes),
				output("stderr", task.stderr_bytes),
			),
		);
	},
	/* A search of the log costs more than a look at the table: once for each state. */
	async events(ref) {
		try {
			return await get("events", { ref });
		} catch (error) {
			return { events: [], error: error.message };
		}
	},
	buttons(task) {
		if (live.frame && live.frame.read_only) return null;
		const button = (text, path, kind) =>
			el("button" + (kind || ""), text, {
				onclick: async () => {
					if (await act(path, { ref: task.ref })) this.load();
				},
			});
		const open = ["waiting", "ready", "running"].includes(task.state);
		return el(
			"span.push",
			task.state === "running" && button("Requeue", "requeue"),
			open && button("Cancel", "cancel", ".danger"),
			task.state === "failed" && button("Retry", "retry"),
		);
	},
	show(task, events) {
		const run = task.run || {};
		const timing = this.facts([
			["function", el("span.mono", task.function)],
			["label", task.label],
			["priority", task.priority],
			["attempt", task.attempt],
			[
				"worker",
				task.worker === undefined
					? undefined
					: "w" + task.worker + (run.worker_pid ? `, pid ${run.worker_pid}` : ""),
			],
			["submitted", span(task.age_ms) + " ago"],
			["queued for", span(task.queue_ms)],
			["ran for", task.attempt ? span(task.run_ms) : undefined],
			["arguments", `${task.args}, ${task.pending} not settled`],
			["failures", task.failures || undefined],
			["returned", task.returned || undefined],
		]);
		const result = this.facts([
			["value", bytes(task.value_bytes)],
			["held by", plural(task.holders, "process", "es")],
			["needed by", plural(task.uses, "task")],
			["exit code", run.exit_code !== undefined ? run.exit_code : task.exit],
			["signal", run.signal],
			["wall time", run.wall_us === undefined ? undefined : span(run.wall_us / 1000)],
			[
				"cpu time",
				run.user_us === undefined
					? undefined
					: `${span(run.user_us / 1000)} user, ${span(run.system_us / 1000)} system`,
			],
			["memory", run.memory_bytes ? bytes(run.memory_bytes) : undefined],
			["killed", run.killed ? "yes" : undefined],
			["marks", task.marks.join(", ")],
			[
				"files",
				run.outputs && run.outputs.length
					? run.outputs.map((r) => [refLink(r), " "]).flat()
					: undefined,
			],
		]);
		const why = el(
			"div",
			task.reasons.length
				? task.reasons.map((reason) =>
						el(
							"div.reason",
							el("span.code", reason.code),
							el("span", reason.text),
							reason.refs.map((r) => [" ", refLink(r)]).flat(),
						),
					)
				: el("p.dim", "no reason is known"),
		);
		const output = $("output-panel") && this.shape === task.ref ? $("output-panel") : null;
		const parts = [
			el("div.panel", el("div.head", el("h2", "Task")), timing),
			el("div.panel", el("div.head", el("h2", "Result")), result),
			el(
				"div.panel.whole",
				el(
					"div.head",
					el(
						"h2",
						["done", "failed", "cancelled"].includes(task.state)
							? "How it ended"
							: "Why it is " + task.state,
					),
				),
				why,
			),
		];
		if (task.marks.includes("command")) parts.push(output || this.outputPanel());
		parts.push(
			el(
				"div.panel.whole",
				el(
					"div.head",
					el("h2", "Events"),
					el(
						"span.dim",
						events.error ||
							(events.events.length
								? ""
								: events.on
									? "the event log has none of this task"
									: "the event log is off: boot with plm --events on, or keep the task stream open"),
					),
				),
				this.eventTable(events.events),
			),
		);
		this.shape = task.ref;
		$("task").replaceChildren(
			el(
				"div.title",
				stateMark(task.marks.includes("dead") ? "dead" : task.state),
				el("h1.mono", task.command || task.function),
				el("span.dim.mono", task.ref),
				this.buttons(task),
			),
			el("div.detail", parts),
		);
	},
	outputPanel() {
		const pick = (stream) =>
			el("button", stream === 1 ? "stdout" : "stderr", {
				type: "button",
				"aria-pressed": this.stream === stream,
				onclick: () => {
					this.stream = stream;
					this.text = "";
					this.next = 0;
					this.settled = false;
					this.dropped = 0;
					const fresh = this.outputPanel();
					$("output-panel").replaceWith(fresh);
					this.follow(this.ref);
				},
			});
		return el(
			"div.panel.whole",
			{ id: "output-panel" },
			el(
				"div.head",
				el("h2", "Output"),
				el("span.chips", pick(1), pick(2)),
				el("span.dim", { id: "output-note" }),
			),
			el("pre.output", { id: "output", tabindex: 0 }),
		);
	},
	/* Reads on from where the last piece ended; shows the last 256 KiB. */
	async follow(ref) {
		if (this.settled || this.following) return;
		this.following = true;
		try {
			for (let pieces = 0; pieces < 16 && ref === this.ref; pieces++) {
				const stream_ = this.stream,
					piece = await get("output", { ref, stream: stream_, offset: this.next });
				if (ref !== this.ref || stream_ !== this.stream) break;
				if (this.attempt && piece.attempt !== this.attempt) {
					this.text = "";
					this.next = 0;
					this.attempt = piece.attempt;
					continue;
				}
				this.attempt = piece.attempt;
				this.text += piece.text;
				this.next = piece.next;
				if (this.text.length > 262144) {
					this.dropped += this.text.length - 262144;
					this.text = this.text.slice(-262144);
				}
				this.settled = piece.settled && !piece.text;
				if (!piece.text) break;
			}
			const pre = $("output");
			if (pre && pre.textContent !== this.text) {
				const bottom = pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 30;
				pre.textContent = this.text;
				if (bottom) pre.scrollTop = pre.scrollHeight;
			}
			if ($("output-note"))
				$("output-note").textContent =
					(this.dropped ? "the last 256 KiB; " : "") +
					(this.settled ? (this.text ? "" : "nothing was kept") : "live");
		} catch (error) {
			if ($("output-note")) $("output-note").textContent = error.message;
		}
		this.following = false;
	},
	/* A start has the time of the end before it, so the log may have a start some microseconds
	 * before its submission: cause goes before effect. */
	inOrder(list) {
		const rank = (e) => ["submitted", "depends", "ready", "placed", "started"].indexOf(e.event);
		const rows = [];
		for (const event of list) {
			let at = rows.length;
			const early = (other) =>
				rank(event) >= 0 &&
				Math.abs(other.ago_ms - event.ago_ms) < 10 &&
				(rank(other) > rank(event) || other.event === "name");
			while (at > 0 && early(rows[at - 1])) at--;
			rows.splice(at, 0, event);
		}
		return rows;
	},
	eventTable(list) {
		const node = el("table");
		if (!list.length) return el("div");
		table(
			node,
			[
				{ title: "Ago", num: true, cell: (e) => span(e.ago_ms) },
				{ title: "Event", cell: (e) => e.event },
				{ title: "Attempt", num: true, cell: (e) => e.attempt || "" },
				{ title: "Worker", num: true, cell: (e) => (e.worker === undefined ? "" : "w" + e.worker) },
				{ title: "Process", num: true, cell: (e) => e.process },
				{ title: "", wide: true, cell: (e) => (e.other ? refLink(e.other) : e.detail || "") },
			],
			this.inOrder(list),
		);
		return el("div.scroll", node);
	},
	tick() {
		if (!this.ended) this.load();
	},
};
