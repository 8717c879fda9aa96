"""Speed, memory and load of the bundled models and the page."""
