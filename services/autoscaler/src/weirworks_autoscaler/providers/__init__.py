"""What is resized: local processes or Kubernetes Deployments."""
