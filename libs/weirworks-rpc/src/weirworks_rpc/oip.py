"""The Open Inference Protocol's messages, from tritonclient: the one copy in a process.

A second copy of package `inference` fails at import with a duplicate symbol, so everyone takes the
messages from here.
"""

from google.protobuf.descriptor import ServiceDescriptor
from tritonclient.grpc import model_config_pb2 as configs
from tritonclient.grpc import service_pb2 as messages

SERVICE: ServiceDescriptor = messages.DESCRIPTOR.services_by_name["GRPCInferenceService"]

__all__ = ["SERVICE", "configs", "messages"]
