"""Charts of runs as figures for Plotly."""
