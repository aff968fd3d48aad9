"""Small random models, compiled and saved once, as the runtime's tests have them."""

from tests.runtime.conftest import bundle, folder, model_path, prefilling, talkative, talkative_folder

__all__ = ["bundle", "folder", "model_path", "prefilling", "talkative", "talkative_folder"]
