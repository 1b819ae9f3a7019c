"""What tests share: a tiny project, fabricated records, exact oracles, readers of foreign files."""
