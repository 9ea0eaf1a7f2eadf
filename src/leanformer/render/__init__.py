"""Reports as terminal text, Markdown and HTML; model cards."""
