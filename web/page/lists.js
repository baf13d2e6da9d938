/* lists.js - workers, values, functions, and the history. */
"use strict";

/* ---- workers and other lists ---- */

const workers = {
	columns: [
		{ title: "Worker", num: true, cell: (w) => (w[0] < 0 ? "" : "w" + w[0]) },
		{ title: "Pid", num: true, cell: (w) => w[2] || "" },
		{ title: "State", cell: (w) => stateMark(w[3]) },
		{ title: "Busy", num: true, cell: (w) => w[4] + " %" },
		{ title: "Tasks/s", num: true, cell: (w) => count(w[5]) },
		{ title: "Done", num: true, cell: (w) => exact(w[6]) },
		{ title: "Failed", num: true, cell: (w) => (w[7] ? el("span.bad", exact(w[7])) : "0") },
		{
			title: "Runs",
			wide: true,
			mono: true,
			cell: (w) => (w[8] ? el("a", w[9], { href: "#/task/" + w[8] }) : ""),
		},
		{ title: "For", num: true, cell: (w) => (w[8] ? span(w[10]) : "") },
		{
			title: "",
			cell: (w) =>
				(live.frame && live.frame.read_only) || w[0] < 0
					? ""
					: w[3] === "drained"
						? workers.button("Resume", "worker/resume", w[0])
						: workers.button("Drain", "worker/drain", w[0]),
		},
	],
	button: (text, path, worker) => el("button", text, { onclick: () => act(path, { worker }) }),
	live(frame) {
		if ($("worker-table").contains(document.activeElement)) return; /* a button has the focus */
		const rows = (frame.workers || []).slice().sort((a, b) => a[0] - b[0]);
		table($("worker-table"), this.columns, rows, {
			empty: "no worker",
			open: (w) => w[8] || "",
		});
	},
	async processes() {
		const page = await get("processes", { limit: 1000 });
		table(
			$("process-table"),
			[
				{ title: "Kind", cell: (p) => p.kind },
				{ title: "Name", cell: (p) => p.name },
				{ title: "Pid", num: true, cell: (p) => p.pid },
				{ title: "State", cell: (p) => stateMark(p.condition) },
				{ title: "Since", num: true, cell: (p) => span(p.age_ms) },
				{ title: "Last sign of life", num: true, cell: (p) => span(p.beat_ms) + " ago" },
				{ title: "Node", num: true, cell: (p) => (p.node < 0 ? "" : p.node) },
			],
			page.processes.filter((p) => p.kind !== "worker"),
			{ empty: "none" },
		);
	},
	enter() {
		if (live.frame) this.live(live.frame);
		this.tick();
	},
	tick() {
		this.processes().catch((error) => toast(error.message));
	},
};
const pageNote = (pages, rows, what) =>
	rows.length
		? `${what} ${exact(PAGE * (pages.number - 1) + 1)} to ${exact(PAGE * (pages.number - 1) + rows.length)}`
		: "";
