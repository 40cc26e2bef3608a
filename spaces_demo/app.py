"""The Space: music from a point of the valence-arousal plane, and the emotion of music as such a point.

    python spaces_demo/app.py

MUSEMO_GENERATOR and MUSEMO_RECOGNISER replace the packaged checkpoints by a folder or a Hub repository. MUSEMO_VOCODER
names a vocoder that plays the songs instead of Griffin-Lim.
"""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio: the page sends no request elsewhere
import gpu  # noqa: F401, I001  (before torch, see there)
from storage import KEPT_SECONDS, STORAGE  # before gradio, which asks for its folder of files

import gradio as gr
from starlette.middleware import Middleware

from abilities import read_abilities
from edge import PRIVATE, Page
from intake import MAX_UPLOAD_BYTES, Intake
from markup import ASSETS, asset
from studio import STUDIO
from tabs.listen import listen_tab
from tabs.make import MakeTab
from tabs.quality import load_report, quality_html

QUEUE = 64  # further visitors see that the page is busy
HEADER = """<header><h1>Musemo</h1>
<p>Pick an emotion, hear it as music. Drop a song, see its emotion.</p></header>"""


def build() -> gr.Blocks:
    """Build the page for the generator that it is configured with."""
    abilities = read_abilities()
    with Page(title="Musemo: music from emotion", analytics_enabled=False, delete_cache=(600, KEPT_SECONDS)) as page:
        gr.HTML(HEADER, elem_id="head", apply_default_css=False)
        with gr.Tab("Make", id="make"):
            MakeTab(abilities).build(page)
        with gr.Tab("Listen", id="listen"):
            listen_tab(abilities)
        with gr.Tab("Quality", id="quality"):
            quality = gr.HTML("", elem_id="quality", apply_default_css=False)
        page.load(lambda: quality_html(load_report()), None, quality, **PRIVATE)
        gr.on([], load_report, None, gr.JSON(visible=False), api_name="report")
    return page.queue(max_size=QUEUE)


def theme() -> gr.themes.Base:
    """Return the colours and fonts of the page; texts have a contrast of at least 4.5 to 1."""
    system = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]  # no font is fetched
    soft = gr.themes.Soft(
        primary_hue="indigo", font=system, font_mono=["ui-monospace", "Menlo", "Consolas", "monospace"]
    )
    return soft.set(
        background_fill_primary="*neutral_50",  # as in Soft; gradio 6.31 resets it
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_title_text_color="*primary_700",
        block_label_text_color="*primary_700",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        checkbox_border_color="*neutral_500",
        button_secondary_background_fill_hover_dark="*primary_600",
    )


def launch(page: gr.Blocks) -> None:
    """Serve the page at once, and load the models in the background."""
    STORAGE.clear()
    page.launch(
        theme=theme(),
        css_paths=ASSETS / "style.css",
        head=f"<script>{asset('stream.js')}</script>",
        max_file_size=MAX_UPLOAD_BYTES,
        app_kwargs={"middleware": [Middleware(Intake, storage=STORAGE)]},
        ssr_mode=False,
        footer_links=["api"],
        prevent_thread_lock=True,
    )
    STUDIO.start()
    page.block_thread()


if __name__ == "__main__":
    launch(build())
