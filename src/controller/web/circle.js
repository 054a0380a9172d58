// SPDX-License-Identifier: GPL-2.0-or-later
// circle.js - the picture: nodes in a circle, jobs on them, lines to their homes; dragging, and the same by keys
import {isAlive, jobLook, jobName} from "./model.js";
import {bow, jobPlaces, nodePlaces} from "./layout.js";

const SVG = "http://www.w3.org/2000/svg";
const LINES_MAX = 80;   // with more jobs away there is one line for each pair of nodes
const MANY = 250;       // so many jobs do not glide
const DRAG = 5;         // pixels until a press is a drag

function make(name, parent, attributes = {}) {
    const element = document.createElementNS(SVG, name);

    for (const [key, value] of Object.entries(attributes))
        element.setAttribute(key, value);
    parent?.append(element);
    return element;
}

/* Sets what differs only: the browser then has nothing to do for the rest. */
function set(element, name, value) {
    if (element.getAttribute(name) !== String(value))
        element.setAttribute(name, value);
}

/* A part of a circle of radius r, from the top. */
function arc(element, r, part) {
    const whole = 2 * Math.PI * r;

    set(element, "r", r.toFixed(1));
    set(element, "stroke-dasharray", `${(Math.min(1, Math.max(0, part)) * whole).toFixed(1)} ${whole.toFixed(1)}`);
}

export class Circle {
    /* act: {choose(kind, key), move(job, node), home(job), best(job), lock(job), say(text)} */
    constructor(svg, model, act) {
        Object.assign(this, {svg, model, act});
        this.nodes = new Map();     // name -> {g, parts, x, y, r}
        this.jobs = new Map();      // id -> {g, shape, x, y}
        this.byNode = new Map();
        this.chosen = {kind: null, key: null};
        this.drag = null;           // {id, from, moved, target}
        this.carried = null;        // id of the job that keys have picked up
        this.stop = null;           // where Tab comes in: {kind, key}
        [this.lineLayer, this.nodeLayer, this.jobLayer] = ["#lines", "#nodes", "#squares"].map(s => svg.querySelector(s));
        this.#listen();
    }

    /* Draws the model as it is now. */
    draw() {
        const names = this.model.names(), {r, places} = nodePlaces(names.length);

        this.byNode = this.model.jobsByNode();
        this.svg.classList.toggle("many", this.model.jobs.size > MANY);
        this.svg.classList.toggle("read-only", !this.model.commands);
        this.#drop(this.nodes, this.model.nodes);
        this.#drop(this.jobs, this.model.jobs);
        names.forEach((name, i) => this.#drawNode(this.model.nodes.get(name), places[i], r));
        for (const [name, jobs] of this.byNode)
            this.#drawJobs(name, jobs);
        this.#drawLines();
        this.#keepStop(names);
    }

    choose(kind, key) {
        this.chosen = {kind, key};
        this.draw();
    }

    #drop(drawn, known) {
        for (const [key, entry] of drawn)
            if (!known.has(key)) {
                entry.g.remove();
                drawn.delete(key);
            }
    }

    /* Nodes */

    #newNode(name) {
        const g = make("g", this.nodeLayer, {class: "node", role: "group", tabindex: "-1", "data-node": name});
        const parts = {disc: make("circle", g, {class: "disc"})};

