"""A small random model, compiled and saved once, as the runtime's tests have it."""

from tests.runtime.conftest import bundle, folder, model_path

__all__ = ["bundle", "folder", "model_path"]
