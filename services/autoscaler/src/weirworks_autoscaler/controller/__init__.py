"""InferenceScaler resources of a cluster, reconciled."""
