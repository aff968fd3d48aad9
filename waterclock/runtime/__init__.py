"""How a model is used: deployments on disk, the device that runs them, text in and text out."""