const objects = {
	pages: pager("object", () => objects.enter()),
	async load() {
		const page = await get("objects", { cursor: this.pages.start, limit: PAGE });
		this.pages.show(page.end ? null : page.cursor);
		$("object-note").textContent = pageNote(this.pages, page.objects, "values");
		table(
			$("object-table"),
			[
				{ title: "Value", mono: true, cell: (o) => (o.origin ? refLink(o.ref) : o.ref) },
				{ title: "From", mono: true, wide: true, cell: (o) => o.origin || "put by a client" },
				{ title: "Bytes", num: true, cell: (o) => bytes(o.bytes) },
				{
					title: "In",
					cell: (o) =>
						!o.sealed ? el("span.warn", "being filled") : o.stored ? "store" : "record",
				},
				{ title: "Holders", num: true, cell: (o) => o.holders },
				{ title: "Needed by", num: true, cell: (o) => o.uses },
				{ title: "Age", num: true, cell: (o) => span(o.age_ms) },
			],
			page.objects,
			{ empty: "no value" },
		);
	},
	enter() {
		this.load().catch((error) => toast(error.message));
	},
};
const functions = {
	async enter() {
		try {
			const [list, modules, policies] = await Promise.all([
				get("functions", { limit: 2000 }),
				get("modules"),
				get("policies"),
			]);
			table(
				$("function-table"),
				[
					{
						title: "Function",
						mono: true,
						cell: (f) =>
							el("a", f.function, { href: "#/tasks?q=" + encodeURIComponent(f.function) }),
					},
					{ title: "Module's file", mono: true, wide: true, cell: (f) => f.path || "built in" },
				],
				list.functions,
			);
			table(
				$("module-table"),
				[
					{ title: "Module", mono: true, cell: (m) => m.module },
					{ title: "Functions", num: true, cell: (m) => m.functions },
					{ title: "File", mono: true, wide: true, cell: (m) => m.path || "built in" },
				],
				modules.modules,
			);
			table(
				$("policy-table"),
				[
					{ title: "Policy", cell: (p) => p.policy },
					{ title: "", cell: (p) => (p.in_force ? "in force" : "") },
					{ title: "Which worker gets a task", wide: true, cell: (p) => p.help },
				],
				policies.policies,
			);
		} catch (error) {
			toast(error.message);
		}
	},
};
const past = {
	pages: pager("history", () => past.load()),
	rows: [],
	states: new Set(),
	busy: 0, /* the number of the last load */
	anew() {
		this.pages.reset();
		this.load();
	},
	/* A request searches for a moment; the page asks on until it is full, and shows what is found. */
	async load() {
		const run = ++this.busy;
		let rows = [],
			before = this.pages.start,
			page = null;
		try {
			do {
				page = await get("history", {
					state: [...this.states][0],
					q: $("history-text").value.trim(),
					before,
					limit: PAGE - rows.length,
				});
				if (run !== this.busy || view.name !== "history") return;
				rows = rows.concat(page.tasks);
				before = page.before;
				this.show(rows, page.end ? "no such task" : "no such task yet");
				if (!page.end)
					$("history-note").textContent = `searched ${this.searched(page)} of the history…`;
			} while (!page.end && rows.length < PAGE);
			this.pages.show(page.end || before <= page.oldest ? null : before);
			$("history-note").textContent = pageNote(this.pages, rows, "tasks");
		} catch (error) {
			if (run !== this.busy) return;
			clear($("history-table"));
			this.pages.show(null);
			$("history-note").textContent = error.message;
		}
	},
	searched(page) {
		const all = page.newest - page.oldest + 1;
		return `${Math.floor((100 * (page.newest + 1 - page.before)) / all)} %`;
	},
	show(rows, empty) {
		this.rows = rows;
		table(
			$("history-table"),
			[
				{ title: "Id", num: true, cell: (t) => t.id },
				{ title: "State", cell: (t) => stateMark(t.state) },
				{ title: "Exit", num: true, cell: (t) => (t.exit_code === undefined ? "" : t.exit_code) },
				{ title: "Command", wide: true, mono: true, cell: (t) => t.command || t.function },
				{ title: "Label", cell: (t) => t.label || "" },
				{ title: "User", cell: (t) => t.user || "" },
				{ title: "Submitted", cell: (t) => moment(t.submitted) },
				{ title: "Ran", num: true, cell: (t) => (t.run_ms === undefined ? "" : span(t.run_ms)) },
				{ title: "Tries", num: true, cell: (t) => t.attempts },
				{ title: "Why", wide: true, cell: (t) => t.message || "" },
			],
			rows,
			{ empty, open: (t) => t.ref },
		);
	},
	chips() {
		chips(
			$("history-states"),
			["queued", "running", "done", "failed", "dead", "cancelled"],
			this.states,
			() => {
				if (this.states.size > 1) {
					this.states = new Set([[...this.states].pop()]);
					this.chips();
				}
				this.anew();
			},
		);
	},
	enter() {
		this.chips();
		this.load();
	},
};
