# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill as one HTML page that needs nothing else: what each fault cost, and a picture of the worst round of each."""

from __future__ import annotations

import math
from html import escape
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drill_analysis import Row, costs, outage_of, requests_of, windows

WIDTH, LEFT, RIGHT = 1120, 96, 16
TOP, PLOT, TRACK, GAP = 40, 150, 16, 8
BEFORE, AFTER, LONGEST = 1.5, 2.0, 45.0
FLOOR, CEILING = 0.002, 2.0
TIMEOUT_TICKS = (0.01, 0.1, 0.5, 1.0, 2.0)
# Validated for colour-blind readers on both surfaces; hosts are also named in their bands.
ROUTERS = 6

STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --raised: #f5f6f8; --ink: #16181d; --soft: #5b6270; --line: #d9dde3; --grid: #e8ebef;
  --good: #1a7f4b; --bad: #c4231f; --slow: #b26a00; --point: #2a62c9; --out: #c4231f22;
  --h0: #2a62c9; --h1: #8a5cd1; --h2: #0f8a8a; --h3: #b0588f; --h4: #6b7a1f; --h5: #7a6a58; --none: #9aa1ac; }
@media (prefers-color-scheme: dark) { :root { --page: #14161a; --raised: #1c1f25; --ink: #e8eaee; --soft: #a0a7b4; --line: #343944; --grid: #262a32;
  --good: #4cc38a; --bad: #ff6b64; --slow: #f0a63a; --point: #7aa7ff; --out: #ff6b6426;
  --h0: #5b8def; --h1: #a98be6; --h2: #35b3b3; --h3: #d582b6; --h4: #a3b44a; --h5: #b29c84; --none: #6d7480; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1200px; padding: 40px 24px 80px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 28px; line-height: 1.25; margin: 0 0 6px; } h2 { font-size: 18px; margin: 56px 0 4px; } p { margin: 4px 0; }
.soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: 28px 0 8px; font-variant-numeric: tabular-nums; font-size: 13.5px; }
th { text-align: right; font-weight: 600; color: var(--soft); padding: 6px 7px; border-bottom: 1px solid var(--line); vertical-align: bottom; }
th { white-space: nowrap; }
td { text-align: right; padding: 7px 7px; border-bottom: 1px solid var(--grid); white-space: nowrap; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; } td a { color: inherit; }
td.bar { width: 120px; } td.bar svg { display: block; }
svg { max-width: 100%; height: auto; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
svg .strong { fill: var(--ink); font-weight: 600; } svg .grid { stroke: var(--grid); } svg .axis { stroke: var(--line); }
svg .ok { stroke: var(--point); } svg .slowly { stroke: var(--slow); } svg .failed { stroke: var(--bad); }
svg .event { stroke: var(--ink); stroke-dasharray: 3 3; }
svg .out { fill: var(--out); } svg .write { stroke: var(--good); } svg .stalled { fill: var(--bad); } svg .open { fill: var(--good); }
svg .on { fill: #ffffff; font-weight: 600; }
.key { display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 13px; color: var(--soft); margin: 20px 0 0; }
.key b { font-weight: 600; color: var(--ink); } .dot { display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 6px; }
ul { margin: 4px 0; padding-left: 20px; } figure { margin: 8px 0 0; }
dl { font-size: 13px; color: var(--soft); } dt { font-weight: 600; color: var(--ink); } dd { margin: 0 0 6px; }
"""


class Axis(NamedTuple):
    """Time on the page: seconds since something broke."""

    zero: float
    first: float
    last: float

    def x(self, when: float) -> float:
        """Where a moment is."""
        inside = min(max(when - self.zero, self.first), self.last)
        return LEFT + (inside - self.first) / (self.last - self.first) * (WIDTH - LEFT - RIGHT)


def _y(seconds: float) -> float:
    """Where a duration is, on a logarithmic scale."""
    share = math.log(min(max(seconds, FLOOR), CEILING) / FLOOR) / math.log(CEILING / FLOOR)
    return TOP + PLOT * (1 - share)


def _points(name: str, points: Iterable[tuple[float, float]], size: float = 5) -> str:
    drawn = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points)
    return f'<path class="{name}" d="{drawn}" stroke-width="{size}" stroke-linecap="round" fill="none"/>' if drawn else ""


def _crosses(points: Iterable[tuple[float, float]]) -> str:
    drawn = "".join(f"M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6" for x, y in points)
    return f'<path class="failed" d="{drawn}" stroke-width="1.8" fill="none"/>' if drawn else ""


def _spans(records: Sequence[Sequence[Any]], end: float) -> list[tuple[float, float, str | None]]:
    """Who had the address from when to when."""
    changes = [(float(one[1]), one[2]) for one in records if one[0] == "h"]
    return [(when, later, who) for (when, who), (later, _next) in zip(changes, [*changes[1:], (end, None)])]


def _stalled(records: Sequence[Sequence[Any]], end: float) -> list[tuple[float, float]]:
    """When the watch was not open."""
    spans, broken = [], None
    for one in records:
        if one[0] == "c" and broken is None:
            broken = float(one[1])
        elif one[0] == "o" and broken is not None:
            spans.append((broken, float(one[1])))
            broken = None
    return spans + ([(broken, end)] if broken is not None else [])


def timeline(kept: Mapping[str, Any], host: str, colours: Mapping[str, int]) -> str:
    """A round as a picture, as one client saw it."""
    records = kept["records"][host]
    requests = requests_of(records)
    if not requests:
        return ""
    events = [(str(what), float(when)) for what, when in kept["events"]]
    zero = next((when for what, when in events if what == "begin"), requests[0].start)
    mended = next((when for what, when in events if what == "mended"), zero)
    failures = [one.end for one in requests if one.failed is not None or one.slow]
    moves = [float(one[1]) for one in records if one[0] == "h"]
    last = min(max([mended, *failures, *moves]) - zero + AFTER, LONGEST, requests[-1].start - zero)
    axis = Axis(zero, max(-BEFORE, requests[0].start - zero), max(last, 1.0))
    shown = [one for one in requests if axis.first <= one.start - zero <= axis.last]
    end = zero + axis.last
    rows = [TOP + PLOT + 26 + index * (TRACK + GAP) for index in range(3)]
    height = rows[-1] + TRACK + 30
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(kept["fault"])}: requests over time">']
    for window in windows(events):
        span = outage_of(requests, window)
        if span:
            left, right = axis.x(span[0]), axis.x(span[1])
            parts.append(f'<rect class="out" x="{left:.1f}" y="{TOP}" width="{max(right - left, 1):.1f}" height="{rows[-1] + TRACK - TOP}"/>')
            parts.append(f'<text class="strong" x="{(left + right) / 2:.1f}" y="{TOP - 6}" text-anchor="middle">{span[1] - span[0]:.2f} s</text>')
    for tick in TIMEOUT_TICKS:
        y = _y(tick)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/><text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g} s</text>')
    step = next(step for step in (0.5, 1, 2, 5, 10) if (axis.last - axis.first) / step <= 16)
    for number in range(math.ceil(axis.first / step), math.floor(axis.last / step) + 1):
        x = axis.x(zero + number * step)
        parts.append(f'<path class="axis" d="M{x:.1f} {rows[-1] + TRACK + 4}v5"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 6}" text-anchor="middle">{number * step:g} s</text>')
    for what, when in events:
        if what in ("begin", "end"):
            x = axis.x(when)
            parts.append(f'<path class="event" d="M{x:.1f} {TOP - 20}V{rows[-1] + TRACK}"/>')
            parts.append(f'<text class="strong" x="{x + 4:.1f}" y="{TOP - 24}">{"broken" if what == "begin" else "mended"}</text>')
    place = [(axis.x(one.start), _y(one.end - one.start), one) for one in shown]
    parts.append(_points("ok", [(x, y) for x, y, one in place if one.failed is None and not one.slow]))
    parts.append(_points("slowly", [(x, y) for x, y, one in place if one.slow], 7))
    parts.append(_crosses([(x, y) for x, y, one in place if one.failed is not None]))
    for y, name in zip(rows, ("address", "writes", "watch")):
        parts.append(f'<text x="{LEFT - 8}" y="{y + TRACK - 4}" text-anchor="end">{name}</text>')
    for begin, until, who in _spans(records, end):
        left, right = axis.x(begin), axis.x(until)
        if right - left < 0.5:
            continue
        colour = f"var(--h{colours[who] % ROUTERS})" if who is not None and who in colours else "var(--none)"
        parts.append(f'<rect x="{left:.1f}" y="{rows[0]}" width="{right - left:.1f}" height="{TRACK}" style="fill:{colour}"/>')
        if right - left > 40:
            parts.append(f'<text class="on" x="{(left + right) / 2:.1f}" y="{rows[0] + TRACK - 4}" text-anchor="middle">{escape(who or "nobody")}</text>')
    writes = [one for one in records if one[0] == "w" and axis.first <= one[2] - zero <= axis.last]
    parts.append(_points("write", [(axis.x(one[2]), rows[1] + TRACK / 2) for one in writes if one[3] is None], 6))
    parts.append(_crosses([(axis.x(one[2]), rows[1] + TRACK / 2) for one in writes if one[3] is not None]))
    parts.append(f'<rect class="open" x="{LEFT}" y="{rows[2] + 5}" width="{WIDTH - LEFT - RIGHT}" height="{TRACK - 10}"/>')
    for begin, until in _stalled(records, end):
        left, right = axis.x(begin), axis.x(until)
        parts.append(f'<rect class="stalled" x="{left:.1f}" y="{rows[2]}" width="{max(right - left, 1.5):.1f}" height="{TRACK}"/>')
    parts.append("</svg>")
    return "".join(parts)


def _bar(one: Row, scale: float) -> str:
    """Computed as a line, measured as a bar, the limit as a mark."""
    width, height = 110, 22
    worst = one["writes_stalled"] if one["limit_of"] == "writes" else one["worst"]

    def x(seconds: float) -> float:
        return min(seconds / scale, 1) * width

    computed = "" if one["computed"] is None else f'<path d="M{x(one["computed"]):.1f} 3v16" stroke="var(--ink)" stroke-width="2"/>'
    colour = "good" if one["held"] else "bad"
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}"><rect x="0" y="7" width="{max(x(worst), 1.5):.1f}" height="8" rx="2" '
        f'fill="var(--{colour})"/><path d="M{x(one["limit"]):.1f} 1v20" stroke="var(--soft)" stroke-dasharray="2 2"/>{computed}</svg>'
    )


def _line(one: Row, scale: float) -> str:
    computed = "–" if one["computed"] is None else f"{one['computed']:.2f}"
    mark = '<span class="good">✓</span>' if one["held"] else '<span class="bad">✗</span>'
    cells = [
        mark,
        f'<a href="#{one["fault"]}">{escape(one["title"])}</a>',
        str(one["rounds"]),
        computed,
        f"{one['median']:.2f}",
        f"<b>{one['worst']:.2f}</b>",
        *costs(one),
    ]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + f'<td class="bar">{_bar(one, scale)}</td></tr>'


HEADS = ("", "Fault", "rounds", "computed", "median", "worst", "failed", "slow", "slowest", "watch stalled", "writes stalled", "lost", "worst")
TERMS = (
    (
        "Outage (computed, median, worst)",
        "from the start of the last request that succeeded before the first failure to the start of the first after which none fails",
    ),
    ("Failed", "no answer within 2 s, or an error; the most in one round"),
    ("Slow", "answered after more than 0.5 s: a lost SYN is repeated after one second"),
    ("Watch stalled", "how long an acknowledged write was there before an open watch told of it"),
    ("Writes stalled", "the longest time between two acknowledged writes; half a second when nothing is wrong, since there are two a second"),
    ("Lost", "acknowledged, and not there at the end"),
)


def page(cluster: str, rows: Sequence[Row], rounds: Sequence[Mapping[str, Any]], computed_from: Mapping[str, str], doubt: str) -> str:
    """The whole page; `doubt`: what speaks against its figures."""
    held = [one for one in rows if one["held"]]
    title = f"{len(held)} of {len(rows)} faults held their budget"
    requests = sum(figures["requests"] for one in rounds for figures in one["figures"].values())
    scale = max([1.0, *(max(one["limit"], one["computed"] or 0) for one in rows)]) * 1.15
    hosts = sorted({one[2] for kept in rounds for lines in kept["records"].values() for one in lines if one[0] == "h" and one[2]})
    colours = {host: number for number, host in enumerate(hosts)}
    lost = sum(one["lost_writes"] for one in rows)
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>',
        f'<style>{STYLE}</style><h1 class="{"good" if len(held) == len(rows) else "bad"}">{title}</h1>',
        f'<p class="soft">{escape(cluster)} · {len(rounds)} rounds · {requests:,} requests · {lost} acknowledged writes lost</p>',
        f'<p class="bad">{escape(doubt)}.</p>' if doubt else "",
        f'<div class="scroll"><table><thead><tr>{"".join(f"<th>{head}</th>" for head in HEADS)}</tr></thead><tbody>',
        *(_line(one, scale) for one in rows),
        "</tbody></table></div><p class='soft'>Seconds. Bar: worst measured; solid mark: computed; dashed mark: the limit.</p>",
        "<dl>" + "".join(f"<dt>{name}</dt><dd>{meaning}</dd>" for name, meaning in TERMS) + "</dl>",
        '<div class="key"><b>In the pictures</b><span><i class="dot" style="background:var(--point)"></i>answered</span><span><i class="dot" '
        'style="background:var(--slow)"></i>answered late</span><span><i class="dot" style="background:var(--bad)"></i>failed</span>'
        "<span>shaded: the outage</span><span>address: to which machine this client's packets went</span></div>",
    ]
    for one in rows:
        of_it = [kept for kept in rounds if kept["fault"] == one["fault"] and kept["figures"]]
        parts.append(f'<section id="{one["fault"]}"><h2>{escape(one["title"])}</h2>')
        if one["fault"] in computed_from:
            sum_of = escape(computed_from[one["fault"]])
            shown = "as long as it lasts" if one["computed"] is None else f"{one['computed'] * 1000:.0f} ms"
            parts.append(f'<p class="soft">Computed: {shown} = {sum_of}</p>')
        if of_it:
            outages = ", ".join(f"{max(figures['outage'] for figures in kept['figures'].values()):.2f}" for kept in of_it)
            parts.append(f'<p class="soft">Measured: {outages} s. The worst round:</p>')
        if one["problems"]:
            parts.append('<ul class="bad">' + "".join(f"<li>{escape(problem)}</li>" for problem in one["problems"]) + "</ul>")
        if of_it:
            key = "writes_stalled" if one["limit_of"] == "writes" else "outage"
            kept, host = max(((kept, host) for kept in of_it for host in kept["figures"]), key=lambda pair: float(pair[0]["figures"][pair[1]][key]))
            reasons = kept["figures"][host]["reasons"]
            parts.append(f"<figure>{timeline(kept, host, colours)}</figure>")
            parts.append(f'<p class="soft">On {escape(kept["target"])}, seen from {escape(host)}, round {kept["repeat"]}.')
            if reasons:
                parts.append(" Failures: " + escape("; ".join(f"{count} × {reason}" for reason, count in reasons.items())) + ".")
            parts.append("</p>")
        parts.append("</section>")
    return "".join(parts) + "</html>\n"
