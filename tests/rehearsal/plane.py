"""The control plane: takes deployments and keeps what the client sent."""

import itertools
import time
from dataclasses import dataclass, field

import grpclib
from grpclib.const import Status
from modal_proto import api_pb2

from .service import Service

IMAGE_BUILDER = "2026.10"


@dataclass(frozen=True)
class Secret:
    name: str  # empty for one that was made in place, by `env=`
    required_keys: tuple[str, ...]
    values: dict[str, str]


@dataclass
class Deployment:
    """What one app consists of, as the client sent it. Objects are known by their ids."""

    app_id: str
    environment: str
    name: str
    functions: dict[str, api_pb2.Function] = field(
        default_factory=dict
    )  # by id; GPU fallbacks apart
    fallbacks: dict[str, list[api_pb2.Function]] = field(
        default_factory=dict
    )  # by id, first choice first
    function_ids: dict[str, str] = field(default_factory=dict)  # by name, as published
    class_ids: dict[str, str] = field(default_factory=dict)
    images: dict[str, api_pb2.Image] = field(default_factory=dict)
    mounts: dict[str, dict[str, str]] = field(
        default_factory=dict
    )  # path in the container -> SHA-256
    secrets: dict[str, Secret] = field(default_factory=dict)
    volumes: dict[str, str] = field(default_factory=dict)  # names
    published: int = 0  # times

    def layout(self) -> api_pb2.AppLayout:
        """The objects of the app as the server describes them."""
        objects = [
            api_pb2.Object(
                object_id=key, function_handle_metadata=handle(key, function, self.app_id)
            )
            for key, function in self.functions.items()
        ]
        objects += [
            api_pb2.Object(object_id=key, class_handle_metadata=api_pb2.ClassHandleMetadata())
            for key in self.class_ids.values()
        ]
        objects += [
            api_pb2.Object(object_id=key, volume_metadata=api_pb2.VolumeMetadata(name=name))
            for key, name in self.volumes.items()
        ]
        objects += [api_pb2.Object(object_id=key) for key in (*self.images, *self.secrets)]
        return api_pb2.AppLayout(
            objects=objects, function_ids=self.function_ids, class_ids=self.class_ids
        )

    def chain(self, image_id: str) -> list[api_pb2.Image]:
        """An image's layers, the lowest first."""
        image = self.images[image_id]
        below = [layer for base in image.base_images for layer in self.chain(base.image_id)]
        return [*below, image]


