#!/usr/bin/env bash
# Pin the newest allowed packages. Arguments: the pip-compile to use.
set -euo pipefail
cd "$(dirname "$0")/.."
compile=("$1" --quiet --upgrade --allow-unsafe --strip-extras --no-header --no-annotate --no-emit-options
         --no-emit-index-url --no-emit-find-links --no-emit-trusted-host)

"${compile[@]}" --generate-hashes --output-file requirements/run.lock pyproject.toml
"${compile[@]}" --generate-hashes --extra rtl --extra formal --extra synth --constraint requirements/run.lock \
    --output-file requirements/tools.lock pyproject.toml
# The hardware tools share a WebAssembly runtime with the RTL of the tests.
"${compile[@]}" --generate-hashes --extra test --extra rtl --extra plots --extra dev --constraint requirements/tools.lock \
    --output-file requirements/test.lock pyproject.toml
# The documentation is built in the environment of the tests, which may have the tools as well.
"${compile[@]}" --generate-hashes --extra docs --constraint requirements/test.lock --constraint requirements/tools.lock \
    --output-file requirements/docs.lock pyproject.toml
