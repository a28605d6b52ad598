"""The vendor's own SDK, with requests written down as plain values."""

from __future__ import annotations

import re
from typing import Any

import huaweicloudsdkmodelarts.v1 as sdk
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.http.http_config import HttpConfig
from waiting import PATIENCE

MODEL = re.compile(r"list\[(.+)]|dict\(str, (.+)\)|(\w+)")


def client_at(url: str, access_key: str, secret_key: str, project_id: str) -> sdk.ModelArtsClient:
    """Make a client for what is at an address."""
    config = HttpConfig(ignore_ssl_verification=False, timeout=PATIENCE, retry_times=0)
    credentials = BasicCredentials(access_key, secret_key, project_id)
    builder = sdk.ModelArtsClient.new_builder().with_http_config(config).with_credentials(credentials)
    return builder.with_endpoint(url).build()


def call(client: sdk.ModelArtsClient, name: str, /, **given: Any) -> Any:
    """Call one method of the SDK.

    :param name: Of the method.
    :param given: Fields of its request; ``body`` as plain values.
    """
    kind = "".join(part.capitalize() for part in name.split("_")) + "Request"
    return getattr(client, name)(made(kind, given))


def made(kind: str, values: Any) -> Any:
    """Make plain values an object of the SDK's, which checks their names."""
    match = MODEL.fullmatch(kind)
    assert match is not None
    inner_list, inner_dict, plain = match.groups()
    if inner_list:
        return [made(inner_list, value) for value in values]
    if inner_dict:
        return {name: made(inner_dict, value) for name, value in values.items()}
    model = getattr(sdk, plain, None)
    if model is None:
        return values
    unknown = set(values) - set(model.openapi_types)
    assert not unknown, f"{plain} has no {unknown}"
    return model(**{name: made(model.openapi_types[name], value) for name, value in values.items()})
