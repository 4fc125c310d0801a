"""What of a starting mesh does not serve yet and still may; pure, asks nobody."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from console.directory import Model
from console.mesh import GATEWAY
from console.supervision.keeper import Phase
from services.runtime.config import Settings


def waiting_for(
    settings: Settings,
    phases: Mapping[str, Phase],
    models: Iterable[Model],
    routable: Collection[str],
) -> list[str]:
    """Name what is waited for, for people; empty once everything has settled.

    A program that is over and a model that failed are settled: nobody waits for them.

    Args:
        settings: The mesh.
        phases: Where each program stands.
        models: What the front desk says; empty while it says nothing.
        routable: The services that the gateway sends calls to.
    """
    states = {model.id: model.state for model in models}
    return [
        f"{name} ({reason})" if reason else name
        for name, phase in phases.items()
        if phase is not Phase.OVER
        for reason in _reasons(name, phase, _model_states(settings, name, states), phases, routable)
    ]


def _reasons(
    name: str,
    phase: Phase,
    models: Mapping[str, str] | None,
    phases: Mapping[str, Phase],
    routable: Collection[str],
) -> Iterator[str]:
    """Yield why the program is waited for: once or not at all; an empty reason says no more."""
    loading = [model for model, state in (models or {}).items() if state == "loading"]
    if phase is Phase.PAUSED:
        yield "is started again soon"
    elif loading:
        yield f"loads {', '.join(loading)}"
    elif models is not None and all(state == "failed" for state in models.values()):
        return  # a service without a single model never gets ready, and answers all the same
    elif phase is Phase.STARTING:
        yield ""
    elif name != GATEWAY and phases.get(GATEWAY) is Phase.READY and name not in routable:
        yield "the gateway has not seen it yet"


def _model_states(
    settings: Settings, name: str, states: Mapping[str, str]
) -> dict[str, str] | None:
    """Return the states of one service's models; None for what is no service."""
    section = settings.services.get(name)
    return {model.id: states.get(model.id, "") for model in section.models} if section else None
