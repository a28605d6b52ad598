"""IAM, as much of it as a client of ModelArts needs: tokens and the project of a region."""

from __future__ import annotations

from typing import Any

from ..answers import Answer, IAMRefused, utc
from ..call import Call, Given, Route


class Domain(Given):
    name: str | None = None
    id: str | None = None


class UserGiven(Given):
    name: str
    password: str
    domain: Domain


class Password(Given):
    user: UserGiven


class Identity(Given):
    methods: list[str]
    password: Password


class Project(Given):
    name: str | None = None
    id: str | None = None


class Scope(Given):
    project: Project | None = None
    domain: Domain | None = None


class Auth(Given):
    identity: Identity
    scope: Scope | None = None


class Login(Given):
    auth: Auth


class Projects(Given):
    name: str | None = None


async def create_token(call: Call) -> Any:
    auth = call.body(Login).auth
    arts = call.arts
    given = auth.identity.password.user
    if auth.identity.methods != ["password"]:
        raise IAMRefused("The only method here is password.")
    user = arts.login(call.request, given.name, given.password)
    if user is None or given.domain.name not in (arts.settings.account, None):
        raise IAMRefused("The username or password is wrong.", status=401)
    project = auth.scope.project if auth.scope else None
    if project and (project.name or arts.settings.region, project.id or arts.credentials.project_id) != (
        arts.settings.region,
        arts.credentials.project_id,
    ):
        raise IAMRefused("The project of the scope does not exist.", status=401)
    now, domain = arts.clock.now(), {"id": f"{0xD0:032x}", "name": arts.settings.account}
    token = {
        "methods": ["password"],
        "issued_at": utc(now),
        "expires_at": utc(now + arts.settings.token_lifetime),
        "user": {"id": user.id, "name": user.name, "domain": domain},
        "project": {"id": arts.credentials.project_id, "name": arts.settings.region, "domain": domain},
        "roles": [],
    }
    if call.request.query.get("nocatalog") is None:
        token["catalog"] = []
    return Answer({"token": token}, 201, {"X-Subject-Token": arts.tokens.issue({"name": user.name})})


async def list_projects(call: Call) -> Any:
    arts = call.arts
    name = call.query(Projects).name
    project = {
        "id": arts.credentials.project_id,
        "name": arts.settings.region,
        "domain_id": f"{0xD0:032x}",
        "parent_id": f"{0xD0:032x}",
        "is_domain": False,
        "enabled": True,
        "description": "",
        "links": {"self": f"{call.request.url.origin()}/v3/projects/{arts.credentials.project_id}"},
    }
    found = [project] if name in (None, arts.settings.region) else []
    return {"projects": found, "links": {"self": str(call.request.url), "next": None, "previous": None}}


ROUTES = [
    Route("S", "POST", "/v3/auth/tokens", create_token, open=True),
    Route("V", "GET", "/v3/projects", list_projects),
]
