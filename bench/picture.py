"""Bar charts as SVG, written by hand: text that stays sharp, and no plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bench.records import number

_ROW, _LABEL, _PLOT, _MARGIN = 26, 250, 400, 70


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    value: float
    low: float | None = None
    high: float | None = None
    strong: bool = False


def bars(title: str, unit: str, rows: Sequence[Bar], limit: float | None = None) -> str:
    """Horizontal bars from zero, intervals as thin lines, the limit as a dashed one."""
    most = max([*(r.high or r.value for r in rows), limit or 0, 1e-9])
    width, height = _LABEL + _PLOT + _MARGIN, 40 + _ROW * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="8" y="20" font-weight="bold">{escape(title)} ({escape(unit)})</text>',
    ]
    for index, row in enumerate(rows):
        y = 34 + index * _ROW
        length = _PLOT * row.value / most
        color = "#1f6f5c" if row.strong else "#9bb3ad"
        parts.append(
            f'<text x="{_LABEL - 8}" y="{y + 14}" text-anchor="end">{escape(row.label)}</text>'
        )
        parts.append(
            f'<rect x="{_LABEL}" y="{y + 2}" width="{length:.1f}" height="16" fill="{color}"/>'
        )
        end = length
        if row.low is not None and row.high is not None:
            start, end = _PLOT * row.low / most, _PLOT * row.high / most
            parts.append(
                f'<path d="M{_LABEL + start:.1f} {y + 10}H{_LABEL + end:.1f}" stroke="#222222"/>'
            )
        at = _LABEL + max(length, end) + 6
        parts.append(f'<text x="{at:.1f}" y="{y + 14}">{number(row.value)}</text>')
    if limit is not None:
        x = _LABEL + _PLOT * limit / most
        parts.append(
            f'<path d="M{x:.1f} 28V{height - 6}" stroke="#b3261e" stroke-dasharray="4 3"/>'
        )
    parts.append("</svg>")
    return "\n".join(parts) + "\n"
