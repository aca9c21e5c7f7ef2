"""Sphinx extension: ``{velocity-lab}``, a velocity field whose inclination and beam the reader sets.

The page computes it (``_static/velocity.js``, which the builder adds to each page). Without scripts and in print it is
absent; the figure beside it remains.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

_HTML = """<div class="velocity-lab" role="group" aria-label="Velocity field to try" hidden>
<div class="lab-panels">
<canvas role="img" aria-label="Velocity field of the disc as observed: red recedes, blue approaches"></canvas>
<canvas role="img" aria-label="Speed against radius: dashed the true curve, solid the one read off the map"></canvas>
</div>
<p><label>Inclination <input type="range" min="10" max="85" value="60" step="1"></label>
<label>Beam <input type="range" min="0" max="10" value="4" step="0.5"></label></p>
<p><output aria-live="polite"></output></p>
</div>"""


class VelocityLab(SphinxDirective):
    """``{velocity-lab}``: its content says what to try, and is shown with it."""

    has_content = True

    def run(self):
        return [*self.parse_content_to_nodes(), nodes.raw("", _HTML, format="html")]


def setup(app: Sphinx) -> dict:
    """Register the directive."""
    app.add_directive("velocity-lab", VelocityLab)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
