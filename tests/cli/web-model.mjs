// SPDX-License-Identifier: GPL-2.0-or-later
// web-model.mjs - the parts of the HTTP view's page that know nothing of a page: events, model, places
//
// node web-model.mjs FOLDER, a copy of src/controller/web with {"type": "module"} in a package.json
import assert from "node:assert/strict";
const folder = `file://${process.argv[2]}/`;
const {Model, jobLook, sentenceOfMove, size, takeEvents} = await import(`${folder}model.js`);
const {jobPlaces, nodePlaces} = await import(`${folder}layout.js`);

// Events, wherever the text is cut
const text = 'event: hello\ndata: {"user":"ann","self":"node1"}\n\n:\n\nevent: nodes\ndata: {"set":[],"gone":[]}\n\n';
for (let cut = 0; cut <= text.length; cut++) {
    const first = takeEvents(text.slice(0, cut)), second = takeEvents(first.rest + text.slice(cut));

    assert.deepEqual([...first.events, ...second.events].map(event => event.event), ["hello", "nodes"], `cut at ${cut}`);
    assert.equal(second.rest, "");
}

// The model
const model = new Model();
const node = (name, more) => ({name, state: "alive", load: 0.5, cpus: 2, jobs: 1, memory_total_bytes: 4 << 20,
                               memory_free_bytes: 1 << 20, ...more});
const job = (id, more) => ({id, name: "", home: "node1", node: "node2", state: "running", pid: 1, migrations: 0, ...more});
model.apply({event: "hello", data: {self: "node1", user: "ann", admin: false, version: "1"}});
model.apply({event: "nodes", data: {set: [node("node10"), node("node9"), node("node1", {load: 1, self: true})], gone: []}});
const jobs = [job("b", {pid: 2, node: "node9"}), job("a", {node: "node9"}), job("c", {node: "elsewhere"})];
model.apply({event: "jobs", data: {set: jobs, gone: []}});
assert.deepEqual(model.names(), ["node1", "node9", "node10"]);
assert.deepEqual(model.jobsByNode().get("node9").map(j => j.id), ["a", "b"]);
assert.deepEqual(model.sums(null), {cpus: 6, wanted: 4, memory: 12 << 20, used: 9 << 20});
model.apply({event: "progress", data: {job: "a", bytes_total: 2, bytes_done: 1}});
model.apply({event: "jobs", data: {set: [job("a", {state: "migrating"})], gone: ["b"]}});
assert.equal(model.progress.size, 1);
model.apply({event: "jobs", data: {set: [job("a")], gone: []}});
assert.equal(model.progress.size, 0);
assert.deepEqual([...model.jobs.keys()].sort(), ["a", "c"]);
assert.deepEqual(["running", "migrating", "suspended"].map(state => jobLook(job("x", {state}))), ["away", "moving", "still"]);
assert.equal(jobLook(job("x", {node: "node1"})), "at-home");
assert.equal(model.commands, true);

// The past: what is noted comes behind what was told; a node that is new has none
model.apply({event: "past", data: {step_s: 10, nodes: {node1: {load: [null, 50], used: [null, 2]}}}});
model.note();
assert.deepEqual(model.curve("node1"), {load: [null, 1, 2], used: [null, 2 << 20, 3 << 20]});
assert.deepEqual(model.curve("node9").load, [null, null, 1]);
assert.deepEqual(model.curve(null).load, [null, 1, 4]);
for (let i = 0; i < 500; i++)
    model.note();
assert.equal(model.curve(null).load.length, 180);

// Sentences
assert.equal(size(1536 * 1024), "1.5 MiB");
assert.equal(sentenceOfMove(job("0123456789"), {from: "node1", to: "node2", total_ms: 430, downtime_ms: 19, bytes: 47 << 20}),
             "Job 01234567 moved from node1 to node2 in 430 ms, standing still for 19 ms, 47 MiB sent.");
assert.match(sentenceOfMove(job("a"), {from: "node1", to: "node2", there: true}), /already/);

// Places: all nodes fit, none on another, with their names; jobs lie inside of their node
for (let n = 0; n <= 250; n++) {
    const {r, places} = nodePlaces(n);

    assert.equal(places.length, n);
    places.forEach((a, i) => {
        assert.ok(a.x >= r && a.x <= 1000 - r && a.y >= r && a.y <= 1000 - r - Math.min(20, r * 0.3), `${n} nodes: ${i} is outside`);
        places.slice(0, i).forEach((b, k) => assert.ok(Math.hypot(a.x - b.x, a.y - b.y) >= 2 * r, `${n} nodes: ${i} lies on ${k}`));
    });
    assert.ok(n === 0 || r > 10, `${n} nodes of radius ${r}`);
}
for (let n = 0; n <= 500; n++) {
    const {half, places} = jobPlaces(n, 60);

    assert.equal(places.length, n);
    places.forEach(({x, y}, i) => {
        assert.ok(Math.hypot(x, y) + half <= 60, `${n} jobs: ${i} is outside`);
        places.slice(0, i).forEach(p => assert.ok(n > 150 || Math.hypot(x - p.x, y - p.y) >= 1.2 * half,
                                                  `${n} jobs: ${i} lies on another`));
    });
}
console.log("events, model, places");
