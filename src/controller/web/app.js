// SPDX-License-Identifier: GPL-2.0-or-later
// app.js - the HTTP view's page: logs in, follows the events, sends the orders
import {Circle} from "./circle.js";
import {drawCharts} from "./charts.js";
import {Model, jobName, sentenceOfMove, takeEvents} from "./model.js";
import {Panel} from "./panel.js";

const KEY = "sojourn-key";          // the session's second secret; the first is a cookie that scripts do not see
const SILENT_MS = 40000;            // the node says something at least each 15 s
const byId = id => document.getElementById(id);
const model = new Model();
let changed = new Set(), frame = 0;

function say(sentence, wrong = false) {
    byId("said").textContent = sentence;
    byId("said").classList.toggle("wrong", wrong);
}

/* Orders */

async function post(path, body) {
    const key = localStorage.getItem(KEY);
    const headers = {"Content-Type": "application/json", ...(key ? {"Sojourn-Key": key} : {})};
    const answer = await fetch(path, {method: "POST", headers, body: JSON.stringify(body)});
    const json = await answer.json();

    if (!answer.ok)
        throw new Error(json.error?.text ?? answer.statusText);
    return json;
}

async function call(method, params) {
    return (await post("/call", {method, params})).result;
}

/* Runs an order on a job; says what came of it. */
async function order(id, method, params, done) {
    const job = model.jobs.get(id);

    if (!job)
        return;
    try {
        const result = await call(method, {job: id, ...params});

        say(done(job, result));
        details();
    } catch (error) {
        say(error.message, true);
    }
}

const act = {
    say,
    choose(kind, key) {
        panel.chosen = {kind, key};
        panel.details = null;
        circle.choose(kind, key);
        panel.drawChosen();
        panel.drawJobs();
        drawCharts(model, kind === "node" ? key : null);
        details();
    },
    move(id, node) {
        if (model.jobs.has(id))
            say(`Job ${jobName(model.jobs.get(id))} is on its way to ${node}.`);
        order(id, "job.migrate", {node}, sentenceOfMove);
    },
    home: id => act.move(id, "home"),
    best: id => act.move(id, "best"),
    lock: id => order(id, "job.lock", {locked: !model.jobs.get(id)?.locked}, (job, {locked}) =>
        `Job ${jobName(job)} ${locked ? "stays where it is until it is unlocked" : "may move again"}.`),
    suspend(id) {
        const frozen = model.jobs.get(id)?.state === "suspended";

        order(id, frozen ? "job.resume" : "job.suspend", {}, job => `Job ${jobName(job)} ${frozen ? "goes on" : "is frozen"}.`);
    },
    end(id) {
        const job = model.jobs.get(id);

        if (job && confirm(`End job ${jobName(job)} (${job.command})?`))
            order(id, "job.kill", {signal: 15}, () => `Job ${jobName(job)} was told to end.`);
    },
};
const circle = new Circle(byId("circle"), model, act);
const panel = new Panel(model, act);

/* More about the chosen job than the list has. */
async function details() {
    const {kind, key} = panel.chosen;

    if (kind !== "job" || !model.commands || !model.jobs.has(key))
        return;
    try {
        const shown = await call("job.show", {job: key});

        if (panel.chosen.key === key)
            panel.details = shown;
        panel.drawChosen();
    } catch {
        // it may have ended meanwhile; the next list tells
    }
}

/* Events */

/* Draws what has changed, once for all that came together. */
function draw() {
    frame = 0;
    if (changed.has("nodes") || changed.has("jobs") || changed.has("hello")) {
        circle.draw();
        panel.draw();
    }
    if (changed.has("nodes") || changed.has("past"))
        drawCharts(model, panel.chosen.kind === "node" ? panel.chosen.key : null);
    if (changed.has("progress"))
        panel.drawChosen();
    if (changed.has("news"))
        panel.drawNews();
    changed = new Set();
}

function take(event) {
    changed.add(model.apply(event));
    if (event.event === "hello" && !model.user && localStorage.getItem(KEY)) {
        localStorage.removeItem(KEY);
        say("You are not logged in any more: run sojourn web, and open the address that it prints.");
    }
    frame ||= requestAnimationFrame(draw);
}

async function follow() {
    const key = localStorage.getItem(KEY), stop = new AbortController();
    const answer = await fetch("/events", {headers: key ? {"Sojourn-Key": key} : {}, signal: stop.signal});
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "", watch = 0;

    if (!answer.ok)
        throw new Error((await answer.text()) || answer.statusText);
    byId("link").dataset.state = "on";
    byId("link").textContent = "live";
    for (;;) {
        clearTimeout(watch);
        watch = setTimeout(() => stop.abort(), SILENT_MS);
        const {value, done} = await reader.read();

        if (done)
            break;
        const {events, rest} = takeEvents(text + value);

        text = rest;
        events.forEach(take);
    }
    clearTimeout(watch);
}

async function followForEver() {
    for (let pause = 500; ; pause = Math.min(pause * 2, 10000)) {
        const begun = Date.now();

        try {
            await follow();
        } catch {
            // said below
        }
        byId("link").dataset.state = "off";
        byId("link").textContent = "no connection; sojourn web tells the address";
        if (Date.now() - begun > 10000)
            pause = 500;
        await new Promise(resolve => setTimeout(resolve, pause));
    }
}

/* Logging in and out */

async function login() {
    const token = location.hash.slice(1);

    if (!/^[0-9a-f]{64}$/.test(token))
        return;
    history.replaceState(null, "", location.pathname);
    try {
        const {key} = await post("/login", {token});

        localStorage.setItem(KEY, key);
    } catch (error) {
        say(error.message, true);
    }
}

byId("logout").addEventListener("click", async () => {
    await post("/logout", {}).catch(() => {});
    localStorage.removeItem(KEY);
    location.reload();
});
byId("keys-open").addEventListener("click", () => byId("keys").showModal());
window.addEventListener("hashchange", () => location.reload());
setInterval(details, 3000);
setInterval(() => {
    model.note();
    drawCharts(model, panel.chosen.kind === "node" ? panel.chosen.key : null);
}, model.past.step_s * 1000);
await login();
followForEver();
