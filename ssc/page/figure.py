"""A drawing of each stage after the paper's figure 1, in the page's colours."""

from __future__ import annotations

from ssc.draw import PALETTE, ink_of

ONE, TWO = ("#{:02x}{:02x}{:02x}".format(*colour) for colour in PALETTE[:2])
INKS = dict(zip((ONE, TWO), map(ink_of, PALETTE)))


def _cat(x: int, y: int, fill: str, more: str = "", size: float = 1) -> str:
    """A cat that sits with the middle of its feet at (x, y), 50 wide and 72 high."""
    return (
        f'<g transform="translate({x} {y}) scale({size})" fill="{fill}" {more}>'
        '<path d="M-14 0C-26-8-24-34-9-38H9C24-34 26-8 14 0Z"/><circle cy="-47" r="15"/>'
        '<path d="M-14-50L-13-70L-2-60ZM14-50L13-70L2-60Z"/>'
        '<path d="M14-4C30-4 27-22 20-26" fill="none" stroke-width="5" stroke-linecap="round" '
        f'stroke="{fill}"/></g>'
    )


def _badge(x: int, y: int, number: int, fill: str) -> str:
    return (
        f'<circle cx="{x}" cy="{y}" r="12" fill="{fill}"/><text x="{x}" y="{y + 5}" '
        f'text-anchor="middle" fill="{INKS[fill]}" font-weight="700">{number}</text>'
    )


def _frame(x: int, y: int, width: int, height: int, more: str = "") -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="currentColor" '
        f'fill-opacity=".07" stroke="currentColor" stroke-opacity=".45" {more}/>'
    )


def _text(x: int, y: int, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="currentColor">{text}</text>'


def _svg(label: str, *parts: str) -> str:
    return (
        f'<svg viewBox="0 0 300 190" role="img" aria-label="{label}" font-size="14">'
        f"{''.join(parts)}</svg>"
    )


def _segment() -> str:
    parts = [_text(150, 18, "“the left <tspan font-weight='700'>cat</tspan>” → class cat")]
    parts.append(_frame(10, 32, 280, 150))
    parts.append(
        '<circle cx="252" cy="62" r="14" fill="currentColor" fill-opacity=".25"/>'
        '<path d="M10 150H290V176Q290 182 284 182H16Q10 182 10 176Z" fill="currentColor" '
        'fill-opacity=".12"/>'
    )
    for x, number, fill in ((85, 1, ONE), (195, 2, TWO)):
        parts.append(_cat(x, 168, fill))
        parts.append(
            f'<rect x="{x - 34}" y="92" width="68" height="82" fill="none" stroke="{fill}" '
            'stroke-width="2.5"/>'
        )
        parts.append(_badge(x - 34, 92, number, fill))
    return _svg("Two cats, each with a box, a mask and a number", *parts)


def _select() -> str:
    parts = [_text(150, 18, "which one is “the left cat”?")]
    faint = 'opacity=".16" stroke="currentColor"'
    for left, number, fill, width in ((10, 1, ONE, 96), (156, 2, TWO, 58)):
        parts.append(_frame(left, 32, 134, 100))
        for x, colour in ((40, ONE), (94, TWO)):
            shown = "" if colour == fill else faint
            cat = _cat(left + x, 122, fill if not shown else "currentColor", shown, 0.85)
            parts.append(cat)
        parts.append(_badge(left + 14, 46, number, fill))
        parts.append(
            f'<rect x="{left}" y="146" width="134" height="12" rx="6" fill="currentColor" '
            f'fill-opacity=".15"/><rect x="{left}" y="146" width="{width}" height="12" rx="6" '
            f'fill="{fill}"/>'
        )
    parts.append(_text(10, 180, "CLIP’s score: 1 is chosen", "start"))
    return _svg("Each cat sharp in a blurred picture, with a bar for its score", *parts)


def _correct() -> str:
    parts = [_text(10, 18, "LAVT, trained on the choices", "start")]
    for y, words, fill, number in (
        (64, "“the left cat”", ONE, 1),
        (138, "“cat on the right”", TWO, 2),
    ):
        parts.append(_text(10, y + 5, words, "start"))
        parts.append(_frame(220, y - 34, 70, 68))
        parts.append(_cat(255, y + 29, fill, size=0.8))
        parts.append(_badge(228, y - 26, number, fill))
        parts.append(f'<path d="M136 {y}H212" stroke="{fill}" stroke-width="4"/>')
        parts.append(f'<path d="M216 {y}l-11-7v14Z" fill="{fill}"/>')
    parts.append(
        '<path d="M136 130L206 74" stroke="currentColor" stroke-width="2" stroke-dasharray="5 5"/>'
        '<path d="M162 92l18 20M180 92l-18 20" stroke="currentColor" stroke-width="3"/>'
    )
    parts.append(_text(10, 186, "no two objects share a candidate", "start"))
    return _svg("Two expressions, each matched to a candidate of its own", *parts)


FIGURES = _segment(), _select(), _correct()
"""SVG of stages 1, 2 and 3."""
