"""The v1 (Knative) API: a conversion at the edge, both ways, over the documents of v2."""
