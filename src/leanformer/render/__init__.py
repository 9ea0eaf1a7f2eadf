"""Reports as terminal text and Markdown, cards as pages."""
