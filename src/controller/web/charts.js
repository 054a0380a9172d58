// SPDX-License-Identifier: GPL-2.0-or-later
// charts.js - the two curves at the side: load and memory used over the last half hour
import {size} from "./model.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 360, HEIGHT = 90, STEPS = 180;

function path(name, d) {
    const element = document.createElementNS(SVG, "path");

    element.setAttribute("class", name);
    element.setAttribute("d", d);
    return element;
}

/* The values as a line and the surface below it; a gap where nothing is known. */
function curve(values, top) {
    const x = i => (WIDTH * (STEPS - values.length + i) / (STEPS - 1)).toFixed(1);
    const y = value => (HEIGHT - 2 - (HEIGHT - 6) * Math.min(1, value / top)).toFixed(1);
    let line = "", under = "", begin = null;

    values.forEach((value, i) => {
        const known = value !== null, ends = known && (values[i + 1] === null || values[i + 1] === undefined);

        if (!known)
            return;
        if (begin === null) {
            begin = i;
            under += `M${x(i)} ${HEIGHT}`;
        }
        line += `${begin === i ? "M" : "L"}${x(i)} ${y(value)}`;
        under += `L${x(i)} ${y(value)}`;
        if (ends) {
            line += begin === i ? "h.1" : "";
            under += `L${x(i)} ${HEIGHT}Z`;
            begin = null;
        }
    });
    return {line, under};
}

/* most: what there is, drawn as a line of its own. */
function chart(svg, values, most) {
    const top = Math.max(most * 1.1, ...values.filter(v => v !== null), 1e-9), {line, under} = curve(values, top);
    const y = HEIGHT - 2 - (HEIGHT - 6) * most / top;

    svg.replaceChildren(path("under", under), path("most", `M0 ${y.toFixed(1)}H${WIDTH}`), path("curve", line));
}

/* Draws the curves of a node, or (null) of the cluster. */
export function drawCharts(model, name) {
    const {load, used} = model.curve(name), sums = model.sums(name);
    const say = (id, text) => { document.getElementById(id).textContent = text; };

    document.getElementById("memory-chart").classList.add("used");
    chart(document.getElementById("load-chart"), load, sums.cpus);
    chart(document.getElementById("memory-chart"), used, sums.memory);
    say("load-now", sums.cpus ? `${sums.wanted.toFixed(1)} of ${sums.cpus} CPUs wanted` : "");
    say("memory-now", sums.memory ? `${size(sums.used)} of ${size(sums.memory)}` : "");
}
