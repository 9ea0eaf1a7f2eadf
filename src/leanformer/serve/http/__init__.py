"""HTTP: connections, routes, bodies, and the schemas and pages that describe them."""
