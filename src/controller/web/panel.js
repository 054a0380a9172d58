// SPDX-License-Identifier: GPL-2.0-or-later
// panel.js - the side: what is chosen, what can be ordered, the list of jobs, what has happened
import {compareNames, isAlive, jobName, size} from "./model.js";

const ROWS_MAX = 200;
const byId = id => document.getElementById(id);

function text(element, value) {
    if (element.textContent !== value)
        element.textContent = value;
}

function make(name, value) {
    const element = document.createElement(name);

    element.textContent = value;
    return element;
}

function facts(pairs) {
    const wanted = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "");
    const list = byId("chosen-facts"), now = JSON.stringify(wanted);

    if (list.dataset.now === now)
        return;
    list.dataset.now = now;
    list.replaceChildren(...wanted.flatMap(([name, value]) => [make("dt", name), make("dd", value)]));
}

export class Panel {
    /* act: {choose(kind, key), move, home, best, lock, suspend, end} */
    constructor(model, act) {
        Object.assign(this, {model, act});
        this.chosen = {kind: null, key: null};
        this.details = null;    // job.show of the chosen job
        this.rows = new Map();  // id -> tr
        byId("filter").addEventListener("input", () => this.drawJobs());
        byId("orders").addEventListener("submit", event => {
            event.preventDefault();
            this.act.move(this.chosen.key, byId("target").value);
        });
        byId("orders").addEventListener("click", event => {
            const order = event.target.dataset.order;

            if (order)
                this.act[order](this.chosen.key);
        });
    }

    draw() {
        const {model} = this;

        text(byId("who"), model.user ? `${model.user}${model.admin ? ", administrator" : ""}` : "read only");
        text(byId("totals"), `${[...model.nodes.values()].filter(isAlive).length} of ${model.nodes.size} nodes, ` +
             `${[...model.nodes.values()].filter(isAlive).reduce((sum, node) => sum + (node.jobs ?? 0), 0)} jobs`);
        byId("logout").hidden = !model.commands;
        byId("hint").hidden = model.commands;
        byId("filter").hidden = byId("jobs").hidden = byId("happens").hidden = !model.commands;
        this.drawChosen();
        this.drawJobs();
    }

    drawChosen() {
        const {kind, key} = this.chosen, job = kind === "job" ? this.model.jobs.get(key) : null;
        const node = kind === "node" ? this.model.nodes.get(key) : null;

        byId("orders").hidden = !job || !this.model.commands;
        byId("moves").hidden = !job || !this.details?.history?.length;
        if (job)
            this.#drawJob(job);
        else if (node)
            this.#drawNode(node);
        else {
            text(byId("chosen-name"), "The cluster");
            facts([]);
        }
    }

    #drawJob(job) {
        const details = this.details?.id === job.id ? this.details : {}, progress = this.model.progress.get(job.id);
        const part = progress?.bytes_total ? ` (${Math.round(100 * progress.bytes_done / progress.bytes_total)} %)` : "";

        text(byId("chosen-name"), `Job ${jobName(job)}`);
        facts([["Command", job.command], ["User", job.user], ["Process", `${job.pid}`],
               ["State", job.state + part + (job.locked ? ", locked" : "")], ["Node", job.node], ["Home", job.home],
               ["Memory", size(job.memory_bytes)],
               ["CPU time", details.cpu_seconds === undefined ? "" : `${details.cpu_seconds.toFixed(1)} s`], ["Moves", `${job.migrations}`],
               ["Stays because", details.stay?.map(reason => reason.text).join("; ")]]);
        this.#drawTargets(job);
        text(byId("orders").querySelector("[data-order=lock]"), job.locked ? "Unlock" : "Lock");
        text(byId("orders").querySelector("[data-order=suspend]"), job.state === "suspended" ? "Go on" : "Freeze");
        byId("moves").replaceChildren(...(details.history ?? []).slice(-20).reverse().map(move =>
            make("li", `${new Date(move.at * 1000).toLocaleTimeString()}  ${move.from} → ${move.to}, ${move.total_ms} ms` +
                 (move.downtime_ms >= 0 ? `, still for ${move.downtime_ms} ms` : "") + `, ${size(move.bytes)}`)));
    }

    #drawTargets(job) {
        const select = byId("target"), {nodes} = this.model;
        const names = this.model.names().filter(name => name !== job.node && isAlive(nodes.get(name)));
        const now = names.join(" "), before = select.value;

        if (select.dataset.now === now)
            return;
        select.dataset.now = now;
        select.replaceChildren(...names.map(name => make("option", name)));
        if (names.includes(before))
            select.value = before;
    }

    #drawNode(node) {
        const orders = ["stay", "block", "quiet"].filter(order => node[order]).join(", ");

        text(byId("chosen-name"), `Node ${node.name}`);
        facts([["State", node.state + (node.self ? ", this one" : "")], ["Address", node.address], ["Acceleration", node.accel],
               ["CPUs", node.cpus && `${node.cpus}`],
               ["Speed", node.speed && `${node.speed}`], ["Memory", node.memory_total_bytes && size(node.memory_total_bytes)],
               ["Jobs", `${node.jobs ?? 0}`], ["Orders", orders]]);
    }

    /* The list of jobs */

    #newRow(id) {
        const row = document.createElement("tr"), button = document.createElement("button");

        for (let i = 0; i < 5; i++)
            row.append(document.createElement("td"));
        row.cells[0].append(button);
        button.addEventListener("click", () => this.act.choose("job", id));
        return row;
    }

    #fillRow(row, job) {
        row.job = job;
        text(row.cells[0].firstChild, jobName(job));
        [job.node, job.home, job.state + (job.locked ? ", locked" : ""), job.command]
            .forEach((value, k) => text(row.cells[k + 1], value));
    }

    drawJobs() {
        const filter = byId("filter").value.toLowerCase(), body = byId("rows");
        const found = [...this.model.jobs.values()]
            .filter(job => !filter || [job.id, job.name, job.command, job.node, job.home, job.user, job.state]
                .some(value => `${value ?? ""}`.toLowerCase().includes(filter)))
            .sort((a, b) => compareNames(jobName(a), jobName(b)));
        const shown = found.slice(0, ROWS_MAX), ids = new Set(shown.map(job => job.id));

        for (const [id, row] of this.rows)
            if (!ids.has(id)) {
                row.remove();
                this.rows.delete(id);
            }
        shown.forEach((job, i) => {
            let row = this.rows.get(job.id);

            if (!row)
                this.rows.set(job.id, row = this.#newRow(job.id));
            row.className = this.chosen.key === job.id ? "chosen" : "";
            if (row.job !== job)
                this.#fillRow(row, job);
            if (body.children[i] !== row)
                body.insertBefore(row, body.children[i] ?? null);
        });
        text(byId("more"), found.length > shown.length ? `and ${found.length - shown.length} more; filter to see them`
             : this.model.jobs.size ? "" : "There is no job. Start one: sojourn run PROGRAM");
    }

    drawNews() {
        byId("news").replaceChildren(...this.model.news.map(event => {
            const item = document.createElement("li"), time = make("time", new Date(event.at_ms).toLocaleTimeString());

            item.append(time, event.text);
            return item;
        }));
    }
}
