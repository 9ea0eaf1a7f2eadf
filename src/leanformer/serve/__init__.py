"""The server: HTTP, a queue bounded in tokens, one-thread worker processes, and a page to try models on."""
