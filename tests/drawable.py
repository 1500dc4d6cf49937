"""Whether a figure that the pages send is one that Plotly draws: plotly's own model of figures says so."""

from typing import Any

import plotly.graph_objects


def check_drawable(figure: dict[str, Any]) -> None:
    """Fails with what Plotly does not know; colours may be tokens of the style sheet, which charts.js replaces."""
    plotly.graph_objects.Figure(_coloured(figure), skip_invalid=False)


def _coloured(value: Any) -> Any:
    """As charts.js has it: each token a colour."""
    if isinstance(value, str) and value.startswith("--"):
        return "rgba(1,2,3,0.5)" if "/" in value else "#010203"
    if isinstance(value, dict):
        return {key: _coloured(below) for key, below in value.items()}
    return [_coloured(below) for below in value] if isinstance(value, list) else value
