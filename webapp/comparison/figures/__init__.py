"""The stage table as Plotly figures."""
