#!/usr/bin/env python3
"""ansi_svg.py - draws the screen of a terminal as SVG: tmux capture-pane -e -p | ansi_svg.py TITLE.

Reads lines of text with colours (SGR sequences) from stdin and writes the picture to stdout. Each
run of characters in one style is a <text> of a fixed width, so every font keeps the columns.
"""

import re
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN, BAR = 8.4, 18, 14, 30  # of a character; around the text; of the title
FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
INK, PAPER = "#d8dee4", "#161b22"
COLOURS = ["#484f58", "#f47067", "#7ee787", "#e3b341", "#6cb6ff", "#dcbdfb", "#76e3ea", "#d8dee4"]
BRIGHT = ["#6e7681", "#ff938a", "#aff5b4", "#f2cc60", "#96d0ff", "#eedcff", "#b3f0ff", "#ffffff"]
CUBE = [0, 95, 135, 175, 215, 255]


def colour(number):
    """The colour of a number of the 256."""
    if number < 16:
        return (COLOURS + BRIGHT)[number]
    if number < 232:
        number -= 16
        return "#%02x%02x%02x" % tuple(CUBE[number // n % 6] for n in (36, 6, 1))
    return "#" + f"{(number - 232) * 10 + 8:02x}" * 3


class Style:
    def __init__(self):
        self.ink = self.paper = None
        self.marks = set()  # "bold", "dim", "underline", "reverse"

    def take(self, codes):
        """The numbers of one SGR sequence."""
        on = {1: "bold", 2: "dim", 4: "underline", 7: "reverse"}
        off = {22: {"bold", "dim"}, 24: {"underline"}, 27: {"reverse"}}
        codes = list(codes)
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.__init__()
            elif code in on:
                self.marks.add(on[code])
            elif code in off:
                self.marks -= off[code]
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self.ink = colour(code % 10 + (8 if code >= 90 else 0))
            elif 40 <= code <= 47 or 100 <= code <= 107:
                self.paper = colour(code % 10 + (8 if code >= 100 else 0))
            elif code in (38, 48) and len(codes) > 1 and codes[0] == 5:
                setattr(self, "ink" if code == 38 else "paper", colour(codes[1]))
                del codes[:2]
            elif code == 39:
                self.ink = None
            elif code == 49:
                self.paper = None

    def colours(self):
        ink, paper = self.ink or INK, self.paper
        return (paper or PAPER, ink) if "reverse" in self.marks else (ink, paper)


def runs(line, style):
    """(style, text) of each run of a line; the style goes on in the next line."""
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        if piece.startswith("\x1b["):
            style.take(int(n or 0) for n in piece[2:-1].split(";"))
        elif piece:
            yield piece


def draw_run(text, style, column, row):
    ink, paper = style.colours()
    x, y, width = MARGIN + column * WIDTH, BAR + row * HEIGHT, len(text) * WIDTH
    out = []
    if paper:
        out.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{HEIGHT}" fill="{paper}"/>')
    if text.strip():
        looks = f' style="fill:{ink}"' if ink != INK else ""
        looks += ' font-weight="bold"' if "bold" in style.marks else ""
        looks += ' opacity=".6"' if "dim" in style.marks else ""
        looks += ' text-decoration="underline"' if "underline" in style.marks else ""
        out.append(
            f'<text x="{x:.1f}" y="{y + 13}" textLength="{width:.1f}"{looks}>{escape(text)}</text>'
        )
    return "".join(out)


def draw(lines, title):
    style, body = Style(), []
    columns = 0
    for row, line in enumerate(lines):
        column = 0
        for text in runs(line, style):
            body.append(draw_run(text, style, column, row))
            column += len(text)
        columns = max(columns, column)
    width, height = columns * WIDTH + 2 * MARGIN, BAR + len(lines) * HEIGHT + MARGIN
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" \
viewBox="0 0 {width:.0f} {height}">
<style>text{{font:14px {FONT};fill:{INK};white-space:pre}}</style>
<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>
<text x="50%" y="19" text-anchor="middle" opacity=".6">{escape(title)}</text>
{chr(10).join(filter(None, body))}
</svg>
"""


def main():
    lines = sys.stdin.read().rstrip("\n").split("\n")
    sys.stdout.write(draw([line.rstrip() for line in lines], sys.argv[1]))


if __name__ == "__main__":
    main()
