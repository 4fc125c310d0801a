"""`python -m gateway.frontdesk`: settings -> directory -> serve."""

import importlib
import sys
from functools import partial

import structlog
from switchboard.frontdesk.v1 import frontdesk_pb2, frontdesk_pb2_grpc

from gateway.endpoints import FRONT_DESK, endpoints, families, grpc_methods, package
from gateway.frontdesk.directory import Directory
from gateway.frontdesk.statuses import Statuses, grpc_asker
from services.runtime import process
from services.runtime.config import FrontDeskSettings, Settings
from services.runtime.server import Door, create_server, serve

log = structlog.get_logger()

_NAME = frontdesk_pb2.DESCRIPTOR.services_by_name["DirectoryService"].full_name


async def run(mesh: Settings, settings: FrontDeskSettings) -> None:
    """Serve the directory until SIGTERM."""
    add = frontdesk_pb2_grpc.add_DirectoryServiceServicer_to_server
    directory = Directory(mesh, endpoints(mesh), _statuses(mesh))
    door = Door(_NAME, partial(add, directory))
    server, port = create_server(settings, [door], reflected=_reflected(mesh))
    await server.start()
    await server.set_ready(True)
    log.info("listening", host=settings.host, port=port)
    await serve(server, settings)


def _statuses(mesh: Settings) -> Statuses:
    timeout_s = mesh.frontdesk.status_timeout_s
    return Statuses(
        {
            family: grpc_asker(f"{service.host}:{service.port}", timeout_s)
            for family, service in mesh.services.items()
        }
    )


def _reflected(mesh: Settings) -> list[str]:
    """Return the services of all families; reflection finds them once their stubs are imported."""
    for family in families(mesh):
        importlib.import_module(f"{package(family)}.{family}_pb2")
    return [service for family in families(mesh) for service in grpc_methods(family)]


if __name__ == "__main__":
    sys.exit(process.main(FRONT_DESK, FrontDeskSettings, run))
