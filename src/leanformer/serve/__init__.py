"""The server: HTTP, a queue bounded in tokens, single-threaded worker processes, and a page to try models on."""