class ControlPlane(Service):
    """One for any number of deployments, which are told apart by their Modal Environment.

    `secrets` holds the values of existing Secrets by (environment, name).
    """

    def __init__(self) -> None:
        super().__init__()
        self.deployments: dict[str, Deployment] = {}  # by environment
        self.secrets: dict[tuple[str, str], dict[str, str]] = {}
        self.files: dict[str, bytes] = {}  # mounted ones, by SHA-256
        self.failures: list[str] = []  # apps that their client gave up, by id
        self._apps: dict[str, Deployment] = {}  # by id
        self._numbers = itertools.count(1)

    def _new(self, prefix: str) -> str:
        return f"{prefix}-{next(self._numbers)}"

    def retry_policy(self, function_id: str) -> api_pb2.FunctionRetryPolicy:
        """Of a deployed function."""
        apps = self._apps.values()
        return next(
            app.functions[function_id].retry_policy for app in apps if function_id in app.functions
        )

    # Names of the methods are those of the protocol's calls.

    async def AppGetByDeploymentName(
        self, request: api_pb2.AppGetByDeploymentNameRequest
    ) -> api_pb2.AppGetByDeploymentNameResponse:
        known = self.deployments.get(request.environment_name)
        return api_pb2.AppGetByDeploymentNameResponse(app_id=known.app_id if known else "")

    async def AppCreate(self, request: api_pb2.AppCreateRequest) -> api_pb2.AppCreateResponse:
        app = Deployment(self._new("ap"), request.environment_name, request.description)
        self._apps[app.app_id] = app
        return api_pb2.AppCreateResponse(app_id=app.app_id)

    async def AppGetLayout(
        self, request: api_pb2.AppGetLayoutRequest
    ) -> api_pb2.AppGetLayoutResponse:
        return api_pb2.AppGetLayoutResponse(app_layout=self._apps[request.app_id].layout())

    async def AppHeartbeat(self, request: api_pb2.AppHeartbeatRequest) -> None:
        pass

    async def EnvironmentGetOrCreate(
        self, request: api_pb2.EnvironmentGetOrCreateRequest
    ) -> api_pb2.EnvironmentGetOrCreateResponse:
        settings = api_pb2.EnvironmentSettings(image_builder_version=IMAGE_BUILDER)
        return api_pb2.EnvironmentGetOrCreateResponse(
            environment_id="en-1",
            metadata=api_pb2.EnvironmentMetadata(name=request.deployment_name, settings=settings),
        )

    async def MountBatchedCheckExistence(
        self, request: api_pb2.MountBatchedCheckExistenceRequest
    ) -> api_pb2.MountBatchedCheckExistenceResponse:
        missing = [digest for digest in request.sha256_hex_hashes if digest not in self.files]
        return api_pb2.MountBatchedCheckExistenceResponse(missing_sha256_hex_hashes=missing)

    async def MountPutFile(
        self, request: api_pb2.MountPutFileRequest
    ) -> api_pb2.MountPutFileResponse:
        self.files[request.sha256_hex] = request.data
        return api_pb2.MountPutFileResponse(exists=True)

    async def MountGetOrCreate(
        self, request: api_pb2.MountGetOrCreateRequest
    ) -> api_pb2.MountGetOrCreateResponse:
        mount_id = self._new("mo")
        if not request.app_id:  # Modal's own, by name
            mount_id = f"{mount_id}-{request.deployment_name}"
        else:
            files = {file.filename: file.sha256_hex for file in request.files}
            self._apps[request.app_id].mounts[mount_id] = files
        return api_pb2.MountGetOrCreateResponse(
            mount_id=mount_id, handle_metadata=api_pb2.MountHandleMetadata()
        )

    async def SecretGetOrCreate(
        self, request: api_pb2.SecretGetOrCreateRequest
    ) -> api_pb2.SecretGetOrCreateResponse:
        key = (request.environment_name, request.deployment_name)
        if request.deployment_name and request.env_dict:  # `modal secret create`
            self.secrets[key] = dict(request.env_dict)
            return api_pb2.SecretGetOrCreateResponse(secret_id=self._new("st"))
        values = self.secrets.get(key) if request.deployment_name else dict(request.env_dict)
        if values is None:
            message = f"Secret {request.deployment_name!r} not found"
            raise grpclib.GRPCError(Status.NOT_FOUND, message)
        if missing := sorted(set(request.required_keys) - values.keys()):
            message = f"Secret {request.deployment_name!r} is missing key(s): {', '.join(missing)}"
            raise grpclib.GRPCError(Status.FAILED_PRECONDITION, message)
        secret_id = self._new("st")
        secret = Secret(request.deployment_name, tuple(request.required_keys), values)
        self._app_of(request.app_id, request.environment_name).secrets[secret_id] = secret
        return api_pb2.SecretGetOrCreateResponse(secret_id=secret_id)

    async def VolumeGetOrCreate(
        self, request: api_pb2.VolumeGetOrCreateRequest
    ) -> api_pb2.VolumeGetOrCreateResponse:
        volume_id = self._new("vo")
        app = self._app_of(request.app_id, request.environment_name)
        app.volumes[volume_id] = request.deployment_name
        metadata = api_pb2.VolumeMetadata(name=request.deployment_name)
        return api_pb2.VolumeGetOrCreateResponse(volume_id=volume_id, metadata=metadata)

    async def ImageGetOrCreate(
        self, request: api_pb2.ImageGetOrCreateRequest
    ) -> api_pb2.ImageGetOrCreateResponse:
        image_id = self._new("im")
        self._apps[request.app_id].images[image_id] = request.image
        built = api_pb2.GenericResult(status=api_pb2.GenericResult.GENERIC_STATUS_SUCCESS)
        return api_pb2.ImageGetOrCreateResponse(
            image_id=image_id,
            result=built,
            metadata=api_pb2.ImageMetadata(image_builder_version=IMAGE_BUILDER),
        )

    async def FunctionPrecreate(
        self, request: api_pb2.FunctionPrecreateRequest
    ) -> api_pb2.FunctionPrecreateResponse:
        function_id = request.existing_function_id or self._new("fu")
        function = api_pb2.Function(
            function_name=request.function_name,
            function_type=request.function_type,
            method_definitions=request.method_definitions,
            webhook_config=request.webhook_config,
        )
        return api_pb2.FunctionPrecreateResponse(
            function_id=function_id, handle_metadata=handle(function_id, function, request.app_id)
        )

    async def FunctionCreate(
        self, request: api_pb2.FunctionCreateRequest
    ) -> api_pb2.FunctionCreateResponse:
        ranked = [ranked.function for ranked in request.function_data.ranked_functions]
        choices = ranked or [request.function]
        app, function_id = self._apps[request.app_id], request.existing_function_id
        app.functions[function_id], app.fallbacks[function_id] = choices[0], choices
        data = request.function_data
        if not ranked:
            data = api_pb2.FunctionData(function_name=request.function.function_name)
            data.ranked_functions.add(function=request.function)
        return api_pb2.FunctionCreateResponse(
            function_id=function_id,
            function_data=data,
            handle_metadata=handle(function_id, choices[0], app.app_id),
        )

    async def ClassCreate(self, request: api_pb2.ClassCreateRequest) -> api_pb2.ClassCreateResponse:
        return api_pb2.ClassCreateResponse(
            class_id=request.existing_class_id or self._new("cs"),
            handle_metadata=api_pb2.ClassHandleMetadata(),
        )

    async def AppPublish(self, request: api_pb2.AppPublishRequest) -> api_pb2.AppPublishResponse:
        app = self._apps[request.app_id]
        app.name = request.name
        app.function_ids, app.class_ids = dict(request.function_ids), dict(request.class_ids)
        app.published += 1
        self.deployments[app.environment] = app
        return api_pb2.AppPublishResponse(
            url=f"https://modal.invalid/{app.environment}", deployed_at=time.time()
        )

    async def AppClientDisconnect(self, request: api_pb2.AppClientDisconnectRequest) -> None:
        self.failures.append(request.app_id)

    def _app_of(self, app_id: str, environment: str) -> Deployment:
        """The app that is being deployed; objects with a name of their own say the environment only."""
        if app_id:
            return self._apps[app_id]
        return next(app for app in reversed(self._apps.values()) if app.environment == environment)


def handle(
    function_id: str, function: api_pb2.Function, app_id: str
) -> api_pb2.FunctionHandleMetadata:
    """What the server says of a function, and of each method of a class."""
    methods = {
        name: api_pb2.FunctionHandleMetadata(
            function_name=method.function_name,
            function_type=method.function_type,
            use_method_name=name,
            is_method=True,
            web_url=f"https://{name}.modal.invalid" if method.webhook_config.type else "",
        )
        for name, method in function.method_definitions.items()
    }
    return api_pb2.FunctionHandleMetadata(
        app_id=app_id,
        function_name=function.function_name,
        function_type=function.function_type,
        definition_id=f"de-{function_id}",
        web_url="https://web.modal.invalid" if function.webhook_config.type else "",
        method_handle_metadata=methods,
    )
