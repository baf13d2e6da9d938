/* fleet.js - the page of plmweb --fleet: the queue, the rates, the hosts. */
"use strict";

/* What base.js and overview.js ask of the page of a runtime. */
const view = { name: "fleet" };
const stream = {};

const LOOK_MS = 1000;
const PLOTS = [
	{ title: "Finished tasks a second", at: 1, colour: "--accent" },
	{ title: "Tasks to do", at: 2, colour: "--warn" },
	{ title: "Tasks in progress", at: 3, colour: "--good" },
];

/* ---- numbers ---- */

function fleetTiles(now) {
	const up = now.hosts.filter((host) => host.state === "up");
	const sum = (field) => up.reduce((all, host) => all + host[field], 0);
	const todo = now.waiting + now.ready + now.pause;
	clear($("tiles")).append(
		tile("Finished tasks", count(now.rate) + " /s", `${exact(now.done)} done are kept`),
		tile(
			"Busy workers",
			`${exact(sum("busy"))} / ${exact(sum("cores"))}`,
			plural(up.length, "host"),
			meter([share(sum("busy"), sum("cores"))]),
		),
		tile(
			"To do",
			count(todo),
			`${exact(now.ready)} ready, ${exact(now.waiting)} wait for tasks, ${exact(now.pause)} pause`,
		),
		tile("In progress", count(now.running), "claimed by hosts"),
		tile("Failed", count(now.failed), `${exact(now.cancelled)} cancelled`),
		tile(
			"Memory of the hosts",
			bytes(sum("memory_used")),
			`of ${bytes(sum("memory_total"))}`,
			meter([share(sum("memory_used"), sum("memory_total"))]),
		),
	);
}

/* ---- hosts ---- */

function fleetHost(host) {
	const present = host.state === "up";
	const row = el(
		"tr",
		el("td.mono", host.host),
		el("td", stateMark(host.order || host.state)),
		el("td.number", span(host.seen_ms)),
		el("td", present ? `${exact(host.busy)} / ${exact(host.cores)}` : "–"),
		el("td", present ? `${bytes(host.memory_used)} / ${bytes(host.memory_total)}` : "–"),
		el("td.number", exact(host.running)),
		el("td.number", exact(host.finished)),
		el("td.number", present ? fixed(host.rate, 1) : "–"),
		el("td.mono", host.version),
	);
	row.dataset.host = host.host;
	return row;
}

function fleetHosts(now) {
	const titles = ["Host", "State", "Seen", "Busy", "Memory", "Running", "Finished", "Tasks/s", "plm"];
	const head = el("thead", el("tr", ...titles.map((title) => el("th", title))));
	const body = el("tbody", ...now.hosts.map(fleetHost));
	if (!now.hosts.length)
		body.append(el("tr", el("td", "no host yet: plm --fleet URL", { colSpan: titles.length })));
	clear($("host-table")).append(head, body);
}

/* ---- plots ---- */

let fleetPlots = [];
function fleetBuild() {
	const box = clear($("plots"));
	fleetPlots.forEach(({ plot }) => plot.destroy());
	fleetPlots = [];
	const axis = { stroke: css("--dim"), grid: { stroke: css("--line"), width: 1 } };
	for (const spec of PLOTS) {
		const place = el("div");
		box.append(el("div.panel", el("div.head", el("h2", spec.title)), place));
		const plot = new uPlot(
			{
				width: Math.max(200, place.clientWidth || 360),
				height: 150,
				legend: { show: false },
				cursor: { show: false },
				scales: { y: { range: (u, low, high) => [0, Math.max(1, (high || 0) * 1.08)] } },
				axes: [axis, { ...axis, size: 66, values: (u, ticks) => ticks.map(count) }],
				series: [{}, { stroke: css(spec.colour), width: 1.5, points: { show: false } }],
			},
			[[], []],
			place,
		);
		fleetPlots.push({ plot, spec });
	}
}

function fleetDraw(points) {
	const times = points.map((point) => point[0]);
	for (const { plot, spec } of fleetPlots)
		plot.setData([times, points.map((point) => point[spec.at])]);
}

/* ---- the loop ---- */

async function fleetLook() {
	try {
		const now = await get("fleet", { points: 1 });
		$("name").textContent = now.fleet;
		document.title = "plm: " + now.fleet;
		$("state").textContent = now.trouble ? "engine away" : "up";
		notice(
			now.trouble
				? `${now.trouble}; the numbers are of ${now.taken_ms ? moment(now.taken_ms) : "never"}`
				: "",
		);
		fleetTiles(now);
		fleetHosts(now);
		fleetDraw(now.points);
	} catch (error) {
		$("state").textContent = "no answer";
		notice(`plmweb does not answer: ${error.message}`);
	}
	setTimeout(fleetLook, LOOK_MS);
}

$("theme").onclick = () => {
	switchTheme();
	fleetBuild();
};
fleetBuild();
fleetLook();
