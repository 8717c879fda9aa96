"""The page's looks."""

from __future__ import annotations

import gradio as gr

THEME = gr.themes.Default(
    primary_hue="blue",
    neutral_hue="slate",
    # The system's own fonts: nothing is fetched, and the page works offline.
    font=[gr.themes.Font("system-ui"), gr.themes.Font("sans-serif")],
    font_mono=[gr.themes.Font("ui-monospace"), gr.themes.Font("monospace")],
).set(  # Gradio's own greys and blue are too pale to read (below 4.5 : 1), or to see (3 : 1)
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_300",
    input_placeholder_color="*neutral_500",
    input_placeholder_color_dark="*neutral_400",
    checkbox_border_color="*neutral_500",
    checkbox_border_color_dark="*neutral_400",
    link_text_color="*primary_700",
    link_text_color_dark="*primary_300",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    button_primary_background_fill_dark="*primary_600",
    button_primary_background_fill_hover_dark="*primary_700",
)

CSS = """
.gradio-container { max-width: 1440px !important; margin: 0 auto; }
.intro, .stage, .words, .bars, .html-container { padding: 0 !important; }
.intro h1 { margin: 0 0 .25rem; font-size: 1.6rem; font-weight: 650; }
.stage h2 { margin: .5rem 0 0; font-size: 1.1rem; font-weight: 650; }
.intro p, .stage p, .bars p { margin: 0; color: var(--body-text-color-subdued); }
.stage p { min-height: 2.6em; }
.note { display: flex; gap: .75rem; align-items: flex-start; padding: .75rem 1rem;
    border: 1px solid var(--border-color-primary); border-left: 4px solid var(--color-accent);
    border-radius: .5rem; background: var(--background-fill-secondary); }
.note p { margin: 0; overflow-wrap: anywhere; }
.note button { flex: none; width: 2rem; height: 2rem; margin: -.25rem -.5rem 0 auto;
    border-radius: .4rem; background: none; font-size: 1.25rem; line-height: 1;
    color: var(--body-text-color); }
.note button:hover { background: var(--border-color-primary); }
label.missing span { color: var(--body-text-color-subdued); font-style: italic; }
label.missing { opacity: .75; }
.words { overflow-wrap: anywhere; }
.words .object { margin: 0 0 .75rem; }
.words .objects .object { padding-left: .75rem; border-left: 3px solid transparent; }
.words .objects .object.active { border-color: var(--color-accent); }
.words p { margin: 0; }
.words .said { font-weight: 600; }
.words .steps { color: var(--body-text-color-subdued); }
/* Bars: a table, so that screen readers read it as one. */
.bars table { width: 100%; margin: 0; border: 0 !important; border-collapse: collapse;
    font-variant-numeric: tabular-nums; }
.bars table + table { margin-top: .75rem; }
.bars caption { text-align: left; padding: 0 0 .35rem; color: var(--body-text-color-subdued); }
.bars tr { border: 0 !important; }
.bars th, .bars td { padding: .2rem .75rem .2rem 0 !important; font-weight: normal;
    text-align: left; white-space: nowrap; border: 0 !important; }
.bars td.bar { width: 100%; }
.bars td.number { text-align: right; padding-right: 0 !important; }
.bars td.number + td { padding-left: .75rem !important; }
.bars .track { position: relative; display: block; height: .8rem; border-radius: .4rem;
    background: var(--border-color-primary); overflow: hidden; }
.bars .fill { position: absolute; inset: 0 auto 0 0; border-radius: .4rem; min-width: 2px; }
.bars .limit { position: absolute; top: 0; bottom: 0; width: 2px;
    background: var(--body-text-color); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.scale { display: flex; align-items: center; gap: .5rem; font-size: .85rem;
    color: var(--body-text-color-subdued); }
.scale i { flex: 1; height: .6rem; border-radius: .3rem; background: linear-gradient(to right,
    #6b6b6b, #6a2b63, #a53f59, #e0663a, #f3a32a, #f6f58e); }
.how ol { display: grid; gap: 1.5rem; margin: 0 0 1rem !important; padding: 0 !important;
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); list-style: none; }
.how li { margin: 0; }
.how h2 { margin: 0 0 .5rem; font-size: 1rem; font-weight: 650; }
.how svg { display: block; width: 100%; max-width: 24rem; margin: 0 0 .5rem;
    color: var(--body-text-color); }
.how p { max-width: 75ch; margin: 0; }
.how a { margin: 0; padding: 0; color: var(--link-text-color); }
button[role=tab].selected { color: var(--link-text-color) !important; }
.cm-line, .cm-line span { color: var(--body-text-color) !important; }
.badge { display: inline-flex; align-items: center; justify-content: center; min-width: 1.5rem;
    height: 1.5rem; border-radius: .75rem; font-size: .85rem; font-weight: 650; }
.bars .mark { font-weight: 650; }
.chips { display: flex; flex-wrap: wrap; gap: .35rem; margin: .25rem 0 !important; }
.chip { padding: 0 .5rem; border-radius: .75rem; font-size: .85rem;
    border: 1px solid var(--border-color-primary); }
.chip b { font-weight: 400; color: var(--body-text-color-subdued); }
@media (max-width: 640px) { .bars th { white-space: normal; } .bars td.bar { min-width: 5rem; } }
/* Options beside each other, as many as there is room for. */
.settings .form { display: grid; grid-template-columns:
    repeat(auto-fill, minmax(min(100%, 17rem), 1fr));
    background: var(--block-background-fill) !important; }
input[type=radio]:checked:hover { background-color: var(--checkbox-background-color-selected)
    !important; }
/* Galleries whose pictures keep their proportions, in as many columns as there is room for. */
.pictures .grid-wrap { min-height: 0 !important; max-height: none !important;
    padding-top: 2.25rem !important; overflow: visible; }
.pictures .grid-container { grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr))
    !important; }
.pictures.small .grid-container { grid-template-columns:
    repeat(auto-fill, minmax(min(47%, 9.5rem), 1fr)) !important; }
.pictures.pair .grid-container { grid-template-columns: repeat(2, 1fr) !important; }
#examples .gallery:has(> .gallery-item) { display: grid;
    grid-template-columns: repeat(auto-fill, minmax(max(4.5rem, 14%), 1fr)); }
#examples .gallery-item *, #examples .gallery-item img { width: 100%; height: auto;
    max-width: none; max-height: none; }
@media (max-width: 640px) {
    #examples .gallery:has(> .gallery-item) { grid-template-columns: repeat(3, 1fr); }
}
.pictures:has(.preview) .gallery-container { min-height: 26rem; }
.pictures .thumbnail-lg { aspect-ratio: auto !important; height: auto !important; }
"""

NAMES = """() => {  // Gradio gives the buttons around pictures no names
  const labels = {"#candidates button": "Candidates: click one to choose it yourself",
    "#heat button": "Probability map"};
  const examples = %s;
  const name = () => {
    document.querySelectorAll("#examples .gallery-item").forEach(
      (button, i) => button.setAttribute("aria-label", examples[i]));
    for (const [selector, label] of Object.entries(labels))
      for (const picture of document.querySelectorAll(`${selector} > .image-frame`))
        picture.parentElement.setAttribute("aria-label", label);
    document.querySelectorAll("#models label, #models-of-b label").forEach(
      (label) => label.classList.toggle("missing", label.textContent.includes("(needs ")));
  };
  name();
  new MutationObserver(name).observe(document.body, {childList: true, subtree: true});
}"""
