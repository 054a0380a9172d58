// SPDX-License-Identifier: GPL-2.0-or-later
// model.js - what is known of nodes and jobs, as the events tell it; knows nothing of the page

const NEWS_MAX = 60;

/* Takes whole server-sent events out of text: [{event, data}...] and what is left of it. */
export function takeEvents(text) {
    const events = [];
    let end;

    while ((end = text.indexOf("\n\n")) >= 0) {
        const fields = {};

        for (const line of text.slice(0, end).split("\n")) {
            const colon = line.indexOf(": ");

            if (colon > 0)
                fields[line.slice(0, colon)] = line.slice(colon + 2);
        }
        if (fields.event && fields.data)
            events.push({event: fields.event, data: JSON.parse(fields.data)});
        text = text.slice(end + 2);
    }
    return {events, rest: text};
}

/* Names with numbers in them in the order that people expect. */
export const compareNames = new Intl.Collator("en", {numeric: true}).compare;

export function jobName(job) {
    return job.name || job.id.slice(0, 8);
}

export function isAlive(node) {
    return node.state === "alive" || node.state === "blocked";
}

/* One word for how a job is drawn. */
export function jobLook(job) {
    if (job.state === "migrating" || job.state === "starting")
        return "moving";
    if (job.state !== "running")
        return "still";
    return job.node === job.home ? "at-home" : "away";
}

export function size(bytes) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;

    for (; bytes >= 1024 && unit + 1 < units.length; unit++)
        bytes /= 1024;
    return `${unit && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}

export function sentenceOfMove(job, stats) {
    const still = stats.downtime_ms >= 0 ? `, standing still for ${stats.downtime_ms} ms` : "";

    if (stats.there)
        return `Job ${jobName(job)} is on ${stats.to} already.`;
    return `Job ${jobName(job)} moved from ${stats.from} to ${stats.to} in ${stats.total_ms} ms${still}, ${size(stats.bytes)} sent.`;
}

export class Model {
    constructor() {
        this.nodes = new Map();
        this.jobs = new Map();
        this.progress = new Map();
        this.news = [];
        this.past = {step_s: 10, nodes: {}};
        this.self = "";
        this.user = null;
        this.admin = false;
    }

    /* Applies one event; says by a word what may look different now. */
    apply({event, data}) {
        if (event === "hello") {
            Object.assign(this, {self: data.self, user: data.user, admin: data.admin, version: data.version});
            this.nodes.clear();
            this.jobs.clear();
            this.progress.clear();
            this.news.length = 0;
        } else if (event === "past") {
            this.past = data;
        } else if (event === "nodes") {
            this.#change(this.nodes, data, "name");
        } else if (event === "jobs") {
            this.#change(this.jobs, data, "id");
            for (const id of this.progress.keys())
                if (this.jobs.get(id)?.state !== "migrating")
                    this.progress.delete(id);
        } else if (event === "news") {
            this.news.unshift(data);
            this.news.length = Math.min(this.news.length, NEWS_MAX);
        } else if (event === "progress") {
            this.progress.set(data.job, data);
        }
        return event;
    }

    #change(map, {set, gone}, key) {
        for (const name of gone)
            map.delete(name);
        for (const row of set)
            map.set(row[key], row);
    }

    /* Names of the nodes, in order. */
    names() {
        return [...this.nodes.keys()].sort(compareNames);
    }

    /* A map from node to its jobs, in an order that does not change as they go on. */
    jobsByNode() {
        const byNode = new Map([...this.nodes.keys()].map(name => [name, []]));

        const order = (a, b) => compareNames(a.home, b.home) || a.pid - b.pid || (a.id < b.id ? -1 : 1);

        for (const job of this.jobs.values())
            byNode.get(job.node)?.push(job);
        for (const jobs of byNode.values())
            jobs.sort(order);
        return byNode;
    }

    /* Whether jobs can be commanded from here. */
    get commands() {
        return this.user !== null;
    }

    /* Notes the load and memory of now, as the past of later. */
    note() {
        const steps = 180, series = this.past.nodes;
        const length = Math.max(0, ...Object.values(series).map(s => s.load.length));

        for (const name of this.nodes.keys())
            series[name] ??= {load: new Array(length).fill(null), used: new Array(length).fill(null)};
        for (const [name, s] of Object.entries(series)) {
            const node = this.nodes.get(name), alive = node && isAlive(node) && node.memory_total_bytes !== undefined;

            s.load.push(alive ? Math.round(node.load * 100) : null);
            s.used.push(alive ? Math.floor((node.memory_total_bytes - node.memory_free_bytes) / 1048576) : null);
            s.load.splice(0, s.load.length - steps);
            s.used.splice(0, s.used.length - steps);
        }
    }

    /* The curve of a node, or (null) of the cluster: {load: [CPUs wanted], used: [bytes]}, null where nothing is known. */
    curve(name) {
        const names = name ? [name] : [...this.nodes.keys()];
        const series = names.map(n => [this.past.nodes[n], this.nodes.get(n)?.cpus ?? 1]).filter(([s]) => s);
        const length = Math.max(0, ...series.map(([s]) => s.load.length));
        const sum = (pick) => Array.from({length}, (_, i) => {
            const values = series.map(([s, cpus]) => pick(s, i - (length - s.load.length), cpus))
                .filter(value => value !== null && value !== undefined);

            return values.length ? values.reduce((a, b) => a + b, 0) : null;
        });

        return {
            load: sum((s, i, cpus) => s.load[i] === null || s.load[i] === undefined ? null : s.load[i] / 100 * cpus),
            used: sum((s, i) => s.used[i] === null || s.used[i] === undefined ? null : s.used[i] * 1048576),
        };
    }

    /* CPUs and bytes that there are, wanted and used, of a node or (null) of all that are alive. */
    sums(name) {
        const total = {cpus: 0, wanted: 0, memory: 0, used: 0};

        for (const node of this.nodes.values())
            if (isAlive(node) && (!name || node.name === name)) {
                total.cpus += node.cpus ?? 0;
                total.wanted += (node.load ?? 0) * (node.cpus ?? 0);
                total.memory += node.memory_total_bytes ?? 0;
                total.used += (node.memory_total_bytes ?? 0) - (node.memory_free_bytes ?? 0);
            }
        return total;
    }
}
