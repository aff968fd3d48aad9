"""The registry of handcrafted bad GGUF files: everything that can be wrong on the way from a file to a chat prompt."""

from collections.abc import Mapping

from tests.frontends.bad_files.bad_file import BadFile
from tests.frontends.bad_files.data import DATA
from tests.frontends.bad_files.header import HEADERS
from tests.frontends.bad_files.llama import LLAMAS
from tests.frontends.bad_files.templates import TEMPLATES
from tests.frontends.bad_files.tokenizer import TOKENIZERS

GROUPS = {"header": HEADERS, "llama": LLAMAS, "tokenizer": TOKENIZERS, "data": DATA, "template": TEMPLATES}
BAD_FILES: Mapping[str, BadFile] = {
    f"{group}: {name}": bad for group, files in GROUPS.items() for name, bad in files.items()
}
