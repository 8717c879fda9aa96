"""What `demo_app.py` is made of: looks, HTML, and code to copy."""
