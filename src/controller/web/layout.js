// SPDX-License-Identifier: GPL-2.0-or-later
// layout.js - where nodes and jobs stand in the picture; numbers only

export const EXTENT = 1000;
const BIGGEST = 92;     // radius of a node
const SMALL = 24;       // with smaller ones than this there is more than one ring
const APART = 2.75;     // radii from node to node
const TURN = Math.PI * (3 - Math.sqrt(5));

/* The outermost ring of nodes of radius r: they and their names are to fit. */
function outer(r) {
    return EXTENT / 2 - r - Math.max(12, Math.min(28, r * 0.42));
}

/* How many nodes of radius r fit on rings from the outermost inwards. */
function rings(r) {
    const fits = [];

    for (let radius = outer(r); radius > 1.6 * r; radius -= 3.1 * r)
        fits.push({radius, most: Math.max(1, Math.floor(2 * Math.PI * radius / (APART * r)))});
    return fits;
}

/* Places for n nodes: one in the middle, few in a circle, many in several: {r, places: [{x, y}]}. */
export function nodePlaces(n) {
    const middle = EXTENT / 2, places = [];
    let r = BIGGEST, left = n;

    if (n <= 1)
        return {r, places: n ? [{x: middle, y: middle}] : []};
    while (r >= SMALL && 2 * Math.PI * outer(r) < APART * r * n)
        r--;
    const single = r >= SMALL, room = () => rings(r).reduce((sum, ring) => sum + ring.most, 0);

    while (!single && r > 3 && room() < n)
        r -= 0.25;
    const used = single ? [{radius: outer(r), most: n}] : rings(r), all = used.reduce((sum, ring) => sum + ring.most, 0);

    used.forEach((ring, i) => {
        const count = i === used.length - 1 ? left : Math.min(left, Math.ceil(n * ring.most / all));

        for (let k = 0; k < count; k++) {
            const angle = -Math.PI / 2 + 2 * Math.PI * k / count;

            places.push({x: middle + ring.radius * Math.cos(angle), y: middle + ring.radius * Math.sin(angle)});
        }
        left -= count;
    });
    return {r, places};
}

/* Places for n jobs in a disc of radius r around 0: like the seeds of a sunflower; half the side of a square that fits. */
export function jobPlaces(n, r) {
    const inner = r * 0.8, spread = n > 1 ? inner / Math.sqrt(n) : 0;
    const half = Math.max(1.5, Math.min(11, r * 0.22, n > 1 ? spread * 0.72 : 11));

    return {half, places: Array.from({length: n}, (_, i) => {
        const distance = n === 1 ? 0 : Math.min(inner, Math.max(spread, half * 1.5) * Math.sqrt(i + 0.5)), angle = i * TURN;

        return {x: distance * Math.cos(angle), y: distance * Math.sin(angle)};
    })};
}

/* A path from one place to another, bent towards the middle. */
export function bow(from, to) {
    const middle = EXTENT / 2;
    const x = (from.x + to.x) / 4 + middle / 2, y = (from.y + to.y) / 4 + middle / 2;

    return `M${from.x.toFixed(1)} ${from.y.toFixed(1)}Q${x.toFixed(1)} ${y.toFixed(1)} ${to.x.toFixed(1)} ${to.y.toFixed(1)}`;
}
