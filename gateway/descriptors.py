"""The descriptor set of all protos, as the generated package carries it."""

import functools
import importlib.resources

from google.protobuf.descriptor_pb2 import FileDescriptorSet


@functools.cache
def descriptor_set() -> FileDescriptorSet:
    """Return every proto file with its imports; without comments it is a sixth of the size.

    It is read once a process, so a caller must not change it.
    """
    data = importlib.resources.files("switchboard").joinpath("descriptors.pb").read_bytes()
    files = FileDescriptorSet.FromString(data)
    for file in files.file:
        file.ClearField("source_code_info")
    return files
