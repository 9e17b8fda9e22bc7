"""Reading and writing files and data, shared by `train` and `convert`.

Predicting in process loads none of it. `glovelite-run` loads `native_logs` only.
"""
