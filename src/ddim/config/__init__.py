"""The configuration: its types and ranges, params.yaml, and where every file lies. Changes no result by itself."""
