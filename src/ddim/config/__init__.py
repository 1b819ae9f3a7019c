"""The configuration: types, ranges, params.yaml, and where every file lies. Changes no result."""
