"""The HTTP service and the page in the browser: reads by itself; teaches and looks through worker processes."""
