"""What the page's server answers where its disk is full, as at an upload."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import PlainTextResponse

from ssc.entry import FULL

STATUS = 507  # insufficient storage
TOLD = "No space left on the server's disk; whoever runs this page must make room, then try again"


async def tell_full(request: Request, error: OSError) -> PlainTextResponse:
    """One line, which the page shows; the page itself stays up.

    Raises:
        OSError: one that has nothing to do with space.
    """
    if error.errno not in FULL:
        raise error
    return PlainTextResponse(TOLD, STATUS)
