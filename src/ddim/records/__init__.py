"""What stages write and the report reads: typed, versioned records, and what determines each."""
