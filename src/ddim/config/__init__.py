"""The configuration: types, ranges, params.yaml, where every file lies. Changes no result by itself."""
