"""Pointer fix: clicks on the graph hit the right card after the graph has moved on the page."""

from __future__ import annotations

import anywidget

# Cytoscape caches the position of its canvas, and clears the cache when an element around it scrolls or ends a
# transition. A notebook output that grows above the graph does neither, so every later click would miss by that
# height. Hence this script dispatches "transitionend" before every click; the event bubbles up to cytoscape's listener.
SCRIPT = """
export default {
  render({ el }) {
    const removed = new AbortController();
    const clearCache = event => {
      const target = event.target;
      if (!(target instanceof Element && target.closest(".rt-graph"))) return;
      target.dispatchEvent(new Event("transitionend", {bubbles: true}));
    };
    for (const name of ["pointerdown", "pointermove", "touchstart"])
      window.addEventListener(name, clearCache, {capture: true, passive: true, signal: removed.signal});
    el.style.display = "none";
    return () => removed.abort();
  }
};
"""


class PointerFix(anywidget.AnyWidget):
    """An invisible widget; every page with the graph needs it."""

    _esm = SCRIPT
