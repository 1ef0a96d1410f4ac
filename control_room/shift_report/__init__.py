"""The shift report: what a control room's journal tells of a span of time, as one page to print."""
