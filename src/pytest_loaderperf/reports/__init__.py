"""Results as text: terminal, JSON, Markdown, HTML."""
