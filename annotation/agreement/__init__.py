"""How far raters agree, which of them can be relied on, and what of their answers enters a corpus."""
