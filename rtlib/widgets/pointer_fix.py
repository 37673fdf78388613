"""Aim: a press on the graph finds its card though the graph has moved on the page."""

from __future__ import annotations

import anywidget

# Cytoscape remembers where its canvas stands and forgets it when something scrolls or a transition ends around it. An
# output that grows above the graph does neither, and each later press would miss by as much. So the end of a
# transition is told before every press; it bubbles up to the element that cytoscape listens at.
SCRIPT = """
export default {
  render({ el }) {
    const over = new AbortController();
    const tell = event => {
      const at = event.target;
      if (!(at instanceof Element && at.closest(".rt-graph"))) return;
      at.dispatchEvent(new Event("transitionend", {bubbles: true}));
    };
    for (const name of ["pointerdown", "pointermove", "touchstart"])
      window.addEventListener(name, tell, {capture: true, passive: true, signal: over.signal});
    el.style.display = "none";
    return () => over.abort();
  }
};
"""


class Aim(anywidget.AnyWidget):
    """Nothing to see; it belongs on every page that has the graph."""

    _esm = SCRIPT