        for (const part of ["loadTrack", "memoryTrack"])
            parts[part] = make("circle", g, {class: "track"});
        for (const part of ["load", "memory"])
            parts[part] = make("circle", g, {class: part, transform: "rotate(-90)"});
        parts.name = make("text", g, {class: "name"});
        parts.count = make("text", g, {class: "count"});
        parts.name.textContent = name;
        return {g, parts};
    }

    #drawNode(node, place, r) {
        let entry = this.nodes.get(node.name);

        if (!entry)
            this.nodes.set(node.name, entry = this.#newNode(node.name));
        const {g, parts} = entry, alive = isAlive(node), is = this.chosen.kind === "node" && this.chosen.key === node.name;
        const own = this.byNode.get(node.name)?.length ?? 0, others = alive ? Math.max(0, (node.jobs ?? 0) - own) : 0;
        const used = node.memory_total_bytes ? 1 - node.memory_free_bytes / node.memory_total_bytes : 0;
        const width = Math.max(1.5, r * 0.07), font = Math.max(9, Math.min(21, r * 0.32));

        Object.assign(entry, {x: place.x, y: place.y, r});
        set(g, "transform", `translate(${place.x.toFixed(1)} ${place.y.toFixed(1)})`);
        set(g, "class", ["node", node.self && "self", !alive && "dead", node.state === "pending" && "pending", is && "chosen", this.#isTarget(node.name) && "target"]
            .filter(Boolean).join(" "));
        g.style.setProperty("--arc", `${width.toFixed(1)}px`);
        set(parts.disc, "r", r.toFixed(1));
        parts.load.classList.toggle("full", alive && node.load > 1);
        for (const [part, radius, value] of [["load", r - width, node.load ?? 0], ["memory", r - 2.4 * width, used]]) {
            set(parts[`${part}Track`], "r", radius.toFixed(1));
            arc(parts[part], radius, value);
            set(parts[part], "visibility", alive && value >= 0.005 ? "visible" : "hidden");
            set(parts[`${part}Track`], "visibility", alive ? "visible" : "hidden");
        }
        set(parts.name, "y", (r + font).toFixed(1));
        set(parts.name, "font-size", font.toFixed(1));
        set(parts.count, "y", (own ? r * 0.62 : font * 0.35).toFixed(1));
        set(parts.count, "font-size", Math.max(8, font * 0.8).toFixed(1));
        const jobs = r < 40 ? "" : others === 1 ? " job" : " jobs", count = !others ? "" : own ? `+${others}` : `${others}${jobs}`;
        const under = count || alive || r < 30 ? count : node.state;

        if (parts.count.textContent !== under)
            parts.count.textContent = under;
        set(g, "aria-label", this.#nodeLabel(node, own, others, used));
    }

    #nodeLabel(node, own, others, used) {
        if (!isAlive(node))
            return `Node ${node.name}, ${node.state}`;
        return `Node ${node.name}${node.self ? ", this one" : ""}, ${node.state}, load ${Math.round((node.load ?? 0) * 100)} per cent` +
            `, memory ${Math.round(used * 100)} per cent used, ${own + others} jobs${others ? `, ${own} of them shown` : ""}`;
    }

    #isTarget(name) {
        return this.drag?.target === name || (this.carried !== null && this.stop?.kind === "node" && this.stop.key === name);
    }

    /* Jobs */

    #newJob(id) {
        const g = make("g", this.jobLayer, {class: "job", role: "button", tabindex: "-1", "data-job": id});

        return {g, shape: make("rect", g, {class: "shape"})};
    }

    #drawJobs(name, jobs) {
        const node = this.nodes.get(name), {half, places} = jobPlaces(jobs.length, node.r * 0.84);

        jobs.forEach((job, i) => this.#drawJob(job, node.x + places[i].x, node.y + places[i].y, half));
    }

    #drawJob(job, x, y, half) {
        let entry = this.jobs.get(job.id);

        if (!entry)
            this.jobs.set(job.id, entry = this.#newJob(job.id));
        const {g, shape} = entry, look = jobLook(job), dragged = Boolean(this.drag?.moved && this.drag.id === job.id);
        const is = this.chosen.kind === "job" && this.chosen.key === job.id, now = {job, x, y, half, is, dragged};

        if (Object.keys(now).every(key => entry[key] === now[key]))
            return;
        Object.assign(entry, now);
        this.#put(entry, x, y);
        set(g, "class", ["job", is && "chosen", dragged && "dragged"].filter(Boolean).join(" "));
        set(shape, "class", ["shape", look, job.locked && "locked"].filter(Boolean).join(" "));
        for (const [name, value] of [["x", -half], ["y", -half], ["width", 2 * half], ["height", 2 * half], ["rx", half / 3]])
            set(shape, name, value.toFixed(2));
        set(shape, "transform", job.node === job.home ? "" : "rotate(45)");
        set(g, "aria-label", `Job ${jobName(job)}${job.command ? `, ${job.command}` : ""}, ${job.state}${job.locked ? ", locked" : ""}` +
            ` on ${job.node}, ${job.node === job.home ? "at home" : `home ${job.home}`}`);
    }

    #put(entry, x, y) {
        const where = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;

        if (entry.where !== where)
            entry.g.style.transform = entry.where = where;
    }

    /* Lines: from each job that is away to its home, or from node to node when there are many. */
    #drawLines() {
        const away = [...this.model.jobs.values()]
            .filter(job => job.node !== job.home && this.nodes.has(job.home) && this.jobs.has(job.id));
        const lines = new Map();

        for (const job of away) {
            const is = this.chosen.kind === "job" && this.chosen.key === job.id;
            const alone = away.length <= LINES_MAX || is, key = alone ? job.id : `${job.node} ${job.home}`;
            const known = lines.get(key);

            lines.set(key, {from: alone ? this.jobs.get(job.id) : this.nodes.get(job.node), to: this.nodes.get(job.home), is,
                            count: (known?.count ?? 0) + 1});
        }
        this.lines ??= new Map();
        for (const [key, line] of this.lines)
            if (!lines.has(key)) {
                line.remove();
                this.lines.delete(key);
            }
        for (const [key, {from, to, is, count}] of lines) {
            if (!this.lines.has(key))
                this.lines.set(key, make("path", this.lineLayer));
            set(this.lines.get(key), "class", is ? "line chosen" : "line");
            set(this.lines.get(key), "d", bow(from, to));
            this.lines.get(key).style.strokeWidth = count > 1 ? (2 + Math.log2(count)).toFixed(1) : "";
        }
    }

    /* Mouse, pen, finger */

    #listen() {
        const {svg} = this;

        svg.addEventListener("pointerdown", event => this.#press(event));
        svg.addEventListener("pointermove", event => this.#moveTo(event));
        svg.addEventListener("pointerup", event => this.#release(event));
        svg.addEventListener("pointercancel", () => this.#leave());
        svg.addEventListener("dblclick", event => {
            const id = event.target.closest("[data-job]")?.dataset.job;

            if (id && this.model.commands)
                this.act.home(id);
        });
        svg.addEventListener("keydown", event => this.#key(event));
        svg.addEventListener("focusin", event => {
            const {job, node} = event.target.closest("[data-job], [data-node]")?.dataset ?? {};

            if (job || node)
                this.stop = job ? {kind: "job", key: job} : {kind: "node", key: node};
        });
    }

    #point(event) {
        const box = this.svg.getScreenCTM().inverse();

        return new DOMPoint(event.clientX, event.clientY).matrixTransform(box);
    }

    #press(event) {
        const {job, node} = event.target.closest("[data-job], [data-node]")?.dataset ?? {};

        if (event.button !== 0)
            return;
        this.act.choose(job ? "job" : node ? "node" : null, job ?? node ?? null);
        if (job && this.model.commands) {
            this.drag = {id: job, from: [event.clientX, event.clientY], moved: false, target: null};
            this.svg.setPointerCapture(event.pointerId);
        }
    }

    #moveTo(event) {
        const drag = this.drag, entry = this.jobs.get(drag?.id);

        if (!drag || !entry)
            return;
        if (!drag.moved) {
            if (Math.hypot(event.clientX - drag.from[0], event.clientY - drag.from[1]) <= DRAG)
                return;
            drag.moved = true;
            this.#lift(drag, entry);
        }
        const {x, y} = this.#point(event), target = this.#nodeAt(x, y);

        drag.ghost.style.transform = `translate(${event.clientX}px, ${event.clientY}px)`;
        if (target !== drag.target) {
            this.nodes.get(drag.target)?.g.classList.remove("target");
            this.nodes.get(target)?.g.classList.add("target");
            drag.target = target;
        }
    }

    /* What follows the pointer stands outside of the picture, which then need not be painted again and again. */
    #lift(drag, entry) {
        const side = entry.shape.getBoundingClientRect().width, away = entry.job.node !== entry.job.home;

        drag.ghost = document.createElement("div");
        drag.ghost.className = `ghost ${jobLook(entry.job)}`;
        drag.ghost.style.setProperty("--side", `${Math.max(12, away ? side / Math.SQRT2 : side)}px`);
        drag.ghost.append(document.createElement("i"));
        document.body.append(drag.ghost);
        entry.g.classList.add("dragged");
    }

    #nodeAt(x, y) {
        for (const [name, node] of this.nodes)
            if (Math.hypot(x - node.x, y - node.y) < node.r * 1.25 && isAlive(this.model.nodes.get(name)))
                return name;
        return null;
    }

    #release() {
        const drag = this.drag;

        this.#leave();
        if (drag?.moved && drag.target && this.model.jobs.get(drag.id)?.node !== drag.target)
            this.act.move(drag.id, drag.target);
    }

    #leave() {
        this.drag?.ghost?.remove();
        this.drag = null;
        this.draw();
    }

    /* Keys */

    /* There is always one place where Tab comes in. */
    #keepStop(names) {
        const exists = this.stop && (this.stop.kind === "job" ? this.jobs : this.nodes).has(this.stop.key);

        if (!exists)
            this.stop = names.length ? {kind: "node", key: this.nodes.has(this.model.self) ? this.model.self : names[0]} : null;
        for (const [kind, map] of [["node", this.nodes], ["job", this.jobs]])
            for (const [key, {g}] of map)
                set(g, "tabindex", this.stop?.kind === kind && this.stop.key === key ? "0" : "-1");
    }

    #focus(kind, key) {
        const entry = (kind === "job" ? this.jobs : this.nodes).get(key);

        if (!entry)
            return;
        this.stop = {kind, key};
        if (this.carried === null)
            this.act.choose(kind, key);
        else
            this.draw();
        entry.g.focus();
    }

    #key(event) {
        const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;

        if (event.ctrlKey || event.altKey || event.metaKey || !this.stop)
            return;
        const carries = this.carried !== null, onNode = this.stop.kind === "node";

        if (carries ? this.#keyCarrying(name) : onNode ? this.#keyOnNode(name) : this.#keyOnJob(name))
            event.preventDefault();
    }

    #next(list, key, step) {
        return list.length ? list[(list.indexOf(key) + step + list.length) % list.length] : undefined;
    }

    #keyOnNode(name) {
        const step = {ArrowRight: 1, ArrowLeft: -1}[name], jobs = this.byNode.get(this.stop.key) ?? [];

        if (step)
            this.#focus("node", this.#next(this.model.names(), this.stop.key, step));
        else if (name === "ArrowDown" && jobs.length)
            this.#focus("job", jobs[0].id);
        else if (name === "ArrowDown")
            this.act.say(`There is no job to be seen on ${this.stop.key}.`);
        else
            return false;
        return true;
    }

    #keyOnJob(name) {
        const id = this.stop.key, job = this.model.jobs.get(id), step = {ArrowRight: 1, ArrowLeft: -1}[name];
        const orders = {h: this.act.home, b: this.act.best, l: this.act.lock};

        if (step)
            this.#focus("job", this.#next((this.byNode.get(job.node) ?? []).map(j => j.id), id, step));
        else if (name === "ArrowUp" || name === "Escape")
            this.#focus("node", job.node);
        else if (orders[name])
            orders[name](id);
        else if (name === "Enter" || name === " ")
            this.#pickUp(job);
        else
            return false;
        return true;
    }

    #pickUp(job) {
        this.carried = job.id;
        this.act.choose("job", job.id);
        this.#focus("node", job.node);
        this.act.say(`Job ${jobName(job)} is picked up. The arrow keys choose a node; Enter sends it there, Escape leaves it.`);
    }

    #keyCarrying(name) {
        const id = this.carried, job = this.model.jobs.get(id);
        const step = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1}[name];
        const alive = this.model.names().filter(n => isAlive(this.model.nodes.get(n)));

        if (step) {
            this.#focus("node", this.#next(alive, this.stop.key, step));
            return true;
        }
        if (name !== "Enter" && name !== " " && name !== "Escape" && name !== "Tab")
            return false;
        const to = this.stop.key;

        this.carried = null;
        this.#focus("job", id);
        if (name === "Escape" || name === "Tab" || !job)
            this.act.say("It stays where it is.");
        else if (job.node !== to)
            this.act.move(id, to);
        else
            this.act.say(`Job ${jobName(job)} is on ${to} already.`);
        return name !== "Tab";
    }
}
