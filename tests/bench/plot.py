#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Draws what scripts/bench-scale has printed: plot.py RESULTS FILE.svg

A panel for each thing that grows, all with the same vertical axis, so that what is flat looks
flat.
"""

import collections
import math
import sys
from xml.sax.saxutils import escape

TITLES = {
    "waiting": "connections that wait for Finished",
    "silent": "connections that are silent",
    "identities": "identities in the keyring",
    "names": "names with settings of their own",
    "chain": "certificates in the chain",
    "cpus": "CPUs, with a client and a server each",
}
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 300, 200, 46, 30, 14, 34
COLUMNS = 3


def read(path):
    """Points by panel."""
    points = collections.defaultdict(list)
    with open(path, encoding="ascii") as file:
        for line in file:
            fields = line.split()
            if len(fields) == 5 and fields[0] in TITLES:
                points[fields[0]].append((int(fields[1]), float(fields[2])))
    return points


def step(most):
    """A round distance of lines, for four to eight of them."""
    power = 10 ** math.floor(math.log10(most / 4))
    return next(power * n for n in (1, 2, 5, 10) if most / (power * n) <= 8)


def panel(name, points, most):
    """A plot, with its origin at 0, 0."""
    inner, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(i, value):
        right = inner * (i + 0.5) / len(points)
        return LEFT + right, TOP + high * (1 - value / most)

    out = [f'<text x="{LEFT}" y="{TOP - 12}" class="title">{escape(TITLES[name])}</text>']
    at = 0
    while at <= most:
        height = place(0, at)[1]
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}" '
                   f'class="{"axis" if not at else "grid"}"/>')
        out.append(f'<text x="{LEFT - 6}" y="{height + 4:.1f}" class="end">{at:g}</text>')
        at += step(most)
    places = [place(i, value) for i, (_, value) in enumerate(points)]
    line = " ".join(f"{right:.1f},{down:.1f}" for right, down in places)
    out.append(f'<polyline points="{line}" class="line"/>')
    for (right, down), (number, value) in zip(places, points):
        out.append(f'<circle cx="{right:.1f}" cy="{down:.1f}" r="3"/>')
        out.append(f'<text x="{right:.1f}" y="{down - 8:.1f}" class="mid">{value:.0f}</text>')
        out.append(f'<text x="{right:.1f}" y="{HEIGHT - BOTTOM + 16}" class="mid">{number}</text>')
    return out


def main():
    """Writes the file."""
    points = read(sys.argv[1])
    names = [name for name in TITLES if name in points]
    most = 1.15 * max(value for name in names for _, value in points[name])
    rows = -(-len(names) // COLUMNS)
    width, height = COLUMNS * WIDTH, rows * HEIGHT + 24
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
           "<style>.title{font-weight:bold}.end{text-anchor:end}.mid{text-anchor:middle}"
           ".grid{stroke:#ddd}.axis{stroke:#444}.line{fill:none;stroke:#0055aa;stroke-width:1.5}"
           "circle{fill:#0055aa}</style>",
           f'<rect width="{width}" height="{height}" fill="#fff"/>',
           '<text x="8" y="16">Thousands of instructions for each handshake: P-256, X25519, '
           "TLS_AES_128_GCM_SHA256</text>"]
    for i, name in enumerate(names):
        column, row = i % COLUMNS, i // COLUMNS
        out.append(f'<g transform="translate({column * WIDTH},{row * HEIGHT + 20})">')
        out += panel(name, points[name], most)
        out.append("</g>")
    out.append("</svg>")
    with open(sys.argv[2], "w", encoding="ascii") as file:
        file.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
