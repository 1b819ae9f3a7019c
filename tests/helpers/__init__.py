"""What tests share: a tiny project, fabricated records, exact oracles, a reader of W&B's files."""
