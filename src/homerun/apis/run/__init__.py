"""What both versions of the Run API do: v2 JSON in, store writes out. run_v1 and run_v2 only translate."""
