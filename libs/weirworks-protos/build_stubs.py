"""Turns the proto files of the repository into one wheel of typed stubs.

The proto package path is the Python import path (`weirworks/router/v1/x.proto` becomes
`weirworks.router.v1.x_pb2`), so protoc's output is used as it is.
"""

import tempfile
from pathlib import Path

from grpc_tools import protoc
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class StubsBuildHook(BuildHookInterface):
    """Runs protoc into a temporary folder and hands its files to the wheel."""

    def initialize(self, _version, build_data):
        protos = (Path(self.root) / ".." / ".." / "protos").resolve()
        self.output = tempfile.TemporaryDirectory(prefix="weirworks-stubs-")
        out = Path(self.output.name)
        files = sorted(str(path) for path in protos.rglob("*.proto"))
        include = Path(protoc.__file__).parent / "_proto"
        kinds = [f"--{kind}_out={out}" for kind in ("python", "mypy", "grpc_python", "mypy_grpc")]
        arguments = ["protoc", f"-I{protos}", f"-I{include}", *kinds, *files]
        if protoc.main(arguments) != 0:
            raise SystemExit("protoc could not compile protos/: see its message above")
        for folder in {path.parent for path in out.rglob("*.py")}:
            while folder != out:
                (folder / "__init__.py").touch()
                folder = folder.parent
        (out / "weirworks" / "py.typed").touch()
        build_data["force_include"] = {
            str(path): str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()
        }

    def finalize(self, _version, _build_data, _artifact_path):
        self.output.cleanup()
