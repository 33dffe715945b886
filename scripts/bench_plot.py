# SPDX-License-Identifier: GPL-2.0-only
"""Plots for scripts/bench: a line chart and a bar chart, as SVG."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 50
COLOURS = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#d68910")


def text(x, y, string, anchor="middle", size=12, more=""):
    return ('<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d"%s>%s</text>'
            % (x, y, anchor, size, more, escape(string)))


def document(width, height, parts):
    return "\n".join(
        ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
         'viewBox="0 0 %d %d" font-family="sans-serif">'
         % (width, height, width, height),
         '<rect width="100%" height="100%" fill="white"/>']
        + parts + ["</svg>", ""])


def label(value):
    return "{:,}".format(int(value)) if value >= 1 else "%g" % value


def ticks(low, high, log):
    if log:
        return [10.0 ** n for n in range(math.floor(math.log10(low)),
                                         math.ceil(math.log10(high)) + 1)]
    step = 10.0 ** math.floor(math.log10(high or 1))
    if high / step < 4:
        step /= 2
    return [step * n for n in range(int(math.ceil(high / step)) + 1)]


class Axis:
    """From a value to a place."""

    def __init__(self, marks, log, start, end):
        self.marks, self.log, self.start, self.end = marks, log, start, end

    def at(self, value):
        low, high = self.marks[0], self.marks[-1]
        if self.log:
            low, high, value = map(math.log, (low, high, value))
        return self.start + (self.end - self.start) * (value - low) / (high - low)


def lines(title, x_name, y_name, series, y_log=True):
    """series: {label: [(x, y), ...]}; x is on a logarithmic scale."""
    points = [point for line in series.values() for point in line]
    xs = sorted({x for x, _ in points})
    ys = [y for _, y in points]
    x_axis = Axis([xs[0], xs[-1]], True, LEFT, WIDTH - RIGHT)
    y_axis = Axis(ticks(min(ys), max(ys), y_log), y_log, HEIGHT - BOTTOM, TOP)
    parts = [text(WIDTH / 2, 22, title, size=15),
             text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_name),
             text(16, HEIGHT / 2, y_name,
                  more=' transform="rotate(-90 16 %d)"' % (HEIGHT / 2))]
    for mark in y_axis.marks:
        y = y_axis.at(mark)
        parts.append('<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/>'
                     % (LEFT, y, WIDTH - RIGHT, y))
        parts.append(text(LEFT - 6, y + 4, label(mark), "end"))
    for x in xs:
        parts.append(text(x_axis.at(x), HEIGHT - BOTTOM + 18, label(x)))
    for index, (name, line) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        places = [(x_axis.at(x), y_axis.at(y)) for x, y in line]
        parts.append('<polyline fill="none" stroke="%s" stroke-width="2" '
                     'points="%s"/>'
                     % (colour, " ".join("%.1f,%.1f" % p for p in places)))
        parts += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (*p, colour)
                  for p in places]
        parts.append(text(LEFT + 12, TOP + 16 + 18 * index, name, "start",
                          more=' fill="%s"' % colour))
    return document(WIDTH, HEIGHT, parts)


def bars(title, values):
    """values: (label, got / limit); the limit is a line."""
    row, left = 24, 380
    width, height = 800, TOP + row * len(values) + 30
    most = max([1.2] + [value for _, value in values])
    scale = (width - left - 60) / most
    parts = [text(width / 2, 22, title, size=15)]
    for index, (name, value) in enumerate(values):
        y = TOP + row * index
        parts.append('<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>'
                     % (left, y + 4, max(0, value) * scale, row - 8,
                        COLOURS[2] if value <= 1 else COLOURS[1]))
        parts.append(text(left - 8, y + row / 2 + 4, name, "end"))
        parts.append(text(left + max(0, value) * scale + 4, y + row / 2 + 4,
                          "%.2f" % value, "start"))
    parts.append('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="black" '
                 'stroke-dasharray="4 3"/>'
                 % (left + scale, TOP, left + scale, height - 20))
    return document(width, height, parts)
