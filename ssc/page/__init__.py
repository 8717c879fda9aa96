"""What `demo_app.py` is made of: looks, HTML, and code to copy."""

from ssc.processors import share_processors

share_processors()  # before any module here loads torch
