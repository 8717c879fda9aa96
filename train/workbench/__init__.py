"""The workbench: a page on which people look at S1 and S2, and put them right."""
