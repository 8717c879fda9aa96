"""The call that the page just made, as code to copy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from shlex import quote
from typing import Any


def as_python(url: str, picture: str, settings: Mapping[str, Any]) -> str:
    """The call by Gradio's client, and the answer's mask as an array.

    Args:
        url: of the page.
        picture: name of the file.
        settings: the endpoint's other arguments by name, in order.
    """
    lines = "".join(f"    {name}={value!r},\n" for name, value in settings.items())
    return (
        "# pip install gradio_client pycocotools\n"
        "from gradio_client import Client, handle_file\n"
        "from pycocotools import mask as coco\n\n"
        f"client = Client({url!r})\n"
        "record = client.predict(\n"
        f"    picture=handle_file({picture!r}),\n{lines}"
        '    api_name="/segment",\n)\n'
        'for result in record["results"]:\n'
        '    print(result["message"])\n'
        '    mask = coco.decode(result["mask"])  # uint8 H×W, 0 or 1\n'
    )


def as_curl(url: str, picture: str, settings: Mapping[str, Any]) -> str:
    """The call in a shell: the picture is sent, the call made, the answer read."""
    url = url.rstrip("/")
    escaped = picture.replace("\\", "\\\\").replace('"', '\\"')
    before = '{"data": [{"path": "'
    after = '", "meta": {"_type": "gradio.FileData"}}, '
    after += json.dumps(list(settings.values()))[1:] + "}"
    return (
        f"URL={quote(url + '/gradio_api')}\n"
        f"""FILE=$(curl -s -F {quote(f'files=@"{escaped}"')} "$URL/upload" | cut -d'"' -f2)\n"""
        f"ID=$(curl -s \"$URL/call/segment\" -H 'Content-Type: application/json' \\\n"
        f"""  -d {quote(before)}"$FILE"{quote(after)} | cut -d'"' -f4)\n"""
        'curl -sN "$URL/call/segment/$ID"\n'
    )
